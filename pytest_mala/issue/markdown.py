"""The little Markdown that an issue needs: find the section "Acceptance criteria" of its body."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

TITLE = "acceptance criteria"

_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")


def acceptance_criteria(body: str) -> str:
    """The text below the heading "Acceptance criteria" up to the next heading of its level or above, or "".

    The heading may have any level and case; what stands in a code fence is none. Several sections are joined.

    >>> acceptance_criteria("Do it.\\n\\n## Acceptance criteria\\n- it works\\n\\n## Notes\\nnone\\n")
    '- it works'
    """
    texts = ("\n".join(section).strip("\n").rstrip() for section in _split(body)[1])
    return "\n\n".join(text for text in texts if text)


def without_acceptance_criteria(body: str) -> str:
    """The body without the sections that `acceptance_criteria` gives, for texts that show both.

    >>> without_acceptance_criteria("Do it.\\n\\n## Acceptance criteria\\n- it works\\n\\n## Notes\\nnone\\n")
    'Do it.\\n\\n## Notes\\nnone'
    """
    return "\n".join(_split(body)[0]).strip("\n").rstrip()


def _split(body: str) -> tuple[list[str], list[list[str]]]:
    """The lines outside of sections named "Acceptance criteria", and the lines below each such heading."""
    others: list[str] = []
    sections: list[list[str]] = []
    open_level = 0
    for line, level, title in _lines_and_headings(body):
        if level and level <= open_level:
            open_level = 0
        if open_level:
            sections[-1].append(line)
        elif title.rstrip(":").strip().casefold() == TITLE:
            open_level = level
            sections.append([])
        else:
            others.append(line)
    return others, sections


def _lines_and_headings(body: str) -> Iterator[tuple[str, int, str]]:
    """Each line, with level and title if it is a heading, else with 0 and ""."""
    fence = ""
    for line in body.split("\n"):
        heading = None
        if fence:
            fence = "" if _closes(line, fence) else fence
        elif opening := _FENCE.match(line):
            fence = opening[1]
        else:
            heading = _heading(line)
        yield line, *(heading or (0, ""))


def _heading(line: str) -> tuple[int, str] | None:
    """Level and title of a heading like `## Title ##`. By hand: a pattern takes the square of the length of a line."""
    marked = line.lstrip(" ").rstrip(" \t")
    title = marked.lstrip("#")
    level = len(marked) - len(title)
    if not 1 <= level <= 6 or title[:1] not in ("", " ", "\t") or line.startswith("    "):
        return None
    without_closing = title.rstrip("#")
    return level, (without_closing if without_closing[-1:] in (" ", "\t") else title).strip()


def _closes(line: str, fence: str) -> bool:
    mark = line.strip(" \t")
    return len(mark) >= len(fence) and set(mark) == {fence[0]} and not line.startswith("    ")
