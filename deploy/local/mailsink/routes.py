"""HTTP edge of the mail sink: the mailbox page and the API that tests read."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID

from aiohttp import hdrs, web
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from yarl import URL

from deploy.local.mailsink.mailbox import Content, Mail, Mailbox
from deploy.local.mailsink.refusals import Refusals

View = Literal["html", "text", "headers", "raw"]
VIEWS: tuple[View, ...] = ("html", "text", "headers", "raw")

# A page elsewhere whose name resolves to loopback (DNS rebinding) comes with its own Host and is refused.
OWN_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data: {pictures_from}; "
    "frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
)

MAILBOX = web.AppKey("mailbox", Mailbox)
REFUSALS = web.AppKey("refusals", Refusals)
TEMPLATES = web.AppKey("templates", Environment)
PICTURES_FROM = web.AppKey("pictures_from", str)


class RefusalsBody(BaseModel):
    """`PUT /api/refusals`: whom to turn away and with which words. An empty list takes everyone again."""

    model_config = ConfigDict(extra="forbid", strict=True)

    addresses: list[str] = Field(max_length=1000)
    reply: Annotated[str, StringConstraints(pattern=r"^[45]\d\d [ -~]{1,200}$")] = "451 4.3.0 Try again later"


def make_app(*, mailbox: Mailbox, refusals: Refusals, pictures_from: str) -> web.Application:
    """The application. `pictures_from` is the one origin that mails may load pictures from."""
    app = web.Application(middlewares=[_own_host_only, _with_policy])
    app[MAILBOX] = mailbox
    app[REFUSALS] = refusals
    app[PICTURES_FROM] = str(URL(pictures_from).origin())
    app[TEMPLATES] = _templates()
    app.add_routes(
        [
            web.get("/", mailbox_page),
            web.get("/messages/{id}", mailbox_page),
            web.get("/messages/{id}/html", mail_html),
            web.get("/api/messages", list_mails),
            web.delete("/api/messages", clear_mails),
            web.get("/api/messages/{id}", get_mail),
            web.get("/api/refusals", get_refusals),
            web.put("/api/refusals", put_refusals),
            web.get("/healthz", ready),
            web.get("/readyz", ready),
            web.static("/static", Path(__file__).with_name("static")),
        ]
    )
    return app


def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("deploy.local.mailsink"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["clock"] = lambda at: at.astimezone().strftime("%H:%M:%S")
    templates.filters["moment"] = lambda at: at.astimezone().strftime("%-d %B %Y, %H:%M:%S %Z")
    templates.filters["with_values"] = lambda fields: {key: each for key, each in fields.items() if each}
    return templates


# -- the page ---------------------------------------------------------------------------------------


async def mailbox_page(request: web.Request) -> web.Response:
    """The list, and beside it the chosen mail or the newest."""
    mailbox = request.app[MAILBOX]
    query = request.query.get("q", "")
    mails, older = mailbox.page(query=query, before=_id_or_none(request.query.get("before")))
    chosen = _mail(request) if "id" in request.match_info else (mails[0] if mails else None)
    content = await asyncio.to_thread(mailbox.content_of, chosen) if chosen else None
    html = (
        request.app[TEMPLATES]
        .get_template("mailbox.jinja")
        .render(
            mails=mails,
            older=older,
            query=query,
            total=len(mailbox),
            chosen=chosen,
            opened="id" in request.match_info,
            content=content,
            view=_view(request.query.get("view"), content),
            views=VIEWS,
        )
    )
    return web.Response(text=html, content_type="text/html")


async def mail_html(request: web.Request) -> web.Response:
    """The mail's own HTML for the sandboxed frame: no script, no forms, links open elsewhere."""
    content = await _content(request)
    return web.Response(
        text=f'<base target="_blank">{content.html}',
        content_type="text/html",
        charset="utf-8",
        headers={"Content-Security-Policy": MAIL_POLICY.format(pictures_from=request.app[PICTURES_FROM])},
    )


# -- the API ----------------------------------------------------------------------------------------


async def list_mails(request: web.Request) -> web.Response:
    """Newest first, whole. `q` searches subject, sender and recipients; `limit` 1..1000, `cursor`."""
    limit = request.query.get("limit", "100")
    if not (limit.isdecimal() and 1 <= int(limit) <= 1000):
        return _problem(422, "limit is a number from 1 to 1000")
    mailbox = request.app[MAILBOX]
    mails, older = mailbox.page(
        query=request.query.get("q", ""),
        before=_id_or_none(request.query.get("cursor")),
        limit=int(limit),
    )
    items = await asyncio.to_thread(lambda: [_shown(each, mailbox.content_of(each)) for each in mails])
    return web.json_response({"items": items, "next": str(older) if older else None})


async def get_mail(request: web.Request) -> web.Response:
    """One mail in the shape of the list, and its raw source."""
    content = await _content(request)
    return web.json_response({**_shown(_mail(request), content), "raw": content.raw})


async def clear_mails(request: web.Request) -> web.Response:
    """Throw all mails away."""
    return web.json_response({"deleted": await asyncio.to_thread(request.app[MAILBOX].clear)})


async def get_refusals(request: web.Request) -> web.Response:
    """The reply by refused address."""
    return web.json_response(request.app[REFUSALS].all())


async def put_refusals(request: web.Request) -> web.Response:
    """Refuse these recipients from now on, and nobody else."""
    try:
        body = RefusalsBody.model_validate_json(await request.read())
    except ValidationError as wrong:
        return _problem(422, str(wrong))
    request.app[REFUSALS].replace(body.addresses, body.reply)
    return web.json_response(request.app[REFUSALS].all())


async def ready(request: web.Request) -> web.Response:
    """The SMTP port is opened before the HTTP port, so an answer means that both are."""
    return web.json_response({"status": "ok", "mails": len(request.app[MAILBOX])})


# -- what they share --------------------------------------------------------------------------------


def _shown(mail: Mail, content: Content) -> dict[str, object]:
    return {
        "id": str(mail.id),
        "subject": mail.subject,
        "from": mail.sender,
        "to": list(mail.recipients),
        "message_id": mail.message_id,
        "received_at": mail.received_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "text": content.text,
        "html": content.html,
        "headers": dict(content.headers),
    }


def _view(asked: str | None, content: Content | None) -> View:
    """The view that was asked for, or the best that the mail has."""
    for view in VIEWS:
        if view == asked:
            return view
    return "html" if content is None or content.html else "text"


def _id_or_none(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


def _mail(request: web.Request) -> Mail:
    identifier = _id_or_none(request.match_info["id"])
    mail = request.app[MAILBOX].get(identifier) if identifier else None
    if mail is None:
        raise web.HTTPNotFound(text="There is no such mail (any more).")
    return mail


async def _content(request: web.Request) -> Content:
    return await asyncio.to_thread(request.app[MAILBOX].content_of, _mail(request))


def _problem(status: int, detail: str) -> web.Response:
    return web.json_response(
        {"status": status, "detail": detail},
        status=status,
        content_type="application/problem+json",
    )


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def _own_host_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    if URL(f"http://{request.host}").host not in OWN_HOSTS:
        raise web.HTTPMisdirectedRequest(text="This mailbox answers on loopback names only.")
    return await handler(request)


@web.middleware
async def _with_policy(request: web.Request, handler: Handler) -> web.StreamResponse:
    response = await handler(request)
    response.headers.setdefault("Content-Security-Policy", PAGE_POLICY)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    response.headers.setdefault(hdrs.CACHE_CONTROL, "no-store")
    return response
