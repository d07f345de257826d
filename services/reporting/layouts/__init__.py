"""What a reader sees of each kind of report: one file a kind. Pure."""
