"""`souk config …`: the settings there are, and whether an environment is right, before anything is started with it."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import aio_pika
import aiohttp
import asyncpg
import typer
from pydantic import SecretStr

from deploy.cli import completing
from deploy.cli.shown import EXIT_CODES, AsJson, ExitCode, complain, out, print_json_lines, print_table
from deploy.configuration import PROCESSES, READERS, Entry, entries
from deploy.secret_files import make_secrets
from shared.setting import described
from shared.settings import Environment

group = typer.Typer(
    help="The settings that there are, and whether an environment is right.\n\n" + EXIT_CODES,
    epilog="Example: souk config check --env-file production.env --connect",
    no_args_is_help=True,
)
CONNECT_SECONDS: Final = 5.0
OfProcess = Annotated[
    str | None,
    typer.Option(
        "--process", metavar="NAME", help=f"One of: {', '.join(READERS)}.", autocompletion=completing.processes
    ),
]
EnvFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Lines NAME=value instead of the environment; # begins a comment line."),
]


@group.command(epilog="Example: souk config check --process notifier --env-file notifier.env --connect")
def check(
    process: OfProcess = None,
    env_file: EnvFile = None,
    connect: Annotated[bool, typer.Option("--connect", help="Try every address, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say everything that is wrong with an environment, for one process or for all nine; exits 1 if anything is.

    Nothing is started and nothing changed. With --connect it also signs in to the broker and the databases, and looks
    whether the other services, the mail server and the object store are there; 3 if only that fails.
    """
    environment = _environment(env_file)
    wrong: list[tuple[str, str]] = []
    right: dict[str, Environment] = {}
    for name in _processes(process):
        settings, refusals = READERS[name].parse(environment)
        wrong += [(name, refusal) for refusal in refusals]
        if settings is not None:
            right[name] = settings
    away = asyncio.run(_unreachable(right)) if connect else []
    if as_json:
        print_json_lines({"process": name, "wrong": text} for name, text in wrong + away)
    else:
        for name, text in wrong + away:
            out.print(f"{name}: {text}", markup=False)
        if not wrong and not away:
            out.print(f"All is right for {', '.join(right)}.")
    if wrong or away:
        raise typer.Exit(ExitCode.FAILED if wrong else ExitCode.AWAY)


@group.command("list", epilog="Example: souk config list --process gateway")
def list_settings(process: OfProcess = None, env_file: EnvFile = None, as_json: AsJson = False) -> None:
    """List every setting with what it would be now; a secret is only said to be given or not."""
    environment = _environment(env_file)
    chosen = set(_processes(process)) if process else set(READERS)
    rows = [each for each in entries() if chosen.intersection(each.readers)]
    if as_json:
        return print_json_lines(
            {
                "name": each.setting.name,
                "value": _value(each, environment),
                "default": each.setting.default,
                "allowed": each.setting.allowed,
                "unit": each.setting.unit or None,
                "secret": each.setting.is_secret,
                "required_by": each.required_by,
                "read_by": each.readers,
                "about": each.setting.about,
            }
            for each in rows
        )
    print_table(
        {"setting": "", "value": "", "allowed": ""},
        ((each.setting.name, _value(each, environment), each.setting.allowed) for each in rows),
    )
    return None


@group.command("secrets", epilog="Example: souk config secrets deploy/secrets")
def make_all_secrets(
    folder: Annotated[Path, typer.Argument(help="Where the files go; made if missing, closed to everybody else.")],
    database_host: Annotated[str, typer.Option(help="How the processes reach PostgreSQL.")] = "postgres",
    broker_host: Annotated[str, typer.Option(help="How the processes reach RabbitMQ.")] = "rabbitmq",
    as_json: AsJson = False,
) -> None:
    """Make every secret of an installation as a file: passwords, keys, addresses, and the broker's accounts.

    deploy/compose.yaml mounts them. What is there stays, so it can be run again; none is shown.
    """
    try:
        made = make_secrets(folder, database_host=database_host, broker_host=broker_host)
    except OSError as exc:
        complain(f"{folder}: {exc}", ExitCode.FAILED)
    if as_json:
        print_json_lines({"file": str(path)} for path in made)
    else:
        out.print(f"{len(made)} files are in {folder}. Keep a copy in a safe place: with the folder, they are gone.")


