"""The catalogue that a one-machine run begins with: 48 products of three shops, with pictures, stock and orders."""
