"""The secrets that the recording machine knows, and the forms in which each of them may turn up."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["CANARY", "SHORTEST", "Form", "forms_of", "known_values", "slug"]

SHORTEST: Final = 8
"""A shorter value would be found in innocent text."""

CANARY: Final = 'sings/loud+"clear" = 7 & \u00e9, in its cage'
"""A known value that every scrubber has, and that opens nothing: it looks different in each form, and has no shape."""

_SECRET_NAME: Final = re.compile(
    r"KEY(?!BOARD|MAP|RING)|TOKEN(?!IZER)|SECRET|PASSW|PASSPHRASE|CREDENTIAL|AUTH(?!ORS?(?:_|$))|COOKIE|BEARER|JWT|WEBHOOK"
    r"|_DSN$|_PWD$|_PASS$|PGPASS|CONNECTION_STRING|PRIVATE",
    re.IGNORECASE,
)
_NO_SECRET_NAME: Final = re.compile(
    r"_(?:FILE|PATH|DIR|SOCK|PROVIDER|TYPE|MODE|METHOD|BACKEND|LEVEL|NAME|USER|HOST|REGION|ALGORITHM|ENABLED|TIMEOUT)$"
    r"|(?<!WEBHOOK)_UR[IL]$|^GIT_CONFIG_KEY_|^GOOGLE_APPLICATION_CREDENTIALS$",
    re.IGNORECASE,
)
_PATH: Final = re.compile(r"(?:/|~/|\./|[A-Za-z]:\\)[\w.@ -]+(?:[/\\][\w.@ -]+)+[/\\]?")
_SCHEME: Final = re.compile(r"(?:Bearer|Basic|Token)\s+", re.IGNORECASE)
_LINE_MIN: Final = 16
_MARK: Final = "-----"


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One way in which a value may be written. `is_base64`: a part of a longer run, which has to go as a whole."""

    name: str
    text: str
    is_base64: bool = False


def known_values(environment: Mapping[str, str], *, public: Iterable[str] = ()) -> tuple[str, ...]:
    """The secrets among the variables of a process, or the headers of a request: those whose name says so.

    They have 8 characters or more. Not those that name a file, and none that is part of a `public` value: what a
    cassette has a name for, and keys that open nothing. Of a value with several lines, each longer line counts too: a
    log shows them one by one.

    >>> known_values({"API_TOKEN": "abcdefgh1", "PATH": "/usr/bin:/bin", "AUTHOR": "Somebody Else", "KEY": "short"})
    ('abcdefgh1',)
    """
    shown = tuple(public)
    found: dict[str, None] = {}
    for name, value in environment.items():
        if not _SECRET_NAME.search(name) or _NO_SECRET_NAME.search(name):
            continue
        value = _SCHEME.sub("", value.strip())
        lines = [line.strip() for line in value.splitlines() if len(line.strip()) >= _LINE_MIN and _MARK not in line]
        for one in (value, *lines):
            if len(one) >= SHORTEST and not _is_harmless(name, one) and not any(one in text for text in shown):
                found[one] = None
    return tuple(sorted(found, key=lambda one: (-len(one), one)))


def _is_harmless(name: str, value: str) -> bool:
    """A path names where a secret is; a number with TOKENS in its name is a limit."""
    return _PATH.fullmatch(value) is not None or ("TOKENS" in name.upper() and value.isdigit())


def forms_of(value: str, hidden: str | None = None) -> tuple[Form, ...]:
    """How the value looks in texts, each look once: as it is, escaped for JSON (up to four times: a frame is one
    of them), for URLs, as a name
    of a folder of the CLI, as hexadecimal digits, and in base64 at each of the three places in a group of bytes.

    `hidden` is the value after names took the place of paths in it.

    >>> [form.name for form in forms_of("abc/defgh")]
    ['raw', 'url', 'url', 'slug', 'hex', 'base64-0', 'base64-1', 'base64-2']
    """
    made = [("raw", value)]
    if hidden is not None:
        made.append(("hidden", hidden))
    for ascii_only in (True, False):
        text = value
        for number in (1, 2, 3, 4):
            text = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
            made.append((f"json-{number}", text))
    encoded = [quote(value, safe="/", errors="replace"), quote(value, safe="", errors="replace")]
    encoded.append(quote_plus(value, errors="replace"))
    made += [("url", text) for text in encoded]
    made += [("url", re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), text)) for text in encoded]
    if sum(letter.isalnum() for letter in value) >= SHORTEST:
        made.append(("slug", slug(value)))
    data = value.encode("utf-8", "replace")
    made.append(("hex", data.hex()))
    forms: dict[str, Form] = {}
    for name, text in made:
        forms.setdefault(text, Form(name=name, text=text))
    return (*forms.values(), *_base64_forms(data))


def slug(text: str) -> str:
    """As the CLI makes the name of a folder from a path: all but ASCII letters and digits becomes `-`."""
    return re.sub(r"[^A-Za-z0-9]", "-", text)


def _base64_forms(data: bytes) -> tuple[Form, ...]:
    """The characters that don't depend on what stands beside the value, for each of its places in a group of three."""
    forms: dict[str, Form] = {}
    for place in range(3):
        text = base64.b64encode(bytes(place) + data).decode()
        sure = text[(8 * place + 5) // 6 : 8 * (place + len(data)) // 6]
        for one in (sure, sure.replace("+", "-").replace("/", "_")):
            forms.setdefault(one, Form(name=f"base64-{place}", text=one, is_base64=True))
    return tuple(forms.values())
