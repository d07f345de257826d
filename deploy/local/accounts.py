"""The accounts that a fresh stack has, so that people and scripts can sign in at once."""

from pathlib import Path

from deploy.local.run_file import Accounts


async def seed(catalog_url: str, secrets: Path) -> Accounts | None:
    """Make the administrator, the operator, the channel and three vendors, or find them made.

    Passwords and keys are kept in `secrets`: the database holds only their hashes. Safe to run twice.
    """
    # CALL SITE of services.catalog.seed.seed_accounts: wire it here once the catalog provides it.
    return None
