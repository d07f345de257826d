"""The API's contract, as programs and people read it.

The documents are made of the code by `make docs`, committed beside this file, and served as they are.
"""