def _processes(process: str | None) -> list[str]:
    if process is None:
        return list(PROCESSES)
    if process not in READERS:
        raise typer.BadParameter(f"there is no process {process!r}; there are {', '.join(READERS)}")
    return [process]


def _environment(env_file: Path | None) -> Mapping[str, str]:
    if env_file is None:
        return os.environ  # noqa: TID251 - what a process started here would see
    try:
        lines = env_file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as exc:
        complain(f"{env_file}: {exc}", ExitCode.USAGE)
    pairs = (line.strip().removeprefix("export ").partition("=") for line in lines if _is_setting(line))
    return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}


def _is_setting(line: str) -> bool:
    return "=" in line and not line.lstrip().startswith("#")


def _value(entry: Entry, environment: Mapping[str, str]) -> str:
    given = next((name for name in entry.setting.names if environment.get(name)), None)
    if entry.setting.is_secret:
        return "not given" if given is None else f"given by {given}"
    if given is not None:
        return environment[given]
    return "not given" if entry.setting.default is None else entry.setting.default or "none"


# -- trying addresses ---------------------------------------------------------------------------------


async def _unreachable(right: Mapping[str, Environment]) -> list[tuple[str, str]]:
    found = [(name, text) async for name, text in _tried(right)]
    return list(dict.fromkeys(found))


async def _tried(right: Mapping[str, Environment]) -> AsyncIterator[tuple[str, str]]:
    for process, settings in right.items():
        for setting in described(type(settings)).values():
            value = getattr(settings, setting.field)
            text = value.get_secret_value() if isinstance(value, SecretStr) else value
            if not isinstance(text, str):
                continue
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    await _try(setting.field, text, settings)
            except (OSError, TimeoutError, asyncpg.PostgresError, aiohttp.ClientError, *BROKER) as exc:
                yield process, f"{setting.name}: it cannot be reached ({_reason(exc)})."


BROKER: Final = (aio_pika.exceptions.AMQPError, RuntimeError, ValueError)


async def _try(field: str, text: str, settings: Environment) -> None:
    """Raises what the attempt raises; an address that is nobody's to answer yet (`public_url`) is not tried."""
    if field == "amqp_url":
        await (await aio_pika.connect(text, timeout=CONNECT_SECONDS)).close()
    elif field.endswith("database_url"):
        await (await asyncpg.connect(text, timeout=CONNECT_SECONDS)).close()
    elif field == "smtp_host":
        await _connect(text, int(getattr(settings, "smtp_port", 25)))
    elif field == "blobs_url" and text.startswith("file:"):
        _require_writable(Path(urlsplit(text).path))
    elif field.endswith("_url") and field != "public_url" and text.startswith("http"):
        place = urlsplit(text)
        await _connect(place.hostname or "", place.port or (443 if place.scheme == "https" else 80))


def _require_writable(folder: Path) -> None:
    """A folder that is not there yet is made by who needs it, if it may."""
    if not os.access(folder if folder.exists() else folder.parent, os.W_OK):
        raise PermissionError(errno.EACCES, "this account may not write there")


async def _connect(host: str, port: int) -> None:
    _, writer = await asyncio.open_connection(host, port)
    writer.close()


def _reason(exc: BaseException) -> str:
    """What went wrong, without an address: it may hold a password."""
    if isinstance(exc, TimeoutError):
        return f"no answer within {CONNECT_SECONDS:.0f} s"
    if isinstance(exc, OSError):
        return exc.strerror or type(exc).__name__
    if isinstance(exc, asyncpg.PostgresError):
        return str(exc)
    return type(exc).__name__
