"""What is sealed opens with its key, for its source, unaltered; else not at all."""

import pytest

from services.catalog.sync.errors import WrongVaultKey
from services.catalog.sync.vault import Vault
from shared.ids import new_id

SOURCE = new_id()
VAULT = Vault("k" * 32)


def test_what_is_sealed_opens_and_does_not_show() -> None:
    sealed = [VAULT.seal(b"hunter2", source_id=SOURCE) for _ in range(2)]
    assert sealed[0] != sealed[1]
    assert all(b"hunter2" not in one and VAULT.open(one, source_id=SOURCE) == b"hunter2" for one in sealed)
    assert Vault("k" * 32).open(sealed[0], source_id=SOURCE) == b"hunter2"


def test_another_key_another_source_or_another_byte_opens_nothing() -> None:
    sealed = VAULT.seal(b"hunter2", source_id=SOURCE)
    with pytest.raises(WrongVaultKey):
        Vault("l" * 32).open(sealed, source_id=SOURCE)
    with pytest.raises(WrongVaultKey):
        VAULT.open(sealed, source_id=new_id())
    for place in range(len(sealed)):
        altered = bytearray(sealed)
        altered[place] ^= 1
        with pytest.raises(WrongVaultKey):
            VAULT.open(bytes(altered), source_id=SOURCE)
    for length in range(len(sealed)):
        with pytest.raises(WrongVaultKey):
            VAULT.open(sealed[:length], source_id=SOURCE)
