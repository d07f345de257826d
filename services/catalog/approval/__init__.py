"""Approval: an admin lets a product into the catalogue, turns it down with reasons, takes it out of sight or back."""
