"""The story that a cassette tells, read from its file in a few plain lines, and the one that a replay told."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_CONNECTION = re.compile(r"claude-sdk://[^/]+/\d+/connection/(\d+)")
_TITLE = re.compile(
    r" +\d+\.\d{3}  (?:(agent|to the agent)(?: \(.*)?|(call) \d+: (.*?)(?: \(sub.*)?"
    r"|(result) \d+(.*)|turn .*(prompt) \((.*)\))"
)
_MARGIN = " " * 15
_SHORTENED = re.compile(
    r"<[a-z]+(?:\\ id)?\\ [0-9]+>|\\\.\\\.\\\.\\ \\\([0-9]+\\ (?:lines\\ left\\ out|more\\ characters)\\\)"
)
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_RULES = ("commit", "resolution")
_PASSED = {"passed", "no-change", "obsolete", "already-complete"}


@dataclass(frozen=True)
class Story:
    """What was said and done, in order; checks by attempt; the lifecycle's steps, and whether it ended well."""

    prompts: list[tuple[str, str]]
    texts: list[str | None]
    calls: list[tuple[str, Any, str | None, bool]]
    order: list[tuple[str, ...]]
    gates: list[list[tuple[str, str]]]
    steps: list[str]
    is_passed: bool


def in_file(text: str, *, with_trailing: bool = False) -> Story:
    """The story that the file tells, whatever we make of it; with the trailing frames at the end of a connection, which
    may be missing, or without.
    """
    data = yaml.load(text, Loader=yaml.CSafeLoader)
    steps = [step for one in data["interactions"] for step in one["response"].get("decisions", [])]
    prompts: list[tuple[str, str]] = []
    texts: list[str | None] = []  # None: something that is no text
    calls: dict[str, list[Any]] = {}
    order: list[tuple[str, ...]] = []
    for why, kind, value in _wire(data, with_trailing=with_trailing):
        if kind == "prompt":
            prompts.append((why, value))
            order.append(("prompt", why))
            continue
        for block in _blocks(value):
            match value["type"], block.get("type"):
                case "assistant", "text":
                    order.append(("agent",))
                    texts.append(block["text"])
                case _, "tool_use":
                    order.append(("call", str(block.get("name"))))
                    calls.setdefault(block["id"], [block["name"], block["input"], None, False])
                case _, "tool_result":
                    is_error = block.get("is_error") is True
                    order.append(("result", "" if block.get("is_error") in (None, False) else " (error)"))
                    if block.get("tool_use_id") in calls:
                        calls[block["tool_use_id"]][2:] = [_text(block.get("content")), is_error]
                case _, "thinking":
                    pass
                case "assistant", _:
                    order.append(("agent",))
                    texts.append(None)
                case _:
                    order.append(("to the agent",))
    gates = {}
    for one in data["interactions"]:
        if one["request"]["method"] == "GATE":
            rows = one["response"].get("checks", [])
            gates[int(one["request"]["uri"].rpartition("/")[2])] = [(row["name"], row["verdict"]) for row in rows]
    return Story(
        prompts=prompts,
        texts=texts,
        calls=[(name, given, result, bad) for name, given, result, bad in calls.values()],
        order=order,
        gates=[gates[attempt] for attempt in sorted(gates)],
        steps=steps,
        is_passed=bool(steps) and steps[-1].startswith("SUCCESS"),
    )


def _wire(data: dict[str, Any], *, with_trailing: bool) -> Iterator[tuple[str, str, Any]]:
    """Prompts and frames that must be read, connection by connection."""
    purposes: dict[int, str] = {}
    found: dict[int, list[tuple[str, Any]]] = {}
    for one in data["interactions"]:
        if (match := _CONNECTION.match(one["request"]["uri"])) is None:
            continue
        number = int(match[1])
        each = found.setdefault(number, [])
        if one["request"]["method"] == "CONNECT":
            purposes[number] = one["request"]["headers"]["purpose"][0]
        elif one["request"]["method"] == "QUERY":
            each.append(("prompt", one["request"]["body"]))
        each += [next(iter(item.items())) for item in one["response"].get("frames", [])]
    for number in sorted(found):
        while not with_trailing and found[number] and found[number][-1][0] not in ("prompt", "cli"):
            found[number].pop()
        for kind, value in found[number]:
            if kind in ("prompt", "cli", "trailing"):
                yield purposes[number], kind, value


