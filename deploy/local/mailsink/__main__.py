"""`python -m deploy.local.mailsink`: one process, an SMTP port and an HTTP port."""

import asyncio

from deploy.local.mailsink.app import Settings, serve

if __name__ == "__main__":
    asyncio.run(serve(Settings.read()))
