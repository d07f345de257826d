"""The pages of operations: jobs, queues, workers, schedules and dead letters.

What they show is asked of the services that own it, in the name of who looks, as the API's callers do.
"""
