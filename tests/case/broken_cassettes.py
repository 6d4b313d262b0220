"""Copies of a small recorded issue, each with a cassette of its own that was spoilt in one way."""

from __future__ import annotations

import hashlib
import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from case_project import ROOT

from pytest_mala.transport.cassette import canonical
from pytest_mala.transport.cassette.strict import load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from case_project import Project

SLOW_CHECK = "    test: python -m pytest -q -p no:cacheprovider -k add\n"
SLOW_LINE = "- test: `python -m pytest -q -p no:cacheprovider -k add`\n"
CHECK = "python -m py_compile calc.py"
ANOTHER = "1" * 40

EVIL = "\x1b[31mRED\x1b]0;title\x07\x9b31m\u202eevil\u202c\u2066x\u2069\u200b\ufeff\x08\x08"
"""Colour, title, eight-bit escape, bidirectional and invisible marks, backspaces."""

Change = "Callable[[dict[str, Any]], object]"
"""Changes the data in place; a text or bytes that it returns are the file instead."""


def issue_text(name: str, check: str = CHECK) -> str:
    """calc-1 under another name, with its quick check only."""
    text = (ROOT / "issues" / "calc-1.md").read_text(encoding="utf-8")
    assert SLOW_CHECK in text
    return text.replace("calc-1", name).replace(SLOW_CHECK, "").replace(CHECK, json.dumps(check))


@cache
def recorded_as_json() -> str:
    """The cassette of calc-1, read once, without the lists of commands, tools and models."""
    path = ROOT / "cassettes" / "calc-1.yaml"
    data = load(path.read_text(encoding="utf-8"), path)
    for name, payload in data["shared"].items():  # two thirds of the file, and of the time to read and write it
        small = {key: value for key, value in payload.items() if not isinstance(value, list | dict)}
        data["shared"][name] = small | ({"commands": []} if "commands" in payload else {})
    return json.dumps(data)


def recorded(name: str, check: str = CHECK) -> dict[str, Any]:
    """The data of a cassette for `issue_text`; sealed as edited, since the ids of its commits are those of calc-1."""
    data: dict[str, Any] = json.loads(recorded_as_json().replace("calc-1", name))
    data["mala"]["edited"] = True
    asked = by_method(data, "QUERY")["request"]
    asked["body"] = asked["body"].replace(SLOW_LINE, "").replace(CHECK, check)
    gate = by_method(data, "GATE")["response"]
    gate["checks"], gate["took_ms"] = gate["checks"][1:], gate["took_ms"][1:]
    gate["checks"][0]["command"] = check
    return data


def by_method(data: dict[str, Any], method: str, number: int = 0) -> dict[str, Any]:
    """One of the interactions with this method, counted from 0."""
    return [one for one in data["interactions"] if one["request"]["method"] == method][number]


def answer(data: dict[str, Any]) -> dict[str, Any]:
    """What came back to the prompt: `ms` and `frames`."""
    return dict(by_method(data, "QUERY")["response"])


def frame(data: dict[str, Any], number: int) -> dict[str, Any]:
    """A frame of the turn: 2 says something, 3 reads a file, 13 is the result."""
    return next(iter(answer(data)["frames"][number].values()))


def insert(data: dict[str, Any], item: dict[str, Any]) -> None:
    """One more item in the middle of the turn."""
    answer(data)["frames"].insert(5, item)
    answer(data)["ms"].insert(5, 1)


def tree(data: dict[str, Any]) -> dict[str, Any]:
    """The tree at the end of the turn."""
    return by_method(data, "TREE", 1)["response"]


def commit(data: dict[str, Any]) -> dict[str, Any]:
    """The agent's commit."""
    return tree(data)["commits"][0]


def gate(data: dict[str, Any]) -> dict[str, Any]:
    """The one gate attempt."""
    return by_method(data, "GATE")["response"]


