"""What a cassette's data must look like, checked to the last key; also the way from values to data and back."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from pytest_mala.transport.cassette.frames import Frames
from pytest_mala.transport.cassette.model import (
    FORMAT,
    LANES,
    MAX_MS,
    METHODS,
    SOURCES,
    UNKNOWN,
    Cassette,
    Interaction,
    Take,
)
from pytest_mala.transport.cassette.shared import Pool, unfold
from pytest_mala.transport.proof import Proof

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SchemaError", "frame_items", "to_cassette", "to_data"]

Where = tuple[str | int, ...]

_NAMES: Final = {str: "a text", int: "a whole number", dict: "a mapping", list: "a list", bool: "true or false"}
_TOP: Final = {"version": int, "mala": dict, "interactions": list}
_HEADER: Final = {"format": int, "issue": str, "lane": str, "sdk": str, "cli": str, "takes": list}
_MAY: Final = {"edited": bool, "complete": bool, "source": str, "scrub": dict}
_PROOF: Final = {"rules": int, "planted": int, "found": int}
_TAKE: Final = {"take": int, "start": str}
_MADE_BY: Final = {"lane": str, "sdk": str, "cli": str}
"""What a take says itself only where it was recorded with something else than the head of the file says."""
_INTERACTION: Final = {"request": dict, "response": dict}
_REQUEST: Final = {"method": str, "uri": str, "body": str, "headers": dict}
_YEARS: Final = range(1970, 3000)  # a session that begins at the end of the calendar could not go on
_ITEMS: Final = {"cli": dict, "sdk": dict, "trailing": dict, "tree": str, "decision": str}


class SchemaError(Exception):
    """The data is not a cassette; `where` is the path of keys and indexes to the place."""

    def __init__(self, where: Where, what: str) -> None:
        self.where = where
        self.what = what
        place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in where).lstrip(".")
        super().__init__(f"{place}: {what}" if place else what)


def to_data(cassette: Cassette) -> dict[str, Any]:
    """The cassette as the JSON data of its file; what is repeated stands once, under "shared"."""
    header: dict[str, Any] = {
        "format": FORMAT,
        "issue": cassette.issue,
        "lane": cassette.lane,
        "sdk": cassette.sdk,
        "cli": cassette.cli,
        "takes": [_head_data(take) for take in cassette.takes],
    }
    if cassette.edited:
        header["edited"] = True
    if not cassette.complete:
        header["complete"] = False
    if cassette.source is not None:
        header["source"] = cassette.source
    if cassette.scrub is not None:
        header["scrub"] = cassette.scrub.to_data()
    pool = Pool()
    played = [one for take in cassette.takes for one in take.interactions]
    interactions = [_interaction_data(one, ("interactions", index), pool) for index, one in enumerate(played)]
    data = {"version": 1, "mala": header, "interactions": interactions}
    return {**data, "shared": pool.payloads} if pool.payloads else data


def _head_data(take: Take) -> dict[str, Any]:
    made_by = {key: value for key in _MADE_BY if (value := getattr(take, key)) is not None}
    return {"take": take.number, "start": take.start, **made_by}


def _interaction_data(one: Interaction, where: Where, pool: Pool) -> dict[str, Any]:
    response = dict(one.response)
    if isinstance(response.get("frames"), Frames):
        response["frames"] = list(response["frames"])
    _check_frames(response, (*where, "response"))
    if "frames" in response:
        response["frames"] = [pool.fold(item) for item in response["frames"]]
    headers = {name: [value] for name, value in one.headers.items()}
    request = {"method": one.method, "uri": one.uri, "body": one.body, "headers": headers}
    return {"request": request, "response": response}


def to_cassette(data: Any) -> Cassette:
    """The data of a file as values; SchemaError names the first place that is not as it must be.

    Frames that are read later (`Frames`) are checked then, by `frame_items`.
    """
    top = _fields(data, (), _TOP, may={"shared": dict})
    if top["version"] != 1:
        raise SchemaError(("version",), f"expected 1, got {top['version']}")
    header = _fields(top["mala"], ("mala",), _HEADER, may=_MAY)
    _check_header(header)
    shared = top.get("shared", {})
    for name, payload in shared.items():
        _expect(payload, ("shared", name), dict)
    takes = _takes(header, top["interactions"], shared)
    return Cassette(
        issue=header["issue"],
        lane=header["lane"],
        sdk=header["sdk"],
        cli=header["cli"],
        takes=takes,
        edited="edited" in header,
        complete="complete" not in header,
        scrub=_proof(header["scrub"]) if "scrub" in header else None,
        source=header.get("source"),
    )


def _check_header(header: dict[str, Any]) -> None:
    if header["format"] != FORMAT:
        raise SchemaError(("mala", "format"), f"expected {FORMAT}, got {header['format']}")
    if "source" in header:
        _check_source(header)
    else:
        _check_lane(header["lane"], ("mala", "lane"))
    for key, only in (("edited", True), ("complete", False)):
        if header.get(key, only) is not only:
            raise SchemaError(("mala", key), f"only {str(only).lower()} is written; else leave the key out")


def _check_source(header: dict[str, Any]) -> None:
    """Only a recording knows what stood behind it."""
    if header["source"] not in SOURCES:
        raise SchemaError(("mala", "source"), f"expected {' or '.join(SOURCES)}, got {header['source']!r}")
    for key in ("lane", "sdk"):
        if header[key] != UNKNOWN:
            raise SchemaError(("mala", key), f"expected {UNKNOWN}, got {header[key]!r}")


def _check_lane(lane: str, where: Where) -> None:
    if lane not in LANES:
        raise SchemaError(where, f"expected {' or '.join(LANES)}, got {lane!r}")


def _proof(value: Any) -> Proof:
    where: Where = ("mala", "scrub")
    numbers = _fields(value, where, _PROOF)
    for key, number in numbers.items():
        if number < 1:
            raise SchemaError((*where, key), f"expected 1 or more, got {number}")
    if numbers["found"] != numbers["planted"]:
        planted = numbers["planted"]
        raise SchemaError((*where, "found"), f"expected {planted}, all that were planted, got {numbers['found']}")
    return Proof(**numbers)


def _takes(header: dict[str, Any], interactions: list[Any], shared: Mapping[str, Any]) -> tuple[Take, ...]:
    """The takes in the order of the header; each interaction says by its URI to which take it belongs."""
    heads = [_take_head(head, ("mala", "takes", index)) for index, head in enumerate(header["takes"])]
    numbers = [head["take"] for head in heads]
    if not numbers or numbers != sorted(set(numbers)) or numbers[0] < 1:
        raise SchemaError(("mala", "takes"), f"expected at least one take, numbered upwards from 1, got {numbers}")
    played: dict[int, list[Interaction]] = {number: [] for number in numbers}
    position = 0
    for index, value in enumerate(interactions):
        where: Where = ("interactions", index)
        one = _interaction(value, where, shared)
        while not one.uri.startswith(Cassette.prefix(header["issue"], numbers[position])):
            position += 1
            if position == len(numbers):
                expected = " or ".join(Cassette.prefix(header["issue"], number) for number in numbers)
                raise SchemaError(
                    (*where, "request", "uri"), f"expected {expected}..., takes in order, got {one.uri[:200]!r}"
                )
        played[numbers[position]].append(one)
    return tuple(_take(head, tuple(played[head["take"]])) for head in heads)


def _take(head: dict[str, Any], interactions: tuple[Interaction, ...]) -> Take:
    made_by = {key: head.get(key) for key in _MADE_BY}
    return Take(number=head["take"], start=head["start"], interactions=interactions, **made_by)


def _take_head(value: Any, where: Where) -> dict[str, Any]:
    head = _fields(value, where, _TAKE, may=_MADE_BY)
    _check_lane(head.get("lane", LANES[0]), (*where, "lane"))
    try:
        start = datetime.fromisoformat(head["start"])
    except ValueError:
        start = None
    if start is None or start.tzinfo is None:
        raise SchemaError((*where, "start"), f"expected an ISO 8601 time with its zone, got {head['start'][:80]!r}")
    if start.year not in _YEARS:
        raise SchemaError((*where, "start"), f"expected a year from 1970 to 2999, got {start.year}")
    return head


def _interaction(value: Any, where: Where, shared: Mapping[str, Any]) -> Interaction:
    both = _fields(value, where, _INTERACTION)
    request = _fields(both["request"], (*where, "request"), _REQUEST)
    if request["method"] not in METHODS:
        known = ", ".join(METHODS)
        raise SchemaError((*where, "request", "method"), f"expected one of {known}, got {request['method'][:80]!r}")
    headers: dict[str, str] = {}
    for name, values in request["headers"].items():
        place: Where = (*where, "request", "headers", name)
        if type(values) is not list or len(values) != 1 or type(values[0]) is not str:
            raise SchemaError(place, f"expected a list with one text, got {_shown(values)}")
        headers[name] = values[0]
    response = both["response"]
    _check_frames(response, (*where, "response"), in_file=True)
    if "frames" in response and not isinstance(response["frames"], Frames):
        response = {**response, "frames": _unfolded(response["frames"], (*where, "response", "frames"), shared)}
    return Interaction(
        method=request["method"], uri=request["uri"], body=request["body"], headers=headers, response=response
    )


def _check_frames(response: dict[str, Any], where: Where, *, in_file: bool = False) -> None:
    """`ms` and `frames` come together, as long as each other; an item says with one key what it is."""
    if "frames" not in response and "ms" not in response:
        return
    for key in ("frames", "ms"):
        if key not in response:
            raise SchemaError(where, f"missing key {key!r}; `ms` and `frames` come together")
        if not isinstance(response[key], Frames):
            _expect(response[key], (*where, key), list)
    frames, ms = response["frames"], response["ms"]
    if len(frames) != len(ms):
        raise SchemaError((*where, "ms"), f"expected {len(frames)} numbers, one for each frame, got {len(ms)}")
    for index, gap in enumerate(ms):
        if type(gap) is not int or gap < 0:
            raise SchemaError((*where, "ms", index), f"expected milliseconds, 0 or more, got {_shown(gap)}")
        if gap > MAX_MS:
            raise SchemaError((*where, "ms", index), f"expected at most {MAX_MS} ms (a year), got {_shown(gap)}")
    for index, item in enumerate(() if isinstance(frames, Frames) else frames):
        _check_item(item, (*where, "frames", index), in_file=in_file)


def frame_items(items: list[Any], shared: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Frame items of a file, checked, with what is shared put back. Raises SchemaError, which knows the place only from
    these items on.
    """
    for index, item in enumerate(items):
        _check_item(item, (index,), in_file=True)
    return _unfolded(items, (), shared)


