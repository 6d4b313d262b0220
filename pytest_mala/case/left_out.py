"""Tell what a recording does not hold: files that a workspace left out, and what that means for a replay."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["left_out"]

SHOWN = 20
"""Names that are told; the rest is counted."""

_IGNORED = " (ignored)"


def left_out(template: Iterable[str], kept_out: Iterable[str]) -> tuple[str, ...]:
    """One remark for each thing that is not in the workspace (`template`), or not in the snapshots of its turns.

    What several turns left out is told once.
    """
    names = list(dict.fromkeys(kept_out))
    remarks = [_remark(name) for name in names[:SHOWN]]
    if len(names) > SHOWN:
        remarks.append(f"not in the cassette: {len(names) - SHOWN} more; checks on replay run without them")
    return (*dict.fromkeys(template), *remarks)


def _remark(name: str) -> str:
    hint = "; to keep it, name it under `workspace.include`" if name.endswith(_IGNORED) else ""
    return f"not in the cassette: {name}; checks on replay run without it{hint}"
