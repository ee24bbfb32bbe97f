"""Keeps secrets encrypted in the database. The keys come from settings: CHANNEL_KEYS, and then SECRET_KEY.

The first key encrypts, and every key decrypts, so that keys can be changed without losing what is kept.
"""

import base64
import functools
import json
from collections.abc import Mapping

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


class CannotOpen(Exception):
    """What is kept cannot be decrypted by any key that is known now."""


def seal(secret: Mapping[str, str]) -> str:
    """Encrypt what a channel keeps secret."""
    return _box().encrypt(json.dumps(dict(secret)).encode()).decode()


def opened(sealed: str) -> dict[str, str]:
    """Decrypt what a channel keeps secret. Raises CannotOpen."""
    try:
        found: dict[str, str] = json.loads(_box().decrypt(sealed.encode()))
    except InvalidToken:
        raise CannotOpen(
            "its target cannot be decrypted by CHANNEL_KEYS or SECRET_KEY: add the key that was used before to "
            "CHANNEL_KEYS, or remove the channel, and add it anew"
        ) from None
    return found


def resealed(sealed: str) -> str:
    """Encrypt with the first key what any of the keys decrypts. Raises CannotOpen."""
    return seal(opened(sealed))


def _box() -> MultiFernet:
    return MultiFernet([_fernet(key) for key in (*settings.CHANNEL_KEYS, settings.SECRET_KEY)])


@functools.lru_cache(maxsize=8)
def _fernet(key: str) -> Fernet:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"tinyforge channels").derive(key.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
