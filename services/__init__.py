"""The services. They know each other by `shared.contracts` alone."""
