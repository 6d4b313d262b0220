"""Cut a Markdown file into its front matter, which `yaml_text.py` reads, and its body."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pytest_mala.errors import MalaError

LARGEST_BYTES = 64 * 1024
"""YAML is read slowly; what is longer than this is no front matter."""

_FENCE = re.compile(r"---[ \t]*")
_BYTE_ORDER_MARK = "\ufeff"


class FrontMatterError(MalaError):
    """The front matter can't be read; `line` counts from 1 in the file. Callers turn it into an `IssueError`."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line
        self.what = what


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The two parts of a file, with LF line ends and the line of the file where each starts."""

    yaml: str
    yaml_line: int
    body: str
    body_line: int


def starts_front_matter(head: bytes) -> bool:
    """Whether the first bytes of a file look like front matter, also in an encoding or place that is refused later.

    >>> starts_front_matter(b"---\\nid: a"), starts_front_matter(b"# Title\\n---\\n"), starts_front_matter(b"----\\n")
    (True, False, False)
    """
    # UTF-16 and blank lines before the fence count: such a file is told what is wrong, not silently left out
    text = head.replace(b"\0", b"").removeprefix(b"\xef\xbb\xbf").removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff")
    first_line = text.decode("latin-1").lstrip(" \t\r\n").replace("\r", "\n").partition("\n")[0]
    return _FENCE.fullmatch(first_line) is not None


def split(text: str) -> Parts:
    """Cut the text of a file at the two `---` lines; a byte order mark and CRLF are taken as what they are.

    >>> split("---\\nid: a\\n---\\nDo it.\\n")
    Parts(yaml='id: a\\n', yaml_line=2, body='Do it.\\n', body_line=4)
    """
    lines = text.removeprefix(_BYTE_ORDER_MARK).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    _check_opening(lines)
    closing = next((index for index, line in enumerate(lines) if index and _FENCE.fullmatch(line)), None)
    if closing is None:
        raise FrontMatterError(1, "the front matter is not closed: expected a line '---' after the fields")
    yaml = "".join(f"{line}\n" for line in lines[1:closing])
    if (size := len(yaml.encode())) > LARGEST_BYTES:
        raise FrontMatterError(1, f"the front matter is too large: expected at most {LARGEST_BYTES} bytes, got {size}")
    return Parts(yaml=yaml, yaml_line=2, body="\n".join(lines[closing + 1 :]), body_line=closing + 2)


def _check_opening(lines: list[str]) -> None:
    if _FENCE.fullmatch(lines[0]):
        return
    first = next((number for number, line in enumerate(lines, start=1) if line.strip()), 1)
    if _FENCE.fullmatch(lines[first - 1]):
        raise FrontMatterError(first, "the front matter must start on the first line: remove the blank lines above it")
    raise FrontMatterError(1, "no front matter: expected '---' on the first line, fields like 'id: calc-1', and '---'")
