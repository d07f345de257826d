"""Every secret of an installation as a file, made up once: what `deploy/compose.yaml` mounts.

The folder is closed to everybody else (0700). The files in it are readable (0444), because a container's account is
not the one that made them, and Compose passes them on as they are.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from deploy.local.programs import BLUEPRINTS, SERVICES
from deploy.local.rabbitmq import ALL, MONITOR, NOTHING, BrokerUser, definitions
from shared.messaging import topology
from shared.secret_files import kept_secret

DATABASE: Final = "souk"
VHOST: Final = "souk"
ADMINISTRATOR: Final = "souk"
TOPOLOGY: Final = "topology"
"""The broker account of the one-shot `souk topology apply`."""
MANAGEMENT_PORT: Final = 15672
KEYS: Final = (*(f"{service}-key" for service in SERVICES), "sync-key", "vapid-key")
SCHEMAS: Final = tuple(sorted({blueprint.schema for blueprint in BLUEPRINTS if blueprint.schema}))


def make_secrets(folder: Path, *, database_host: str = "postgres", broker_host: str = "rabbitmq") -> list[Path]:
    """Write what is missing, and what follows from it anew; returns the files. Safe to run twice.

    A secret that is there stays as it is: put one of your own into its place before or after. Passwords are random
    text that needs no escaping in an address.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return sorted(_database(folder, database_host) + _broker(folder, broker_host) + _keys(folder))


def broker_users(passwords: Mapping[str, str]) -> list[BrokerUser]:
    """The broker's accounts: for people, for the topology, for figures, and one per process with its rights."""
    all_of_it = topology.permissions("ledger")
    users = [
        BrokerUser(ADMINISTRATOR, passwords[ADMINISTRATOR], ALL, ALL, ALL, tags=("administrator",)),
        BrokerUser(TOPOLOGY, passwords[TOPOLOGY], all_of_it.configure, all_of_it.write, all_of_it.read),
        BrokerUser(MONITOR, passwords[MONITOR], NOTHING, NOTHING, NOTHING, tags=("monitoring",)),
    ]
    for blueprint in BLUEPRINTS:
        may = topology.permissions(blueprint.name)
        users.append(BrokerUser(blueprint.name, passwords[blueprint.name], may.configure, may.write, may.read))
    return users


def _database(folder: Path, host: str) -> list[Path]:
    password = _kept(folder / "postgres-password")
    made = [_derived(folder / "database.url", _database_url(DATABASE, password, host)), folder / "postgres-password"]
    for schema in SCHEMAS:
        role = f"{DATABASE}_{schema}"  # as `souk migrate` names it, and looks for its password
        kept = folder / f"database-{role}"
        made += [kept, _derived(folder / f"{schema}-database.url", _database_url(role, _kept(kept), host))]
    return made


def _broker(folder: Path, host: str) -> list[Path]:
    names = (ADMINISTRATOR, TOPOLOGY, MONITOR, *(blueprint.name for blueprint in BLUEPRINTS))
    passwords = {name: _kept(folder / f"broker-{name}") for name in names}
    users = broker_users(passwords)
    urls = [
        _derived(folder / f"broker-{name}.url", f"amqp://{name}:{password}@{host}:5672/{VHOST}")
        for name, password in passwords.items()
        if name != MONITOR
    ]
    urls.append(
        _derived(folder / f"broker-{MONITOR}.url", f"http://{MONITOR}:{passwords[MONITOR]}@{host}:{MANAGEMENT_PORT}")
    )
    loaded = _derived(folder / "definitions.json", json.dumps(definitions(users, (VHOST,)), indent=1))
    return [*(folder / f"broker-{name}" for name in names), *urls, loaded]


def _keys(folder: Path) -> list[Path]:
    for name in KEYS:
        _kept(folder / name)
    return [folder / name for name in KEYS]


def _database_url(role: str, password: str, host: str) -> str:
    return f"postgresql://{role}:{password}@{host}:5432/{DATABASE}"


def _kept(path: Path) -> str:
    secret = kept_secret(path)
    path.chmod(0o444)
    return secret


def _derived(path: Path, content: str) -> Path:
    """Replace a file whole, so that nobody reads half of it."""
    draft = path.with_name(f".{path.name}.new")
    draft.write_text(content)
    draft.chmod(0o444)
    draft.replace(path)
    return path
