"""Whatever stands in a file: loading gives an issue or one `IssueError` of one line, never anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings, strategies as st

from pytest_mala.errors import IssueError
from pytest_mala.issue import Issue, load_issue, looks_like_issue

if TYPE_CHECKING:
    from pathlib import Path

NAMES = (
    "id", "title", "type", "status", "priority", "labels", "depends_on", "workspace", "gate", "review", "agent",
    "limits", "expect", "xfail", "skip", "commit", "checks", "run", "evidence", "timeout", "env", "cwd", "exit",
    "shell", "path", "revision", "shared", "include", "exclude", "command", "model", "permission_mode",
    "allowed_tools", "system_prompt", "idle", "gate_retries", "turns", "budget_usd", "x",
)  # fmt: skip
WORDS = (
    *NAMES, "a", "0", "1", "-1", "5m", "1:30", "off", "none", "null", "~", "''", '"', "'", "true", "passed", "allowed",
    "[", "]", "{", "}", ", ", ": ", ":", "- ", "? ", "| ", "> ", "|\n", "&a ", "*a", "!!str ", "<<", "#", "%", "@",
    "---", "...", "\t", "\n", "\n  ", "\n    ", "\r\n", "\\", "\x85", "\u2028", "\x00", "\x07", "\ufeff", "é", "😀",
)  # fmt: skip

scraps = st.lists(st.sampled_from(WORDS), max_size=40).map("".join)
scalars = st.one_of(st.sampled_from(WORDS), st.text(max_size=20).map(repr), st.text(max_size=20))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(st.sampled_from(NAMES), inner, max_size=4).map(
            lambda fields: "{" + ", ".join(f"{name}: {value}" for name, value in fields.items()) + "}"
        ),
    ),
    max_leaves=8,
)
fronts = st.dictionaries(st.sampled_from(NAMES), values, max_size=5).map(
    lambda fields: "".join(f"{name}: {value}\n" for name, value in fields.items())
)

unhurried = settings(deadline=None, database=None, max_examples=300)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("issues") / "x.md"


def _load(file: Path, content: bytes) -> Issue | None:
    file.write_bytes(content)
    looks_like_issue(file)
    issue, refusal = _result(file)
    if refusal is not None:
        assert str(refusal).startswith(f"x.md:{refusal.line}: ")
        assert len(str(refusal).splitlines()) == 1
        assert 1 <= refusal.line <= content.count(b"\n") + content.count(b"\r") + 1
    return issue


def _result(file: Path) -> tuple[Issue | None, IssueError | None]:
    try:
        return load_issue(file, shown="x.md"), None
    except IssueError as error:
        return None, error


@unhurried
@given(content=st.binary(max_size=200))
def test_any_bytes(file: Path, content: bytes) -> None:
    _load(file, content)


@unhurried
@given(text=st.text(max_size=200))
def test_any_text_in_the_front_matter(file: Path, text: str) -> None:
    _load(file, f"---\n{text}\n---\nx\n".encode(errors="surrogatepass"))


@unhurried
@given(text=scraps)
@example(text="labels: !<a%0Ab> [a]")
@example(text='skip: "a\\U00110000"')
def test_any_scraps_of_yaml(file: Path, text: str) -> None:
    _load(file, f"---\nid: a\ntitle: b\n{text}\n---\nx\n".encode())


@unhurried
@given(front=fronts)
def test_any_fields_with_any_values(file: Path, front: str) -> None:
    _load(file, f"---\nid: a\ntitle: b\n{front}---\nx\n".encode(errors="surrogatepass"))


@unhurried
@given(title=st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=40))
def test_a_quoted_title_is_read_back_as_it_was_written(file: Path, title: str) -> None:
    written = title.replace("\\", "\\\\").replace('"', '\\"')
    issue = _load(file, f'---\nid: a\ntitle: "{written}"\n---\nx\n'.encode())
    assert issue is not None
    assert issue.title == title
