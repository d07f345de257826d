"""`souk up` and `souk down`: the one-machine stack."""

import asyncio
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, NamedTuple

import structlog
import typer
from rich.table import Table
from rich.text import Text

from deploy.cli.api import command_settings
from deploy.cli.failures import EXPECTED
from deploy.cli.shown import AsJson, ExitCode, complain, err, out, print_json
from deploy.local.home import AlreadyRunning, Home
from deploy.local.programs import BLUEPRINTS
from deploy.local.run_file import RunFile
from deploy.local.settings import CLONE, StackSettings
from deploy.local.stack import Interrupted, hold
from deploy.local.steps import PipedSteps, Steps, relay_steps, step, terminal
from deploy.local.supervisor import last_lines, rotate

DOWN_SECONDS = 90


class Failure(NamedTuple):
    """Why there is no stack."""

    code: ExitCode
    sentence: str


INTERRUPTED = Failure(ExitCode.INTERRUPTED, "Interrupted; everything that had been started is stopped.")


def already_running(running: AlreadyRunning) -> Failure:
    """The refusal of a second stack, and what to do."""
    return Failure(ExitCode.ALREADY_RUNNING, f"{running} `souk status` shows it, `souk down` stops it.")


def up(
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return once it is ready, and leave it running.")
    ] = False,
    replicas: Annotated[
        list[str] | None,
        typer.Option("--replicas", metavar="NAME=N", help="Run a process N times: imaging=2."),
    ] = None,
    as_json: AsJson = False,
    report_to: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Start Souk on this machine: PostgreSQL, RabbitMQ, a mail sink and the nine processes, supervised.

    A new one has accounts but no products; `souk seed` gives it a catalogue.
    """
    settings = command_settings()
    counts = _counts(replicas or [])
    if report_to is not None:
        _run_detached(settings, counts, report_to)
    elif detach:
        show = print_json_run if as_json else print_run
        show(_start_detached(settings, replicas or []))
    else:
        announce = print_json_run if as_json else _announce_in_foreground
        failure = _hold(settings, counts, steps=terminal(), announce=announce)
        if failure:
            complain(failure.sentence, failure.code)
        err.print("Souk is stopped.")


def down(as_json: AsJson = False) -> None:
    """Stop the stack of this clone, and wait until everything is gone."""
    home = Home(command_settings().home)
    pid = home.supervisor_pid()
    if pid is None:
        home.run_file.unlink(missing_ok=True)
        _say({"stopped": False}, "Nothing runs in this clone.", as_json)
        return
    with step(terminal(), "Stopping"):
        _end(pid)
    _say({"stopped": True, "supervisor": pid}, "Souk is stopped.", as_json)


def print_json_run(run: RunFile) -> None:
    """The run file as it is."""
    print_json(run.model_dump(mode="json"))


def print_run(run: RunFile) -> None:
    """The addresses and sign-ins of a running stack, for people."""
    rows = [("Gateway", run.gateway), ("Mailbox", run.mailbox)]
    if run.management:
        rows.append(("RabbitMQ", run.management.url))
        rows.append(("", f"{run.management.user} / {run.management.password}"))
    people = [("Admin", run.accounts.admin), ("Operator", run.accounts.ops)]
    people += [(f"Vendor {number}", each) for number, each in enumerate(run.accounts.vendors, 1)]
    rows += [(who, f"{account.email} / {account.password}") for who, account in people]
    rows.append(("API keys", f"in {Home(command_settings().home).run_file}"))
    table = Table.grid(padding=(0, 2))
    for name, value in rows:
        table.add_row(Text(f"  {name}", style="bold"), Text(value))
    out.print()
    out.print(table)
    out.print()


# -- in the foreground --------------------------------------------------------------------------------


def _announce_in_foreground(run: RunFile) -> None:
    print_run(run)
    err.print("Ctrl-C stops it.")


def _hold(
    settings: StackSettings,
    counts: dict[str, int],
    *,
    steps: Steps,
    announce: Callable[[RunFile], None],
) -> Failure | None:
    """Run the stack until it is told to stop; what went wrong, if anything did."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        asyncio.run(hold(settings, steps=steps, announce=announce, counts=counts))
    except AlreadyRunning as running:
        return already_running(running)
    except (Interrupted, KeyboardInterrupt):
        return INTERRUPTED
    except EXPECTED as failed:
        return Failure(ExitCode.FAILED, f"Souk did not start: {failed}")
    return None


