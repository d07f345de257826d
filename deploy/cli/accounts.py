"""`souk user add` and `souk key add`: accounts and keys straight in the database, so that there can be a first one."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, TypeVar

import typer
from pydantic import TypeAdapter, ValidationError

from deploy.cli.api import command_settings
from deploy.cli.asking import new_password
from deploy.cli.failures import EXPECTED
from deploy.cli.settings import CommandSettings
from deploy.cli.shown import EXIT_CODES, AsJson, ExitCode, complain, err, out, print_json
from deploy.local.home import Home
from deploy.local.run_file import RunFile
from services.catalog.accounts.console import Console, NewAccount
from services.catalog.accounts.models import Scope
from services.catalog.accounts.passwords import open_passwords
from services.catalog.accounts.schemas import Email, NewPassword
from services.catalog.accounts.schemas import Name as PersonName
from shared.db.pool import open_pool
from shared.errors import Unavailable
from shared.web.identity import Role

T = TypeVar("T")

WHERE = """It writes to the database itself, since nobody can ask the API before there is a first administrator: to
SOUK_CATALOG_DATABASE_URL, else SOUK_DATABASE_URL, else that of the running one-machine stack. It is on record in
`souk audit`."""

users = typer.Typer(help="The people of the marketplace.\n\n" + EXIT_CODES, no_args_is_help=True)
keys = typer.Typer(help="API keys for machines.\n\n" + EXIT_CODES, no_args_is_help=True)


@users.command(
    "add",
    help=f"""Add an account.\n\n{WHERE}\n\nThe password is asked for at the terminal, or read from standard input; it is
never an argument, which everybody on the machine could see. A channel has no password: give it a key.""",
    epilog="Example: souk user add admin --email ada@example.com --name Ada",
)
def add_user(
    role: Annotated[Literal["admin", "ops", "vendor", "channel"], typer.Argument(help="What it may do.")],
    name: Annotated[str, typer.Option(help="How the person or the channel is called.")],
    email: Annotated[
        str | None, typer.Option(help="Where it signs in and gets mail; needed but for a channel.")
    ] = None,
    vendor: Annotated[str | None, typer.Option(metavar="SLUG", help="Whose, for the role vendor.")] = None,
    as_json: AsJson = False,
) -> None:
    """See the help above."""
    _fits(PersonName, name, "--name")
    if (role == "vendor") != (vendor is not None):
        raise typer.BadParameter("--vendor SLUG belongs to the role vendor, and is needed there")
    if (role == "channel") == (email is not None):
        raise typer.BadParameter("--email is needed, but for a channel, which has none")
    password = None
    if email is not None:
        _fits(Email, email, "--email")
        password = new_password()
        _fits(NewPassword, password, "the password", shows=False)
    new = NewAccount(role=Role(role), name=name, email=email, password=password, vendor_slug=vendor)
    account = _at_console(lambda console: console.add_account(new))
    if as_json:
        return print_json(
            {"id": account.id, "email": email, "name": name, "role": role, "vendor_id": account.vendor_id}
        )
    out.print(f"{name} may sign in as {email}." if email else f"{name} is there, as {account.id}.", markup=False)
    if not email:
        err.print(f"Give it a key: souk key add {account.id} --name orders")
    return None


@keys.command(
    "add",
    help=f"""Add an API key. It is printed once, on standard output, and can't be read again: only its hash is
kept.\n\n{WHERE}\n\nAnybody who can sign in makes keys of their own with POST /api/api-keys.""",
    epilog="Example: souk key add ops@example.com --name monitoring --scope read > monitoring.key",
)
def add_key(
    whose: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Mail address or id of the account it acts as.")],
    name: Annotated[str, typer.Option(help="What the key is for.")],
    scope: Annotated[Literal["full", "read"], typer.Option(help="`read` may change nothing.")] = "full",
    days: Annotated[int | None, typer.Option(min=1, max=3650, help="It ends after so many; never without.")] = None,
    as_json: AsJson = False,
) -> None:
    """See the help above."""
    _fits(PersonName, name, "--name")
    expires_at = None if days is None else datetime.now(UTC) + timedelta(days=days)
    key_id, text = _at_console(
        lambda console: console.add_key(whose, name=name, scope=Scope(scope), expires_at=expires_at)
    )
    if as_json:
        return print_json({"id": key_id, "key": str(text), "name": name, "scope": scope, "expires_at": expires_at})
    out.print(str(text), markup=False)
    err.print("Keep it now: it is not shown again.")
    return None


def _at_console(work: Callable[[Console], Awaitable[T]]) -> T:
    url = _database_url(command_settings())
    try:
        return asyncio.run(_with_console(url, work))
    except Unavailable as away:
        complain(f"{away.detail} Is the database up, and is the address right?", ExitCode.AWAY)
    except EXPECTED as refused:
        complain(str(refused), ExitCode.FAILED)


async def _with_console(url: str, work: Callable[[Console], Awaitable[T]]) -> T:
    async with open_pool(url, name="souk", max_size=2) as pool, open_passwords() as passwords:
        return await work(Console(pool=pool, passwords=passwords))


def _database_url(settings: CommandSettings) -> str:
    given = settings.catalog_database_url or settings.database_url
    if given is not None:
        return given.get_secret_value()
    run = RunFile.read(Home(settings.home).run_file)
    if run is None:
        complain("Set SOUK_CATALOG_DATABASE_URL, or start the stack with `souk up`.", ExitCode.AWAY)
    return run.database_url


def _fits(kind: Any, value: str, what: str, *, shows: bool = True) -> None:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError as exc:
        shown = f" {value!r}" if shows else ""
        raise typer.BadParameter(f"{what}{shown}: {exc.errors(include_input=False)[0]['msg']}") from None
