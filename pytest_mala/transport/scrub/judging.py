"""What a rule's pattern can't say: whether a text looks made by a machine, and so may be a secret."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections import Counter
from typing import Final

__all__ = ["entropy", "is_key_block", "is_name_and_password", "is_random", "is_real_password", "is_strong"]

_ENTROPY_MIN: Final = 3.0
_BITS_PER_TOKEN: Final = 3.5
_WORD: Final = r"(?:(?:[A-Z]?[a-z]{2,}+\d{0,4}+|[A-Z]{2,}+\d{0,4}+)++|[A-Z]\d{0,4}+|[a-z]\d{0,4}+|\d{1,4}+)"
_WORDS: Final = re.compile(rf"{_WORD}(?:[^A-Za-z0-9]++{_WORD})*+[^A-Za-z0-9]*")
"""Words, also run together like in camelCase, and short numbers; nothing in it is tried twice."""

_CODE: Final = re.compile(r"[A-Za-z_$][\w$]*(?:(?:\.|->|::)[A-Za-z_$][\w$]*)+")
_ID: Final = re.compile(r"(?:srvtoolu|toolu|msg|req|call|session|resp|run)_.*")
_HEX: Final = re.compile(r"[0-9a-fA-F-]+")
_EXAMPLES: Final = frozenset(
    {
        "admin",
        "changeme",
        "database",
        "example",
        "guest",
        "hunter2",
        "pass",
        "passwd",
        "password",
        "postgres",
        "pw",
        "redis",
        "root",
        "secret",
        "test",
        "token",
        "user",
        "your-password",
        "your_password",
        "yourpassword",
    }
)
_MASK: Final = re.compile(r"[*.xX#_-]+|.*[$<>{}\[\]].*|%[A-Z_]+%|:.*")
_KEY_BODY: Final = re.compile(r"[A-Za-z0-9+/]{24}")


def entropy(text: str) -> float:
    """Shannon's entropy, in bits for each character.

    >>> entropy("aaaa"), entropy("abcd")
    (0.0, 2.0)
    """
    counts = Counter(text)
    return sum(count / len(text) * math.log2(len(text) / count) for count in counts.values())


def is_random(text: str) -> bool:
    """Whether the text, which somebody calls a password or token, is made of no words: letters and digits mixed, and no
    path, name in code, id of a frame, UUID or digest.

    >>> is_random("k3Jx9vQ2mT7w"), is_random("my-token-12"), is_random("toolu_01AbCdEf9Gh2"), is_random("b3f1" * 10)
    (True, False, False, False)
    """
    if len(text) < 10 or entropy(text) < _ENTROPY_MIN:
        return False
    if not (re.search(r"[0-9]", text) and re.search(r"[A-Za-z]", text)):
        return False
    if text.startswith(("/", "./", "../", "~/")) or "://" in text:
        return False
    return not any(known.fullmatch(text) for known in (_WORDS, _CODE, _ID, _HEX))


def is_strong(text: str) -> bool:
    """As `is_random`, with more entropy: for a token that only the word before it tells apart from prose."""
    return entropy(text) >= _BITS_PER_TOKEN and is_random(text)


def is_real_password(text: str) -> bool:
    """Whether a password in a URL is meant: not a word that documents write there, a mask or a variable.

    >>> [is_real_password(text) for text in ("password", "***", "$PASS", "s3cr-t9")]
    [False, False, False, True]
    """
    return text.lower() not in _EXAMPLES and _MASK.fullmatch(text) is None


def is_name_and_password(text: str) -> bool:
    """Whether the text is base64 of `name:password`.

    >>> is_name_and_password("dXNlcjpwYXNz"), is_name_and_password("authentication")
    (True, False)
    """
    try:
        decoded = base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    return b":" in decoded and all(32 <= byte < 127 for byte in decoded)


def is_key_block(text: str) -> bool:
    """Whether there is a key between the marks, and not a description of one."""
    return _KEY_BODY.search(text) is not None
