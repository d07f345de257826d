"""What became of jobs over time: counted by minute and type in the transaction of each change, never scanned."""
