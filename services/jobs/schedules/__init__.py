"""Slots of the schedule as the ledger sees them: the overlap rule of each entry, and the word back to the scheduler."""