def _blocks(frame: dict[str, Any]) -> list[dict[str, Any]]:
    if frame.get("type") not in ("assistant", "user") or frame.get("isReplay") is True:
        return []
    content = frame["message"].get("content")
    return content if isinstance(content, list) else [{"type": "text", "text": content}]


def _text(content: Any) -> str:
    if not isinstance(content, list):
        return content if isinstance(content, str) else ""
    texts = (block.get("text") for block in content if isinstance(block, dict) and block.get("type") == "text")
    return "\n".join(text for text in texts if isinstance(text, str))


class Ear:
    """An event sink that hears what the lifecycle does."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def on_state_entered(self, agent_id: str, state: str, effect: str) -> None:
        self.steps.append(f"{state} {effect}")


def in_run(result: Any, ear: Ear, hide: Callable[[Any], Any]) -> Story:
    """The story that the replay told; `hide` puts the names of a cassette in place of this run's values."""
    order: list[tuple[str, ...]] = []
    texts: list[list[str]] = []
    attempts = [rows for rows in result.attempts if {row.name for row in rows} != {"resolution"}]  # runs no check
    is_text = False
    for line in result.transcript.splitlines():
        if match := _TITLE.fullmatch(line):
            order.append(tuple(one for one in match.groups() if one is not None))
            if is_text := match[1] == "agent":
                texts.append([])
        elif is_text and (not line or line.startswith(_MARGIN)):
            texts[-1].append(line.removeprefix(_MARGIN))
        else:
            is_text = False
    return Story(
        prompts=[(one.why, hide(one.text)) for one in result.prompts],
        texts=["\n".join(lines) for lines in texts],
        calls=[(hide(one.name), hide(dict(one.input)), hide(one.result), one.is_error) for one in result.tools],
        order=order,
        gates=[[(row.name, row.verdict) for row in rows if row.name not in _RULES] for rows in attempts],
        steps=ear.steps,
        is_passed=result.outcome.value in _PASSED,
    )


def differences(recorded: Story, told: Story, notes: Sequence[str] = ()) -> list[str]:
    """In which fields two stories differ. A prompt that came earlier than recorded is told in the notes."""
    if any(" earlier than recorded" in note for note in notes):
        recorded, told = (
            replace(one, order=[step for step in one.order if step[0] != "prompt"]) for one in (recorded, told)
        )
    found = [
        f"{name}: the file tells {getattr(recorded, name)!r:.1500}\n    and the run {getattr(told, name)!r:.1500}"
        for name in ("prompts", "calls", "order", "gates", "steps", "is_passed")
        if getattr(recorded, name) != getattr(told, name)
    ]
    if len(recorded.texts) != len(told.texts) or not all(map(_is_shown, recorded.texts, told.texts)):
        found.append(f"texts: the file tells {recorded.texts!r:.1500}\n    and the run {told.texts!r:.1500}")
    return found


def _is_shown(text: str | None, shown: str) -> bool:
    """Whether a transcript shows this text; ids have other names there, and what is long is cut."""
    if text is None:
        return True
    pattern = _SHORTENED.sub(".*", re.escape(shown.rstrip()))
    plain = _UNSAFE.sub(lambda match: f"\\x{ord(match.group()):02x}", text.replace("${$}", "$")).expandtabs(8)
    return re.fullmatch(pattern, "\n".join(line.rstrip() for line in plain.split("\n")).rstrip(), re.DOTALL) is not None
