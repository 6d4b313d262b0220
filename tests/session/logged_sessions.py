"""Session logs made by hand, entry by entry, as the CLI would write them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

SESSION = "11111111-2222-4333-8444-555555555555"
FOLDER = "/home/ann/work/app"
BEGAN = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)


class Log:
    """Each method adds an entry, one second after the last one and linked to it unless `parent` says otherwise; the
    answer is its id.
    """

    def __init__(self, *, session: str = SESSION, folder: str = FOLDER, agent: str | None = None) -> None:
        self.entries: list[dict[str, Any]] = []
        self.session = session
        self.folder = folder
        self.agent = agent
        self.version = "2.1.38"
        self.last: str | None = None
        self.at = BEGAN
        self._answers = 0

    def prompt(self, content: Any, **more: Any) -> str:
        return self.add("user", message={"role": "user", "content": content}, **more)

    def text(self, text: str, *, answer: str = "", **more: Any) -> str:
        return self.says({"type": "text", "text": text}, answer=answer, **more)

    def call(self, call: str, name: str = "Bash", *, answer: str = "", given: Any = None, **more: Any) -> str:
        block = {"type": "tool_use", "id": call, "name": name, "input": given or {"command": f"echo {call}"}}
        return self.says(block, answer=answer, **more)

    def result(self, call: str, content: Any = "done", **more: Any) -> str:
        block = {"type": "tool_result", "tool_use_id": call, "content": content, "is_error": False}
        return self.prompt([block], **more)

    def says(self, *blocks: dict[str, Any], answer: str = "", **more: Any) -> str:
        self._answers += not answer
        usage = {"input_tokens": 10, "output_tokens": 5}
        message = {
            "model": "claude-x-1",
            "id": answer or f"msg_{self._answers:06d}",
            "type": "message",
            "role": "assistant",
            "content": list(blocks),
            "stop_reason": None,
            "usage": usage,
        }
        return self.add("assistant", message=message, **more)

    def boundary(self, **more: Any) -> str:
        meta = {"trigger": "auto", "preTokens": 160000}
        more = {"logicalParentUuid": self.last, **more}
        return self.add("system", subtype="compact_boundary", compactMetadata=meta, parent=None, **more)

    def add(self, kind: str, *, parent: str | None = "last", **more: Any) -> str:
        uuid = f"aaaaaaaa-0000-4000-8000-{len(self.entries):012d}"
        if self.agent is not None:
            uuid = f"bbbbbbbb-0000-4000-8000-{len(self.entries):012d}"
            more = {"isSidechain": True, "agentId": self.agent, **more}
        entry = {
            "parentUuid": self.last if parent == "last" else parent,
            "isSidechain": False,
            "cwd": self.folder,
            "sessionId": self.session,
            "version": self.version,
            "type": kind,
            "uuid": uuid,
            "timestamp": self.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            **more,
        }
        self.at += timedelta(seconds=1)
        self.entries.append({key: value for key, value in entry.items() if value is not MISSING})
        self.last = uuid
        return uuid

    def lines(self) -> list[str]:
        return [json.dumps(entry) for entry in self.entries]

    def write(self, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in self.lines()), encoding="utf-8")
        return path


MISSING = object()
"""A field that an entry lacks."""


def told(steps: Any) -> list[str]:
    """A story in few words: prompts, texts, calls and results in their order, those of sub-agents behind their call."""
    found = []
    for step in steps:
        frame = getattr(step, "frame", None)
        if frame is None:
            found.append(f"prompt {step.content}")
            continue
        by = f"{frame['parent_tool_use_id']}/" if frame.get("parent_tool_use_id") else ""
        content = frame.get("message", {}).get("content", [])
        for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            word = block.get("text") or block.get("id") or f"={block.get('tool_use_id')}"
            found.append(f"{by}{word}")
        if frame["type"] == "system":
            found.append(f"{by}{frame['subtype']}")
    return found
