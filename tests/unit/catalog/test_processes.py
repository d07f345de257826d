"""`python -m services.catalog …`."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("arguments", [[], ["gatway"], ["gateway", "relay"]])
def test_a_wrong_argument_gets_one_sentence_and_exit_code_2(arguments: list[str]) -> None:
    ended = subprocess.run([sys.executable, "-m", "services.catalog", *arguments], capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr == "Say which process: python -m services.catalog gateway|relay|worker\n"
