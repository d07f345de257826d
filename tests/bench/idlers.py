"""Clients that ask once and stay: `python -m tests.bench.idlers PORT COUNT PATH`.

Says `ready` when each has had the beginning of its answer, and goes when its stdin is closed.
"""

import asyncio
import resource
import sys

import uvloop

AT_ONCE = 100


async def main(port: int, count: int, path: str) -> None:
    """Connect, ask, stay."""
    connecting = asyncio.Semaphore(AT_ONCE)
    kept: list[asyncio.StreamWriter] = []

    async def stay() -> None:
        async with connecting:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            status = await reader.readline()
            assert status.split()[1] == b"200", status
            kept.append(writer)

    await asyncio.gather(*(stay() for _ in range(count)))
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
