"""The chapters of the demo: each shows one thing that the product does, and checks it."""
