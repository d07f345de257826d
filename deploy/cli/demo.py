"""`souk demo`: the main job from end to end, told as a timeline."""

from deploy.cli.shown import AsJson, ExitCode, complain


def demo(as_json: AsJson = False) -> None:
    """Start a stack, live through the main job as a vendor and an admin would, and stop it again."""
    # CALL SITE of deploy.local.demo: wire it here once the demo exists.
    complain("The demo is not built yet.", ExitCode.FAILED)