def _counts(replicas: list[str]) -> dict[str, int]:
    counts = {}
    for each in replicas:
        name, _, number = each.partition("=")
        if name not in {blueprint.name for blueprint in BLUEPRINTS}:
            raise typer.BadParameter(f"there is no process {name!r}")
        if not number.isdecimal() or not 1 <= int(number) <= 16:
            raise typer.BadParameter(f"{each!r} is not NAME=N with N from 1 to 16")
        counts[name] = int(number)
    return counts


# -- detached: a supervisor in a session of its own, and the command that waits for it ----------------


def _start_detached(settings: StackSettings, replicas: list[str]) -> RunFile:
    """Start the supervisor and show its steps until it is ready. Ctrl-C meanwhile stops it."""
    home = Home(settings.home)
    if pid := home.supervisor_pid():
        failure = already_running(AlreadyRunning(pid))
        complain(failure.sentence, failure.code)
    home.prepare()
    log_file = home.logs / "supervisor.log"
    rotate(log_file)
    ours, theirs = os.pipe()
    options = [f"--replicas={each}" for each in replicas]
    with log_file.open("ab") as output:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "deploy.cli", "up", f"--report-to={theirs}", *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=CLONE,
            pass_fds=(theirs,),
            start_new_session=True,
        )
    os.close(theirs)
    with os.fdopen(ours) as lines, _interrupts_go_to(supervisor):
        complaint = relay_steps(lines, terminal())
    run = RunFile.read(home.run_file)
    if complaint or run is None or run.supervisor != supervisor.pid:
        code = supervisor.wait()
        if code == -signal.SIGTERM:  # interrupted before it could say so
            complain(INTERRUPTED.sentence, INTERRUPTED.code)
        sentence = complaint or f"The supervisor ended. The end of {log_file}:\n{last_lines(log_file)}"
        complain(sentence, ExitCode(code) if code in set(ExitCode) else ExitCode.FAILED)
    return run


@contextmanager
def _interrupts_go_to(supervisor: subprocess.Popen[bytes]) -> Iterator[None]:
    """Have a Ctrl-C here stop the supervisor, and go on listening to how it ends."""
    before = signal.signal(signal.SIGINT, lambda *_: supervisor.send_signal(signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _run_detached(settings: StackSettings, counts: dict[str, int], report_to: int) -> None:
    """Be the supervisor: tell the waiting command each step, and close the pipe when ready."""
    pipe = os.fdopen(report_to, "w")
    steps = PipedSteps(pipe)
    failure = _hold(settings, counts, steps=steps, announce=lambda _: pipe.close())
    if failure:
        with suppress(BrokenPipeError):
            steps.complain(failure.sentence)
        complain(failure.sentence, failure.code)


def _end(supervisor: int) -> None:
    """Ask the supervisor to stop and wait until its process is gone, which is the last one to go."""
    try:
        process = os.pidfd_open(supervisor)
        try:
            signal.pidfd_send_signal(process, signal.SIGTERM)
            gone, _, _ = select.select([process], [], [], DOWN_SECONDS)
        finally:
            os.close(process)
    except ProcessLookupError:  # it ended by itself just now
        return
    if not gone:
        complain(f"Supervisor {supervisor} still runs after {DOWN_SECONDS} s.", ExitCode.FAILED)


def _say(answer: dict[str, object], sentence: str, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        out.print(sentence)
