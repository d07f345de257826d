"""A stand-in for a Souk process: `python -m … [behaviour]`, told everything by its environment."""

# ruff: noqa: TID251 - a program of its own

import http.server
import json
import os
import signal
import subprocess
import sys


class Answers(http.server.BaseHTTPRequestHandler):
    """`/readyz` answers 200 (503 when told to be late), `/environment` what this process was given."""

    def do_GET(self) -> None:
        body = json.dumps(dict(os.environ) if self.path == "/environment" else {}).encode()
        self.send_response(503 if "late" in sys.argv else 200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    if "broken" in sys.argv:
        sys.exit("this one can't start")
    if "stubborn" in sys.argv:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if "parent" in sys.argv:
        helper = subprocess.Popen(["sleep", "300"])
        print("helper", helper.pid, flush=True)
    http.server.HTTPServer(("127.0.0.1", int(os.environ["SOUK_OPS_PORT"])), Answers).serve_forever()


if __name__ == "__main__":
    main()
