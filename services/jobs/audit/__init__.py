"""The audit log of the jobs service: which operator did what, when, and with what outcome."""
