"""Reads what mutmut leaves in its folder `mutants`: a verdict for each mutant, and the text that it changed."""

from __future__ import annotations

import ast
import json
from collections import Counter
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, TypeAlias

from .model import PACKAGE, ROOM, CannotJudge, Change, Mutant, Results, Verdict

if TYPE_CHECKING:
    from pathlib import Path

Functions: TypeAlias = dict[str, list[str]]

_CLASS = "ǁ"
_NUMBER = "__mutmut_"
_VERDICTS = {
    None: Verdict.NOT_CHECKED,
    0: Verdict.SURVIVED,
    1: Verdict.KILLED,
    2: Verdict.INTERRUPTED,
    3: Verdict.KILLED,  # pytest broke down: the mutant did not go unnoticed
    5: Verdict.NO_TESTS,
    24: Verdict.TIMEOUT,
    33: Verdict.NO_TESTS,
    34: Verdict.SKIPPED,
    36: Verdict.TIMEOUT,
    37: Verdict.TYPE_CHECK,
    152: Verdict.TIMEOUT,
    255: Verdict.TIMEOUT,
    -9: Verdict.CRASHED,
    -11: Verdict.CRASHED,
    -24: Verdict.TIMEOUT,  # out of processor time
}


def read(folder: Path, *, leave_out: str = "") -> Results:
    """The verdicts of a finished run, without those of one module; raises CannotJudge where the folder is not whole."""
    counts: Counter[Verdict] = Counter()
    told: list[Mutant] = []
    for meta in sorted((folder / PACKAGE / ROOM).rglob("*.py.meta")):
        module = meta.with_suffix("").relative_to(folder / PACKAGE).as_posix()
        if module != leave_out:
            found = verdicts(folder, module)
            counts.update(found.values())
            told += _mutants(folder, module, {name: one for name, one in found.items() if one is not Verdict.KILLED})
    return Results(counts=counts, told=tuple(told))


def verdicts(folder: Path, module: str) -> dict[str, Verdict]:
    """What became of the mutants of a module, by mutmut's names of their functions; raises CannotJudge."""
    meta = folder / PACKAGE / f"{module}.meta"
    try:
        codes = json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"]
        return {name.rpartition(".")[2]: _VERDICTS.get(code, Verdict.SUSPICIOUS) for name, code in codes.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CannotJudge(f"{meta}: expected mutmut's verdicts, found {error!r}; is this mutmut 3.8?") from None


def readable(name: str) -> str:
    """The name as the source has it: `Class.method`, or that of a function."""
    mangled = name.rpartition(_NUMBER)[0]
    return mangled.removeprefix("x_") if _CLASS not in mangled else ".".join(mangled.split(_CLASS)[1:])


def _mutants(folder: Path, module: str, found: dict[str, Verdict]) -> list[Mutant]:
    """The mutants of a module, in the order of the source."""
    if not found:
        return []
    file = folder / PACKAGE / module
    functions = _functions(file.read_text(encoding="utf-8"))
    try:
        told = [Mutant(change=_change(module, name, functions), verdict=verdict) for name, verdict in found.items()]
    except KeyError as error:
        raise CannotJudge(f"{file}: expected the function {error}, found none; is this mutmut 3.8?") from None
    places = {name: place for place, name in enumerate(dict.fromkeys(map(readable, functions)))}
    return sorted(told, key=lambda mutant: places[mutant.change.function])


def _functions(text: str) -> Functions:
    """The lines of mutmut's copies of functions, without indentation and with the names that the source has."""
    lines = text.split("\n")
    found: Functions = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _NUMBER in node.name:
            own = [line.strip() for line in lines[node.lineno - 1 : node.end_lineno]]
            own[0] = own[0].replace(node.name, readable(node.name).rpartition(".")[2], 1)
            found[node.name] = own
    return found


def _change(module: str, name: str, functions: Functions) -> Change:
    """The lines that a mutant has instead of others; raises KeyError for a function that is not there."""
    before, after = functions[name.rpartition(_NUMBER)[0] + _NUMBER + "orig"], functions[name]
    changed = [
        code for code in SequenceMatcher(None, before, after, autojunk=False).get_opcodes() if code[0] != "equal"
    ]
    old = [line for _, start, end, _, _ in changed for line in before[start:end]]
    new = [line for _, _, _, start, end in changed for line in after[start:end]]
    return Change(module=module, function=readable(name), old=tuple(old), new=tuple(new))
