"""`souk migrate`: schemas, roles and migrations of every service."""

import asyncio

from deploy.cli.api import command_settings
from deploy.cli.failures import EXPECTED
from deploy.cli.shown import AsJson, ExitCode, complain, out, print_json
from deploy.local.home import Home
from deploy.local.run_file import RunFile
from deploy.local.settings import CLONE
from shared.db import migrate as migrations


def migrate(as_json: AsJson = False) -> None:
    """Bring the database of SOUK_DATABASE_URL, or of the running stack, up to date. Safe to run twice."""
    settings = command_settings()
    home = Home(settings.home)
    run = RunFile.read(home.run_file)
    given = settings.database_url.get_secret_value() if settings.database_url else None
    url = given or (run.database_url if run else None)
    if url is None:
        complain("Set SOUK_DATABASE_URL, or start the stack with `souk up`.", ExitCode.AWAY)
    services = migrations.discover(CLONE / "services")
    try:
        asyncio.run(migrations.migrate(url, services, secrets_dir=home.secrets, given=settings.given_database_urls))
    except EXPECTED as failure:
        complain(str(failure), ExitCode.FAILED)
    names = [each.service for each in services]
    if as_json:
        print_json({"migrated": names})
    else:
        out.print(f"Up to date: {', '.join(names)}.")
