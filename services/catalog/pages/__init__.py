"""The pages: HTML for people, made on the server by the same use cases that the API calls (docs/pages.md).

Every core flow works by links and forms alone; the scripts make pages live.
"""
