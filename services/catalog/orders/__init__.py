"""Orders: what channels sold, and what that takes from stock."""
