"""Free ports, really free."""

import socket

import pytest

from deploy.local import ports
from deploy.local.ports import answers, claimed, free_port, free_ports


def test_ports_are_different_and_can_be_taken() -> None:
    found = free_ports(20)
    assert len(set(found)) == 20
    assert sum(map(_can_be_taken, found)) >= 18  # a neighbour on the machine may take one meanwhile


def test_a_port_drawn_twice_is_given_once(monkeypatch: pytest.MonkeyPatch) -> None:
    few = sorted(free_ports(4))
    monkeypatch.setattr(ports, "RANGE", few)
    for _ in range(10):
        assert len(set(free_ports(2))) == 2


def _can_be_taken(port: int) -> bool:
    with socket.socket() as server:
        try:
            server.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def test_the_preferred_port_is_given_when_it_is_free() -> None:
    port = free_port()
    assert free_port(port) == port
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert free_port(port) != port
        assert answers(port)
    assert not answers(port)


def test_a_claimed_port_is_nobody_elses_until_the_claim_ends() -> None:
    port = free_port()
    with claimed(port) as first:
        with claimed(port) as second:
            assert (first, second) == (True, False)
        with socket.socket() as server:  # the holder can open it
            server.bind(("127.0.0.1", port))
    with claimed(port) as again:
        assert again


def test_a_port_that_somebody_has_open_is_not_to_be_claimed() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with claimed(taken.getsockname()[1]) as ours:
            assert not ours
