"""Stock: one level per product, and the movements that made it what it is."""
