"""Steps that are told through a pipe and shown at its other end."""

import io
import json

import pytest
from rich.console import Console

from deploy.local.steps import PipedSteps, TerminalSteps, relay_steps, step


def test_what_is_told_through_the_pipe_is_shown_at_its_other_end() -> None:
    pipe, shown = io.StringIO(), io.StringIO()
    told = PipedSteps(pipe)
    with step(told, "PostgreSQL"):
        pass
    with pytest.raises(ValueError, match="no"), step(told, "RabbitMQ"):
        raise ValueError("no")
    told.begin("Mail sink")
    told.complain("It did not start.")
    complaint = relay_steps(pipe.getvalue().splitlines(), TerminalSteps(Console(file=shown)))
    assert complaint == "It did not start."
    assert shown.getvalue().splitlines() == [
        "  PostgreSQL … 0.0 s",
        "  RabbitMQ … 0.0 s stopped",
        "  Mail sink … 0.0 s stopped",
    ]


def test_a_step_shows_how_far_it_has_come_and_leaves_a_line() -> None:
    shown = io.StringIO()
    steps = TerminalSteps(Console(file=shown, force_terminal=True, width=100, color_system=None))
    with step(steps, "Pictures"):
        steps.count("Pictures", 12, 48)
    assert "12 of 48" in shown.getvalue()
    assert "Pictures … 0.0 s\n" in shown.getvalue()


def test_a_stranger_at_the_pipe_is_refused() -> None:
    with pytest.raises(ValueError, match="told"):
        relay_steps([json.dumps({"hello": 1})], TerminalSteps(Console(file=io.StringIO())))
