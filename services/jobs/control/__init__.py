"""What operators do to jobs that are under way or failed: cancel, pause and resume a type, retry many, see causes."""
