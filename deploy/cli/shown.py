"""What the commands share: their options, how they complain and how they show things."""

import json
import sys
from enum import IntEnum
from typing import Annotated, NoReturn

import typer
from rich.console import Console

AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


class ExitCode(IntEnum):
    """What the shell is told."""

    FAILED = 1
    ALREADY_RUNNING = 3
    INTERRUPTED = 130


def complain(sentence: str, code: ExitCode) -> NoReturn:
    """Say what is wrong and leave."""
    err.print(sentence, markup=False)
    raise typer.Exit(code)


def print_json(answer: object) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(answer, indent=2, default=str) + "\n")
