"""Foreign text (of cassettes, checks, agents, errors that quote them) made fit for the terminal and for reports."""

from __future__ import annotations

__all__ = ["presentable"]

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


def _cut(line: str) -> str:
    left_out = len(line) - LINE_START - LINE_END
    if left_out <= 0:
        return line
    return f"{line[:LINE_START]} ... ({left_out:,} more characters) ... {line[-LINE_END:]}"
