"""How the whole installation does: a score from stated terms, and what it was made of."""
