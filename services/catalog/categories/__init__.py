"""Categories: the shelves of the catalogue."""
