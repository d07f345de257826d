"""Live feeds: what the event stream tells, passed on to those who may hear it, as server-sent events."""
