"""Settings and composition root of the mail sink."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from aiosmtpd.smtp import SMTP

from deploy.local.mailsink.mailbox import Mailbox
from deploy.local.mailsink.receiving import Receiver
from deploy.local.mailsink.refusals import Refusals
from deploy.local.mailsink.routes import make_app
from shared.settings import Environment, HttpUrl, Port

MAX_MAIL_BYTES = 25 * 1024 * 1024


class Settings(Environment):
    """`http_port` is the mailbox page, its API and `/readyz`; `public_url` is where pictures in mails may be."""

    smtp_host: str = "127.0.0.1"
    smtp_port: Port = 1025
    http_host: str = "127.0.0.1"
    http_port: Port = 8025
    state_dir: Path = Path(".souk/mail")
    public_url: HttpUrl = "http://127.0.0.1:8080"


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[None]:
    """Take mail and show it until the block ends."""
    loop = asyncio.get_running_loop()
    mailbox = await asyncio.to_thread(Mailbox.open, settings.state_dir)
    refusals = Refusals()
    receiver = Receiver(mailbox=mailbox, refusals=refusals)

    def session() -> SMTP:
        return SMTP(
            receiver,
            hostname="souk.localhost",
            ident="Souk mail sink",
            data_size_limit=MAX_MAIL_BYTES,
            enable_SMTPUTF8=True,
            loop=loop,
        )

    smtp = await loop.create_server(session, settings.smtp_host, settings.smtp_port)
    app = make_app(mailbox=mailbox, refusals=refusals, pictures_from=settings.public_url)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2)
    try:
        await runner.setup()
        await web.TCPSite(runner, settings.http_host, settings.http_port).start()
        yield
    finally:
        await runner.cleanup()
        smtp.close()
        await smtp.wait_closed()


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT."""
    asked_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked_to_stop.set)
    async with running(settings):
        await asked_to_stop.wait()
