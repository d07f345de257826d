"""A vendor's stock sources: where stock is pulled from or pushed by, and what became of each run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from aiohttp import web

from services.catalog.access import actor_of
from services.catalog.answers import uuid_in_path
from services.catalog.pages import store
from services.catalog.pages.callers import vendor_of
from services.catalog.pages.forms import Form, fitted, read_form
from services.catalog.pages.paging import Paging
from services.catalog.pages.view import View, done
from services.catalog.pages.wording import counted
from services.catalog.sync.models import Cause, RunState, Source, SourceKind
from services.catalog.sync.schemas import ChangeBody, NamedSkusBody, SourceBody
from services.catalog.sync.store import MAX_SOURCES
from services.catalog.sync.usecases import Made, Sources
from services.catalog.versions import VersionMismatch
from shared.db.pool import Pool, connection
from shared.errors import Conflict, FieldError, InvalidInput

AT: Final = "/vendor/sync-sources"
A_PAGE: Final = 20
NAMED_AT_ONCE: Final = 50
INTERVALS: Final[Mapping[str, str]] = {
    "": "Only when I say so",
    "300": "Every 5 minutes",
    "900": "Every 15 minutes",
    "3600": "Every hour",
    "21600": "Every 6 hours",
    "86400": "Once a day",
}
DELIMITERS: Final[Mapping[str, str]] = {",": "Comma", ";": "Semicolon", "\t": "Tab", "|": "Bar"}
STATUS_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "active": ("Working", "good"),
    "failing": ("Failing", "bad"),
    "disabled": ("Switched off", "quiet"),
}
STATE_WORDS: Final[Mapping[RunState, tuple[str, str]]] = {
    RunState.QUEUED: ("Waits", "quiet"),
    RunState.RUNNING: ("Running", "info"),
    RunState.COMPLETED: ("Done", "good"),
    RunState.FAILED: ("Failed", "bad"),
    RunState.CANCELLED: ("Cancelled", "quiet"),
}
CAUSE_WORDS: Final[Mapping[Cause, str]] = {
    Cause.INTERVAL: "By its interval",
    Cause.HAND: "By hand",
    Cause.PUSH: "Pushed",
    Cause.JOB: "By the marketplace",
}
LAYOUT: Final = ("items", "sku", "quantity", "version", "delimiter")
REFUSED: Final = (InvalidInput, Conflict, VersionMismatch)
NEW: Final[Mapping[str, str]] = {
    "kind": "pull",
    "format": "json",
    "interval": "900",
    "layout_sku": "sku",
    "layout_quantity": "quantity",
    "layout_delimiter": ",",
    "credentials_header": "Authorization",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorSync:
    """`/vendor/sync-sources` and below."""

    view: View
    sources: Sources
    pool: Pool

    def routes(self) -> list[web.RouteDef]:
        """Register these."""
        one = f"{AT}/{{id}}"
        return [
            web.get(AT, self.list_own),
            web.get(f"{AT}/new", self.ask_new),
            web.post(f"{AT}/new", self.create),
            web.get(one, self.show),
            web.post(one, self.change),
            web.post(f"{one}/delete", self.delete),
            web.post(f"{one}/run", self.run),
            web.post(f"{one}/secret", self.renew_secret),
            web.get(f"{one}/runs/{{run_id}}", self.show_run),
            web.post(f"{one}/skus", self.name_skus),
        ]

    async def list_own(self, request: web.Request) -> web.Response:
        """All of them: there are few."""
        vendor_id = vendor_of(request)
        found = await self.sources.of_vendor(vendor_id, below=None, limit=MAX_SOURCES)
        async with connection(self.pool) as conn:
            last_runs = await store.last_runs(conn, vendor_id)
        return await self.view.page(
            request,
            "vendor/sources.html.jinja",
            sources=found,
            last_runs=last_runs,
            status_words=STATUS_WORDS,
            intervals=INTERVALS,
        )

    async def ask_new(self, request: web.Request) -> web.Response:
        """The empty form."""
        return await self._new(request, Form(NEW))

    async def create(self, request: web.Request) -> web.StreamResponse:
        """Keep it. What a push is signed with is shown by this answer and never again."""
        form = Form(await read_form(request))
        try:
            made = await self.sources.create(actor_of(request), fitted(SourceBody, _wanted(form.values)).new())
        except REFUSED as exc:
            return await self._new(request, form.refused(exc), status=422)
        if made.secret is not None:
            return await self._secret(request, made)
        said = "Kept. It is pulled now." if made.source.interval_seconds else "Kept. Pull it when you like."
        return done(_page_of(made.source.id), said)

    async def show(self, request: web.Request) -> web.Response:
        """A source with its runs and its form. Raises `SourceNotFound`."""
        source = await self.sources.one(actor_of(request), uuid_in_path(request))
        return await self._shown(request, source, Form(_as_form(source)))

    async def change(self, request: web.Request) -> web.StreamResponse:
        """Save it, if nobody saved in between."""
        form, actor, source_id = Form(await read_form(request)), actor_of(request), uuid_in_path(request)
        source = await self.sources.one(actor, source_id)
        try:
            given = fitted(ChangeBody, _changed(source, form.values)).given()
            await self.sources.change(actor, source_id, given, version=_version(form.values))
        except REFUSED as exc:
            return await self._shown(request, source, form.refused(exc), status=422)
        return done(_page_of(source_id), "Saved. It begins anew.")

    async def delete(self, request: web.Request) -> web.StreamResponse:
        """Give it up with its runs; the stock stays as it is."""
        await self.sources.delete(actor_of(request), uuid_in_path(request))
        return done(AT, "The source is gone. Your stock stays as it was.")

    async def run(self, request: web.Request) -> web.StreamResponse:
        """Pull now."""
        source_id = uuid_in_path(request)
        try:
            await self.sources.run(actor_of(request), source_id)
        except Conflict as exc:
            return done(_page_of(source_id), exc.detail, tone="warn")
        return done(_page_of(source_id), "It is being pulled.")

    async def renew_secret(self, request: web.Request) -> web.StreamResponse:
        """Another secret, shown by this answer and never again."""
        source_id = uuid_in_path(request)
        try:
            return await self._secret(request, await self.sources.renew_secret(actor_of(request), source_id))
        except Conflict as exc:
            return done(_page_of(source_id), exc.detail, tone="warn")

    async def show_run(self, request: web.Request) -> web.Response:
        """One run, with what could not be used. Raises `SourceNotFound`, `RunNotFound`."""
        actor, source_id = actor_of(request), uuid_in_path(request)
        source = await self.sources.one(actor, source_id)
        run = await self.sources.one_run(actor, source_id, uuid_in_path(request, "run_id"))
        return await self.view.page(
            request,
            "vendor/source_run.html.jinja",
            source=source,
            run=run,
            to_name=run.unmatched_skus[:NAMED_AT_ONCE],
            state_words=STATE_WORDS,
            cause_words=CAUSE_WORDS,
        )

    async def name_skus(self, request: web.Request) -> web.StreamResponse:
        """Say which products the source means by names of its own. Empty fields are left for later."""
        values, source_id = await read_form(request), uuid_in_path(request)
        pairs = [
            (values[f"external.{place}"], sku)
            for place in range(NAMED_AT_ONCE)
            if f"external.{place}" in values and (sku := values.get(f"sku.{place}", "").strip())
        ]
        if not pairs:
            return done(_page_of(source_id), "Nothing was named.", tone="warn")
        try:
            body = fitted(NamedSkusBody, {"items": [{"external_sku": name, "sku": sku} for name, sku in pairs]})
            names = [(item.external_sku, item.sku) for item in body.items]
            await self.sources.name_skus(actor_of(request), source_id, names)
        except InvalidInput as exc:
            wrong = ", ".join(error.detail for error in exc.errors if error.code == "unknown_product")
            return done(_page_of(source_id), f"{exc.detail} {wrong}".strip(), tone="warn")
        return done(_page_of(source_id), f"{counted(len(pairs), 'product')} named. The next run takes them.")

    async def _new(self, request: web.Request, form: Form, *, status: int = 200) -> web.Response:
        return await self.view.page(
            request,
            "vendor/new_source.html.jinja",
            http_status=status,
            form=form,
            intervals=INTERVALS,
            delimiters=DELIMITERS,
        )

    async def _shown(self, request: web.Request, source: Source, form: Form, *, status: int = 200) -> web.Response:
        paging = Paging(request, {})
        behind = paging.behind()
        below = None if behind is None else UUID(str(behind[0]))
        found = await self.sources.runs(actor_of(request), source.id, below=below, limit=A_PAGE + 1)
        seconds = str(source.interval_seconds or "")
        return await self.view.page(
            request,
            "vendor/source.html.jinja",
            http_status=status,
            source=source,
            form=form,
            listed=paging.listed(found, A_PAGE, lambda one: [str(one.id)]),
            is_in_hand=any(not run.is_over for run in found),
            intervals=INTERVALS if seconds in INTERVALS else {**INTERVALS, seconds: f"Every {seconds} seconds"},
            delimiters=DELIMITERS,
            status_words=STATUS_WORDS,
            state_words=STATE_WORDS,
            cause_words=CAUSE_WORDS,
        )

    async def _secret(self, request: web.Request, made: Made) -> web.Response:
        return await self.view.page(request, "vendor/source_secret.html.jinja", source=made.source, secret=made.secret)


def _page_of(source_id: UUID) -> str:
    return f"{AT}/{source_id}"


def _version(values: Mapping[str, str]) -> int:
    text = values.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


def _layout(values: Mapping[str, str]) -> dict[str, str]:
    """Where a document has what; what was left empty is at its default."""
    given = {name: values[f"layout_{name}"] for name in LAYOUT if values.get(f"layout_{name}", "") != ""}
    return {name: value if name == "delimiter" else value.strip() for name, value in given.items()}


def _credentials(values: Mapping[str, str]) -> dict[str, str] | None:
    value = values.get("credentials_value", "").strip()
    return {"header": values.get("credentials_header", "").strip(), "value": value} if value else None


def _interval(values: Mapping[str, str]) -> int | None:
    """Raises `InvalidInput` for what is no number of seconds."""
    text = values.get("interval", "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise InvalidInput("The interval does not fit.", errors=[FieldError("/interval", "int", "choose one")])
    return int(text)


def _wanted(values: Mapping[str, str]) -> dict[str, Any]:
    """A new source as the API takes it; of a push what only a pull has is left out."""
    wanted: dict[str, Any] = {
        "name": values.get("name", ""),
        "kind": values.get("kind", ""),
        "format": values.get("format", ""),
        "layout": _layout(values),
    }
    if wanted["kind"] == SourceKind.PUSH:
        return wanted
    return wanted | {
        "url": values.get("url", "").strip() or None,
        "credentials": _credentials(values),
        "interval_seconds": _interval(values),
    }


def _changed(source: Source, values: Mapping[str, str]) -> dict[str, Any]:
    """The form as the API takes a change. Credentials stay unless others are typed or they are given up."""
    layout = _layout(values)
    if source.layout.version is not None:  # what versions are cannot change, and its field is shown only
        layout["version"] = source.layout.version
    changed: dict[str, Any] = {
        "name": values.get("name", ""),
        "format": values.get("format", ""),
        "layout": layout,
        "enabled": "enabled" in values,
    }
    if source.kind is SourceKind.PUSH:
        return changed
    changed |= {"url": values.get("url", "").strip(), "interval_seconds": _interval(values)}
    if (credentials := _credentials(values)) is not None or "forget_credentials" in values:
        changed["credentials"] = credentials
    return changed


def _as_form(source: Source) -> dict[str, str]:
    """A source as its form shows it; never a secret."""
    return {
        "name": source.name,
        "format": source.format.value,
        "url": source.url or "",
        "interval": str(source.interval_seconds or ""),
        "credentials_header": "Authorization",
        "enabled": "on" if source.is_enabled else "",
        "version": str(source.version),
        **{f"layout_{name}": getattr(source.layout, name) or "" for name in LAYOUT},
    }
