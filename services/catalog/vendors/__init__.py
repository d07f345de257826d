"""Vendors: who sells here, and whether they may."""
