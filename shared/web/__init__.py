"""The HTTP edge every service shares: problems, bodies, identities, the operations port, the server."""
