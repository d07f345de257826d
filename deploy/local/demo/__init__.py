"""The main job from end to end, lived through as a vendor and an admin would, by HTTP alone."""
