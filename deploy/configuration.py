"""Who reads which setting; `docs/configuration.md` is rendered from it, and `souk config` looks into it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from deploy.cli.settings import CommandSettings
from services.catalog.settings import GatewaySettings, WorkerSettings
from services.catalog.settings import Settings as CatalogSettings
from services.imaging.settings import Settings as ImagingSettings
from services.jobs.settings import Settings as JobsSettings
from services.notifier.settings import Settings as NotifierSettings
from services.reporting.settings import Settings as ReportingSettings
from services.scheduler.settings import Settings as SchedulerSettings
from shared.setting import PREFIX, Setting, described
from shared.settings import Environment, ServiceSettings

COMMAND: Final = "souk"
PROCESSES: Final[Mapping[str, type[Environment]]] = {
    "gateway": GatewaySettings,
    "relay": CatalogSettings,
    "catalog-worker": WorkerSettings,
    "jobs-api": JobsSettings,
    "ledger": JobsSettings,
    "notifier": NotifierSettings,
    "imaging": ImagingSettings,
    "reporting": ReportingSettings,
    "scheduler": SchedulerSettings,
}
"""The nine processes."""
READERS: Final[Mapping[str, type[Environment]]] = {**PROCESSES, COMMAND: CommandSettings}
"""The processes and the command."""

INTRODUCTION: Final = f"""\
# Configuration

<!-- Rendered from the settings classes by `make docs`. Change those (services/*/settings.py), not this page. -->

Every process is configured by environment variables alone, read once when it starts. What does not fit is refused
then, all of it at once: the name, the value (never a secret's) and what is allowed. A `SOUK_` name that nobody reads is
refused too, with the one that was probably meant; one that another process reads is let pass, so that all of them can
be given the same file.

- A **secret** can be given as the path of a file that holds it: `SOUK_X_FILE` instead of `SOUK_X`. If both are given,
  `SOUK_X` is taken. No secret has a default.
- An empty variable is as good as none. Lists and objects are JSON. Numbers are in the unit that the name ends with.
- `souk config check` says everything that is wrong with an environment or an env file, for one process or all;
  with `--connect` it also tries every address. `souk config list` shows what a process would take.

```
$ souk config check --process notifier --env-file notifier.env
notifier: SOUK_NOTIFIER_KEY: missing; needed: random text of at least 32 characters, the same at both ends, here or in
          the file that SOUK_NOTIFIER_KEY_FILE names.
notifier: SOUK_SMTP_TLS: "ssl" is not accepted; allowed: none or starttls or tls.
notifier: SOUK_MAIL_FORM: there is no such setting; did you mean SOUK_MAIL_FROM?
```

Told by other names: the object store's credentials are the usual `AWS_…` variables. `make up` and `make demo` set all
of this themselves; there `{PREFIX}HOME` moves the folder, and the variables under [the one-machine
stack](#the-one-machine-stack) change it.
"""
EVERYWHERE: Final = "every process"
PASSED_ON: Final = (
    "RETRY_TIERS",
    "TIME_ZONE",
    "SCHEDULE_FILE",
    "MAIL_FROM",
    "OUTBOUND_ALLOW",
    "LOG_LEVEL",
    "OTLP_ENDPOINT",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A setting and who reads it."""

    setting: Setting
    readers: tuple[str, ...]
    required_by: tuple[str, ...]


def entries() -> list[Entry]:
    """Every setting once: first those that all processes read, then the others by name."""
    found: dict[str, list[tuple[str, Setting]]] = {}
    for reader, model in READERS.items():
        for setting in described(model).values():
            found.setdefault(setting.name, []).append((reader, setting))
    every = [_entry(told) for told in found.values()]
    common = set(described(ServiceSettings))
    order = list(common_order())
    return sorted(
        every,
        key=lambda entry: (
            (0, order.index(entry.setting.field)) if entry.setting.field in common else (1, 0),
            entry.setting.name,
        ),
    )


def common_order() -> Iterable[str]:
    """The settings of every process as they are written down."""
    return described(ServiceSettings)


def configuration_page() -> str:
    """The whole page."""
    common = set(common_order())
    first = [entry for entry in entries() if entry.setting.field in common]
    others = [entry for entry in entries() if entry.setting.field not in common]
    return "\n".join(
        [
            INTRODUCTION,
            "## Every process\n",
            *_table(first),
            "\n## Some processes\n",
            *_table(others),
            "\n## The one-machine stack\n",
            f"`souk up` and `souk demo` pass on to the processes: {_names(PREFIX + name for name in PASSED_ON)}; the "
            "rest they decide themselves.\n",
        ]
    )


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _entry(told: list[tuple[str, Setting]]) -> Entry:
    required = tuple(reader for reader, setting in told if setting.default is None)
    return Entry(told[0][1], tuple(reader for reader, _ in told), required)


def _table(rows: Iterable[Entry]) -> Iterable[str]:
    yield "| setting | is | allowed | default | read by |\n|---|---|---|---|---|"
    for entry in rows:
        setting = entry.setting
        name = f"`{setting.name}`" + (" (secret)" if setting.is_secret else "")
        unit = f" ({setting.unit})" if setting.unit else ""
        allowed = setting.allowed.replace("|", "\\|")
        yield f"| {name} | {setting.about} | {allowed}{unit} | {_default(entry)} | {_readers(entry)} |"


def _default(entry: Entry) -> str:
    if entry.required_by:
        everybody = entry.required_by == tuple(name for name in entry.readers if name != COMMAND)
        return "**must be given**" + ("" if everybody else f" to {', '.join(entry.required_by)}")
    default = entry.setting.default
    if entry.setting.field == "home":
        return "`.souk` in the clone"
    return f"`{default}`" if default else "none"


def _readers(entry: Entry) -> str:
    if set(PROCESSES) <= set(entry.readers):
        return EVERYWHERE + (", souk" if COMMAND in entry.readers else "")
    return ", ".join(entry.readers)
