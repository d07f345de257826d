"""Imaging: turns a picture somebody uploaded or linked into the renditions that pages show.

Reads jobs `process-image`; writes objects to the blob store and emits `image.processed`. Owns no schema: everything it
makes is derived from the original's content, so doing a job twice writes the same objects again.
"""
