"""The accounts that a fresh stack has, so that people and scripts can sign in at once."""

from pathlib import Path

from deploy.local.run_file import Account, Accounts, Channel, Vendor
from services.catalog.seed import SeededAccount, seed_accounts
from shared.secret_files import kept_secret


async def seed(catalog_url: str, secrets: Path) -> Accounts:
    """Make the administrator, the operator, the channel and three vendors, or find them made.

    Passwords and keys are kept in `secrets`: the database holds only their hashes. Safe to run twice.
    """
    seeded = await seed_accounts(catalog_url, secret_of=lambda name: kept_secret(secrets / f"account-{name}"))
    return Accounts(
        admin=_account(seeded.admin),
        ops=_account(seeded.ops),
        channel=Channel(api_key=seeded.channel_api_key),
        vendors=tuple(
            Vendor(**_account(vendor).model_dump(), vendor_id=str(vendor.vendor_id)) for vendor in seeded.vendors
        ),
    )


def _account(seeded: SeededAccount) -> Account:
    return Account(email=seeded.email, password=seeded.password, api_key=seeded.api_key)
