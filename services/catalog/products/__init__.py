"""Products: what vendors offer, through which states it goes, and what the public may see of it."""
