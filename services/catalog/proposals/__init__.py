"""Proposals: what the vendor of an approved product would change of it, until an admin has decided.

The product in the catalogue stays as it is meanwhile; price and stock are no part of it and apply at once.
"""
