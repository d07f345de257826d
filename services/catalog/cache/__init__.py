"""What the gateway keeps of its answers: bounded, dropped by the versions of the rows they were made of."""
