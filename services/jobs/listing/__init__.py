"""Lists of jobs that answer as fast at a million jobs as at a thousand, whatever they are filtered by."""
