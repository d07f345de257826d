"""Asking before something is destroyed, and asking for passwords, so that neither happens by accident."""

import getpass
import sys
from typing import Annotated

import typer

from deploy.cli.shown import ExitCode, complain, err

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking. Needed where there is no terminal.")]


def be_sure(question: str, *, yes: bool) -> None:
    """Go on if a person says so; without a terminal only `--yes` counts."""
    if yes:
        return
    if not sys.stdin.isatty():
        complain(f"{question} There is no terminal to ask at: say --yes if you mean it.", ExitCode.USAGE)
    err.print(f"{question} [y/N] ", end="", markup=False)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        complain("Nothing was done.", ExitCode.FAILED)


def new_password() -> str:
    """A password twice from the terminal, or the first line of standard input. Never an argument: those are seen."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass("Password (at least 12 characters): ")
    if getpass.getpass("Again: ") != password:
        complain("The two are not the same; nothing was done.", ExitCode.FAILED)
    return password