def _check_item(item: Any, where: Where, *, in_file: bool) -> None:
    _expect(item, where, dict)
    kinds = [key for key in item if not (in_file and key == "shared")]
    if len(kinds) != 1 or kinds[0] not in _ITEMS:
        found = ", ".join(map(str, item)) or "none"
        raise SchemaError(where, f"expected one key of {', '.join(_ITEMS)}, got {found[:80]}")
    _expect(item[kinds[0]], (*where, kinds[0]), _ITEMS[kinds[0]])


def _unfolded(items: list[Any], where: Where, shared: Mapping[str, Any]) -> list[Any]:
    whole = []
    for index, item in enumerate(items):
        if "shared" not in item:
            whole.append(item)
            continue
        place: Where = (*where, index, "shared")
        name = item["shared"]
        if type(name) is not str or name not in shared:
            known = ", ".join(shared) or "none"
            raise SchemaError(place, f"expected a name that stands under `shared` ({known}), got {_shown(name)}")
        try:
            whole.append(unfold(item, shared[name]))
        except ValueError as error:
            raise SchemaError(place, str(error)) from None
    return whole


def _fields(
    value: Any, where: Where, needs: Mapping[str, type], may: Mapping[str, type] | None = None
) -> dict[str, Any]:
    """The mapping, if it has exactly these keys with values of these types."""
    _expect(value, where, dict)
    known = {**needs, **(may or {})}
    for key, entry in value.items():
        if key not in known:
            raise SchemaError((*where, key), f"unknown key; known here are {', '.join(known)}")
        _expect(entry, (*where, key), known[key])
    for key in needs:
        if key not in value:
            raise SchemaError(where, f"missing key {key!r}")
    return dict(value)


def _expect(value: Any, where: Where, kind: type) -> None:
    if type(value) is not kind:
        raise SchemaError(where, f"expected {_NAMES[kind]}, got {_shown(value)}")


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return f"{_NAMES[type(value)]} of {len(value)}"
    return "null" if value is None else repr(value)[:80]
