"""JSON values of a cassette: readable and editable text where possible, base64 where not, and read strictly."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Fields", "decode", "encode", "is_readable", "pack", "put"]

T = TypeVar("T")

_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
"""What an editor hides or changes: control characters, separators, byte order marks, bytes that are not UTF-8."""

_ID = re.compile("[0-9a-f]{40}")


def decode(data: bytes) -> str:
    """Bytes as text that loses nothing: what is not UTF-8 becomes lone surrogates."""
    return data.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    """The inverse of `decode`."""
    return text.encode("utf-8", "surrogateescape")


def is_readable(text: str, *, one_line: bool = False) -> bool:
    """Whether the text can stand in a file that people edit.

    >>> is_readable("a\\n"), is_readable("a\\n", one_line=True), is_readable(decode(b"\\xe4"))
    (True, False, False)
    """
    return not _UNREADABLE.search(text) and not (one_line and re.search("[\n\r\t]", text))


def pack(data: bytes) -> str:
    """Bytes as base64 text."""
    return base64.b64encode(data).decode("ascii")


def put(data: dict[str, Any], key: str, text: str, *, one_line: bool = False) -> None:
    """Set `key`, or `<key>64` if the text is not readable."""
    if is_readable(text, one_line=one_line):
        data[key] = text
    else:
        data[key + "64"] = pack(encode(text))


class Fields:
    """The keys of one JSON object, taken one by one; errors (type, missing, left over) name their place."""

    def __init__(self, place: str, data: Any) -> None:
        if not isinstance(data, dict):
            raise ValueError(f"{place}: expected a mapping, got {type(data).__name__}")
        self._place = place
        self._left = dict(data)
        self._known: list[str] = []

    def error(self, key: str, what: str) -> ValueError:
        return ValueError(f"{self._place}.{key}: {what}")

    def has(self, key: str) -> bool:
        return key in self._left

    def take(self, key: str, *kinds: type) -> Any:
        self._known.append(key)
        if key not in self._left:
            raise ValueError(f"{self._place}: {key!r} is missing")
        value = self._left.pop(key)
        # a bool is an int in Python, never in a cassette
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            names = " or ".join("null" if kind is type(None) else kind.__name__ for kind in kinds)
            raise self.error(key, f"expected {names}, got {value!r}")
        return value

    def check_id(self, key: str, value: Any) -> str:
        if not isinstance(value, str) or _ID.fullmatch(value) is None:
            raise self.error(key, f"expected the 40 hexadecimal digits of an id, got {value!r}")
        return value

    def id(self, key: str) -> str:
        return self.check_id(key, self.take(key, str))

    def ids(self, key: str) -> tuple[str, ...]:
        return tuple(self.check_id(key, one) for one in self.take(key, list))

    def id_or_none(self, key: str) -> str | None:
        value = self.take(key, str, type(None))
        return None if value is None else self.check_id(key, value)

    def text(self, key: str, default: str | None = None) -> str:
        self._known.append(key)
        if key + "64" in self._left:
            return decode(self.unpacked(key + "64"))
        if default is not None and key not in self._left:
            return default
        return str(self.take(key, str))

    def text_or_none(self, key: str) -> str | None:
        return self.text(key) if self.has(key) or self.has(key + "64") else None

    def unpacked(self, key: str) -> bytes:
        try:
            return base64.b64decode(self.take(key, str), validate=True)
        except binascii.Error as error:
            raise self.error(key, f"expected base64: {error}") from None

    def each(self, key: str, read: Callable[[Fields], T]) -> tuple[T, ...]:
        self._known.append(key)
        found = []
        for number, one in enumerate(self.take(key, list) if self.has(key) else []):
            fields = Fields(f"{self._place}.{key}[{number}]", one)
            found.append(read(fields))
            fields.end()
        return tuple(found)

    def texts(self, key: str) -> tuple[str, ...]:
        self._known.append(key)
        values = self.take(key, list) if self.has(key) else []
        for value in values:
            if not isinstance(value, str):
                raise self.error(key, f"expected texts, got {value!r}")
        return tuple(values)

    def ids_by_name(self, key: str) -> dict[str, str | None]:
        found = self.take(key, dict)
        return {
            name: None if value is None else self.check_id(f"{key}[{name}]", value) for name, value in found.items()
        }

    def end(self) -> None:
        if self._left:
            known = ", ".join(dict.fromkeys(self._known))
            raise ValueError(f"{self._place}: unknown key {next(iter(self._left))!r} (known here: {known})")
