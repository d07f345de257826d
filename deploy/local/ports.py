"""Free ports on the loopback interface."""

import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

RANGE = range(20_000, 32_000)  # below what Linux hands out to outgoing connections


def free_port(preferred: int | None = None) -> int:
    """Return `preferred` if it is free, else any free port."""
    if preferred is not None:
        with socket.socket() as probe:
            if _bind(probe, preferred):
                return preferred
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Return that many different free ports. Drawn at random, so two clones hardly meet."""
    found: list[int] = []
    with ExitStack() as held:
        while len(found) < count:
            port = random.choice(RANGE)  # noqa: S311 (no secret)
            # Two sockets that reuse addresses may both hold a port until one listens: the list has to say so, too.
            if port not in found and _bind(held.enter_context(socket.socket()), port):
                found.append(port)
    return found


@contextmanager
def claimed(port: int) -> Iterator[bool]:
    """Whether the port is ours while the block runs: it is free, and no other stack is about to open it.

    Between the look for a free port and its opening other servers start for seconds, and two stacks may start side
    by side. The claim is a name in the kernel (an abstract socket, unix(7)), gone with its holder however that ends.
    """
    with socket.socket(socket.AF_UNIX) as claim:
        try:
            claim.bind(f"\0souk-port-{port}")
        except OSError:
            yield False
            return
        with socket.socket() as probe:
            is_free = _bind(probe, port)
        yield is_free


def answers(port: int, *, send: bytes = b"") -> bool:
    """Say whether something listens on the port and, if bytes are sent, answers them."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            if not send:
                return True
            connection.sendall(send)
            return bool(connection.recv(1))
    except OSError:
        return False


def _bind(probe: socket.socket, port: int) -> bool:
    """Try to take the port, as a server would (one in TIME_WAIT is free)."""
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True
