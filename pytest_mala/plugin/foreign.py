"""Foreign text (of cassettes, checks, agents, errors that quote them) made fit for the terminal and for reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

__all__ = ["clean", "presentable", "text_of"]

LINE_START, LINE_END = 4000, 1000
"""Characters of a longer line that are kept, at its start and at its end, where errors say what to do."""

LINES_START, LINES_END = 3000, 2000
"""Lines of a longer text that are kept; the output of a check has fewer."""


def presentable(text: str) -> str:
    r"""The text with every control, bidirectional and invisible mark spelt out, and bounded in length and lines.

    >>> presentable("\x1b]0;title\x07 a\tb")
    '\\x1b]0;title\\x07 a\tb'
    """
    from pytest_mala.session.transcript.lines import escaped  # here: the room of the session comes with the first test

    lines = text.split("\n")
    left_out = len(lines) - LINES_START - LINES_END
    if left_out > 1:
        lines = [*lines[:LINES_START], f"... ({left_out:,} lines left out)", *lines[-LINES_END:]]
    return "\n".join(escaped(_cut(line)) for line in lines)


def text_of(error: BaseException) -> str:
    """The error's message; an error class of a project may have none that can be read."""
    try:
        return str(error)
    except Exception as broken:  # whatever foreign code raises
        return f"the message of this {type(error).__name__} can't be read: its __str__ raises {type(broken).__name__}"


def clean(report: pytest.TestReport) -> None:
    """Make what the report shows of an error fit for the terminal, line by line; the traceback stays."""
    shown: Any = report.longrepr
    if isinstance(shown, str):
        report.longrepr = presentable(shown)
    elif hasattr(shown, "reprtraceback"):
        for traceback, crash, *_ in getattr(shown, "chain", [(shown.reprtraceback, shown.reprcrash)]):
            if crash is not None:
                crash.message = presentable(crash.message)
            for entry in traceback.reprentries:
                for part in (entry, getattr(entry, "reprlocals", None)):
                    if part is not None:
                        part.lines = [presentable(line) for line in part.lines]


def _cut(line: str) -> str:
    left_out = len(line) - LINE_START - LINE_END
    if left_out <= 0:
        return line
    return f"{line[:LINE_START]} ... ({left_out:,} more characters) ... {line[-LINE_END:]}"
