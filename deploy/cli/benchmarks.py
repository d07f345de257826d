"""`souk bench`: the benchmarks of the clone."""

import subprocess
import sys

import typer

from deploy.cli.shown import ExitCode, complain
from deploy.local.settings import CLONE


def bench(ctx: typer.Context) -> None:
    """Measure speed as ratios to the bare libraries, on private servers; takes minutes. Arguments are passed on."""
    if not (CLONE / "tests" / "bench").is_dir():
        complain("The benchmarks are not installed with Souk: run `make bench` in a clone of it.", ExitCode.FAILED)
    done = subprocess.run([sys.executable, "-m", "tests.bench", *ctx.args], cwd=CLONE, check=False)
    raise typer.Exit(done.returncode)
