"""Credentials at rest: sealed with AES-256-GCM under one key of the installation."""

import hashlib
import secrets
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from services.catalog.sync.errors import WrongVaultKey

_FORMAT: Final = b"\x01"
_KEY_ID_BYTES: Final = 4
_NONCE_BYTES: Final = 12


class Vault:
    """Seals and opens. A sealed value is bound to the source it belongs to: copied to another row it does not open.

    Layout: format 1, 4 bytes that tell the key, 12 of nonce, then the ciphertext with its tag. Nonces are random:
    far below 2^32 values are sealed with one key (NIST SP 800-38D, section 8.3).
    """

    def __init__(self, secret: str) -> None:
        key = HKDF(SHA256(), length=32, salt=None, info=b"souk stock sources").derive(secret.encode())
        self._cipher = AESGCM(key)
        self._head = _FORMAT + hashlib.sha256(key).digest()[:_KEY_ID_BYTES]

    def seal(self, value: bytes, *, source_id: UUID) -> bytes:
        """Encrypt for one source."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return self._head + nonce + self._cipher.encrypt(nonce, value, self._head + source_id.bytes)

    def open(self, sealed: bytes, *, source_id: UUID) -> bytes:
        """Decrypt. Raises `WrongVaultKey`, also for what was altered or belongs to another source."""
        head, rest = sealed[: len(self._head)], sealed[len(self._head) :]
        nonce, ciphertext = rest[:_NONCE_BYTES], rest[_NONCE_BYTES:]
        try:
            if head != self._head:
                raise InvalidTag
            return self._cipher.decrypt(nonce, ciphertext, head + source_id.bytes)
        except (InvalidTag, ValueError) as exc:
            raise WrongVaultKey("What is kept encrypted does not open with this installation's key.") from exc
