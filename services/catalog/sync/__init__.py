"""Stock sources: vendors' own systems say how much there is, and stock follows."""
