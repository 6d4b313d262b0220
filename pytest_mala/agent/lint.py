"""Remembers which lint commands passed on the files as they are, so that an unchanged tree need not be linted again."""

from __future__ import annotations

import hashlib
import os
import shlex
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from pytest_mala.process import ProcessError, run

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

__all__ = ["DEFAULT_LINT_TOOLS", "LintCache"]

DEFAULT_LINT_TOOLS = frozenset({"ruff", "ty", "eslint", "golangci-lint"})

_GIT_SECONDS = 30.0
_OUTPUT_LIMIT = 64 * 1024 * 1024
_WRAPPERS = (
    ("uv", "run"),
    ("uvx",),
    ("npx",),
    ("poetry", "run"),
    ("python", "-m"),
    ("python3", "-m"),
    ("env",),
    ("time",),
)
_OPERATORS = frozenset("();<>|&")
_SAFE_JOINT = "&&"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Passed:
    state: str


class LintCache:
    """Lint runs that passed, by tool and command, each with the state of the repository before the command ran.

    A success is credited to the state at the start of the run (session:X14), which `mark_started` takes; contents of
    untracked files are part of it. A command whose exit status says nothing certain about the tool (a pipeline, `;`,
    `||`, a background job) is never remembered. Where git can't tell the state nothing is redundant.
    """

    def __init__(self, repo_path: Path | None = None, lint_tools: Collection[str] | None = None) -> None:
        self.repo_path = repo_path
        self._tools = frozenset(tool.lower() for tool in lint_tools) if lint_tools else DEFAULT_LINT_TOOLS
        self._passed: dict[str, _Passed] = {}
        self._started: dict[str, str | None] = {}
        self._skipped = 0

    @property
    def lint_tools(self) -> frozenset[str]:
        """Names of the tools that are recognised, in lower case."""
        return self._tools

    @property
    def skipped_count(self) -> int:
        """How often a run was found redundant."""
        return self._skipped

    @property
    def cache_size(self) -> int:
        """How many runs are remembered."""
        return len(self._passed)

    def detect_lint_command(self, command: str) -> str | None:
        """The lint tool that a command line runs, or None; a name of several words counts whole or by its first."""
        for words in _simple_commands(command):
            program = _unwrapped(words)
            for length in range(len(program), 0, -1):
                name = " ".join(program[:length]).lower()
                if name in self._tools:
                    return name
        return None

    def mark_started(self, lint_type: str, command: str = "") -> None:
        """The command is about to run: remember on which state."""
        self._started[_key(lint_type, command)] = self._state()

    def mark_success(self, lint_type: str, command: str = "") -> None:
        """The command has passed, on the state that `mark_started` took (on the present one if it was not called)."""
        key = _key(lint_type, command)
        state = self._started.pop(key) if key in self._started else self._state()
        if state is not None and _status_is_certain(command):
            self._passed[key] = _Passed(state=state)

    def check_and_update(self, lint_type: str, command: str = "") -> tuple[bool, str]:
        """Whether running the command again would tell nothing new, and a sentence about it (empty if it would)."""
        known = self._passed.get(_key(lint_type, command))
        if known is None or known.state != self._state():
            return False, ""
        self._skipped += 1
        return True, f"{lint_type} has passed on exactly these files; nothing has changed since"

    def invalidate(self, lint_type: str | None = None) -> None:
        """Forgets the runs of one tool, or all."""
        gone = [key for key in self._passed if lint_type is None or key.startswith(f"{lint_type}:")]
        for key in gone:
            del self._passed[key]

    def _state(self) -> str | None:
        """16 hex digits over HEAD, the difference to it, names and contents of untracked files; None if git fails."""
        head = self._git("rev-parse", "HEAD")
        diff = self._git("diff", "HEAD", "--no-ext-diff", "--no-textconv", "--binary", "--full-index")
        untracked = self._git("ls-files", "--others", "--exclude-standard", "-z")
        if head is None or diff is None or untracked is None:
            return None
        digest = hashlib.sha256()
        for part in (head.strip(), diff):
            digest.update(part.encode("utf-8", "surrogateescape") + b"\0")
        for name in sorted(filter(None, untracked.split("\0"))):
            digest.update(name.encode("utf-8", "surrogateescape") + b"\0" + self._content_digest(name) + b"\0")
        return digest.hexdigest()[:16]

    def _content_digest(self, name: str) -> bytes:
        path = (self.repo_path or Path()) / name
        try:
            content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
        except OSError:
            return b"unreadable"
        return hashlib.sha256(content).digest()

    def _git(self, *args: str) -> str | None:
        argv = ["git", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false", *args]
        env = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | {"LC_ALL": "C"}
        try:
            done = run(argv, cwd=self.repo_path or Path(), env=env, timeout=_GIT_SECONDS, output_limit=_OUTPUT_LIMIT)
        except ProcessError:
            return None
        return done.output if done.exit_status == 0 and not done.truncated else None


def _key(lint_type: str, command: str) -> str:
    digest = hashlib.sha256(command.encode(errors="surrogatepass")).hexdigest()
    return f"{lint_type}:{digest[:12]}"


def _tokens(command: str) -> list[str] | None:
    """Words and operators; None where the line can't be read."""
    lexer = shlex.shlex(command.replace("\n", " ; "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:
        return None


def _is_operator(token: str) -> bool:
    return bool(token) and set(token) <= _OPERATORS


def _simple_commands(command: str) -> Iterator[list[str]]:
    words: list[str] = []
    for token in _tokens(command) or ():
        if not _is_operator(token):
            words.append(token)
        elif words:
            yield words
            words = []
    if words:
        yield words


def _status_is_certain(command: str) -> bool:
    """Whether the exit status 0 of the line means that each of its commands passed."""
    tokens = _tokens(command)
    return tokens is not None and all(token == _SAFE_JOINT for token in tokens if _is_operator(token))


def _unwrapped(words: list[str]) -> list[str]:
    """The words from the program on, without assignments, wrappers like `uv run`, and the program's folder."""
    while words:
        wrapper = next((known for known in _WRAPPERS if tuple(words[: len(known)]) == known), None)
        if wrapper is not None:
            words = words[len(wrapper) :]
        elif "=" in words[0] and words[0].split("=")[0].isidentifier():
            words = words[1:]
        else:
            return [PurePosixPath(words[0]).name, *words[1:]]
    return []