def write_file(path: str, text: str = "evil\n", mode: str = "100644") -> Change:
    """The agent's commit writes one more file."""
    return lambda data: commit(data)["changes"].append({"path": path, "mode": mode, "text": text})


def put(part: Callable[[dict[str, Any]], Any], **values: Any) -> Change:
    """Set keys in a part of the data; None takes the key away."""

    def change(data: dict[str, Any]) -> None:
        at = part(data)
        for key, value in values.items():
            if value is None:
                del at[key]
            else:
                at[key] = value

    return change


def body(method: str, text: str) -> Change:
    """Another body of the first interaction with this method."""
    return lambda data: by_method(data, method)["request"].update(body=text)


def place(method: str, old: str, new: str) -> Change:
    """Another place of the first interaction with this method."""

    def change(data: dict[str, Any]) -> None:
        request = by_method(data, method)["request"]
        request["uri"] = request["uri"].replace(old, new)

    return change


def session_id(value: Any) -> Change:
    """Another session id in every frame of the turn."""

    def change(data: dict[str, Any]) -> None:
        for item in answer(data)["frames"]:
            for one in (one for one in item.values() if isinstance(one, dict)):
                one["session_id"] = value

    return change


def text_of(change: Callable[[str], str | bytes], *, is_sealed: bool = True) -> Change:
    """A change of the file's text; with a digest that is right afterwards if `is_sealed`."""

    def changed(data: dict[str, Any]) -> str | bytes:
        made = change(sealed(data))
        return resealed(made) if is_sealed and isinstance(made, str) else made

    return changed


def sealed(data: Mapping[str, Any]) -> str:
    """The text of a cassette with this data, whatever it is, with the digest that belongs to it."""
    return resealed(canonical.dumps(dict(data)) + "# sha256: none")


def resealed(text: str) -> str:
    """The text with the right digest, as somebody makes it who edits a file and then computes the digest himself."""
    above = text.rpartition("# sha256:")[0]
    return f"{above}# sha256: {hashlib.sha256(above.encode()).hexdigest()}\n...\n"


def add_issue(project: Project, name: str, change: Change | None = None, check: str = CHECK) -> Path:
    """One more issue of the project, with its cassette; the path of that."""
    (project.root / "issues" / f"{name}.md").write_text(issue_text(name, check), encoding="utf-8")
    data = recorded(name, check)
    made = change(data) if change is not None else None
    path = project.root / "cassettes" / f"{name}.yaml"
    content = made if isinstance(made, str | bytes) else sealed(data)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def only(project: Project, *names: str) -> None:
    """Take the samples out of the project, and put these sound issues in."""
    for path in [*(project.root / "issues").glob("*.*"), *(project.root / "cassettes").iterdir()]:
        path.unlink()
    for name in names:
        add_issue(project, name)


def told(output: str) -> dict[str, str]:
    """What pytest says about each test, under its headings; `NAME` for the call, `NAME at setup` and so on else."""
    parts = re.split(r"^_{3,} (.+?) _{3,}$", output, flags=re.MULTILINE)
    found = {}
    for heading, text in zip(parts[1::2], parts[2::2], strict=True):
        name = (
            re.sub(r"ERROR (?:at (\w+) of|collecting) (?:.*/)?(\S+)", r"\2 \1", heading).removesuffix(" call").strip()
        )
        found[name.removesuffix(" None")] = re.split(r"^(?:=|!){3,}", text, flags=re.MULTILINE)[0].strip()
    return found


def fingerprint(folder: Path, *, without: tuple[str, ...] = ()) -> dict[str, str]:
    """Every entry below the folder: its kind, mode, and what it holds."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if {"__pycache__", *without} & {*path.relative_to(folder).parts}:
            continue
        if path.is_symlink():
            held = f"link to {path.readlink()}"
        else:
            held = "folder" if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
        found[str(path.relative_to(folder))] = f"{path.lstat().st_mode:o} {held}"
    return found
