"""The only names that cross a service boundary: events, jobs, reports and their envelope."""
