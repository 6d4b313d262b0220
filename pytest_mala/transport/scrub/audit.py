"""The second look: whether the finished text of a cassette holds a secret all the same; nothing is changed by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pytest_mala.transport.scrub.trees import SecretFoundError

if TYPE_CHECKING:
    from pytest_mala.transport.scrub.scrubber import Scrubber

__all__ = ["Leak", "check_text", "leaks_of"]

_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """A secret that is still there: the rule that found it (`secret`: a known value), and the line of the text, from 1;
    None if only the data show it, such as a value that the file's layout cuts apart.
    """

    rule: str
    line: int | None

    def __str__(self) -> str:
        where = "its data" if self.line is None else f"line {self.line}"
        return f"{where} (rule {self.rule})"


def check_text(text: str, scrubber: Scrubber, data: Any, *, where: str) -> None:
    """Raises SecretFoundError for a cassette that must not be written; `where` is the name of its file."""
    leaks = leaks_of(text, scrubber, data)
    if leaks:
        more = f", {len(leaks) - _SHOWN} more" if len(leaks) > _SHOWN else ""
        raise SecretFoundError(
            f"{where}: not written, since what looks like a secret would stand in {', '.join(map(str, leaks[:_SHOWN]))}"
            f"{more}; it was not replaced while it was recorded: keep it out of names of files and branches, "
            "or report this"
        )


def leaks_of(text: str, scrubber: Scrubber, data: Any = None) -> tuple[Leak, ...]:
    """All leaks of a cassette's text, in the order of their lines; `data` is what it was made of or read to.

    A `Scrubber()` without values knows the shapes only: that is what another machine can check.
    """
    found = [Leak(rule=hit.rule, line=text.count("\n", 0, hit.start) + 1) for hit in scrubber.leaks_in_text(text)]
    rules = {leak.rule for leak in found}
    hidden = [] if data is None else scrubber.leaks(data)
    return (
        *found,
        *(Leak(rule=rule, line=None) for rule in dict.fromkeys(hit.rule for hit in hidden) if rule not in rules),
    )
