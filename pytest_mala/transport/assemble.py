"""From the journal of a recording to the cassette of its take, also where the recording was cut short."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pytest_mala.transport.cassette import Aliases, Cassette, Take
from pytest_mala.transport.proof import Proof
from pytest_mala.transport.takes import cli_version, interactions

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["TakeHead", "assemble", "recovered"]

_DAMAGE = (AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What reading entries raises that no recorder has written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeHead:
    """What is known of a take before it begins; the first entry of its journal, so that a killed run can be recovered.

    `lane` and `start` (an ISO 8601 time) as in a `Cassette`, `sdk` is the version of the SDK.
    """

    issue: str
    lane: str
    sdk: str
    start: str
    number: int = 1

    def to_entry(self) -> dict[str, Any]:
        """The entry of the journal."""
        return {"k": "take", **asdict(self)}


def assemble(head: TakeHead, entries: Sequence[Mapping[str, Any]], *, complete: bool = True) -> Cassette:
    """The cassette of one take, with stable ids; those of interactions that were kept stay."""
    aliases = Aliases()
    for entry in entries:
        if entry["k"] == "kept":
            aliases.keep([entry["headers"], entry["body"], entry["response"]], entry["c"])
    made = interactions(entries, issue=head.issue, take=head.number, canonical=_canonical(aliases))
    return Cassette(
        issue=head.issue,
        lane=head.lane,
        sdk=head.sdk,
        cli=cli_version(entries),
        takes=(Take(number=head.number, start=head.start, interactions=made),),
        complete=complete,
        scrub=_proof(entries),
    )


def _proof(entries: Sequence[Mapping[str, Any]]) -> Proof | None:
    """How the entries were scrubbed; None for those of an earlier version."""
    found = next((entry for entry in entries if entry["k"] == "proof"), None)
    return None if found is None else Proof(**{name: found[name] for name in ("rules", "planted", "found")})


def recovered(entries: Sequence[Mapping[str, Any]]) -> Cassette:
    """The cassette of a journal that a killed run left, marked incomplete. Raises ValueError if it can't be one."""
    if not entries or entries[0].get("k") != "take":
        raise ValueError("expected an entry that names the take first (journals of earlier versions have none)")
    try:
        facts = {key: value for key, value in entries[0].items() if key not in ("k", "t")}
        return assemble(TakeHead(**facts), entries, complete=False)
    except _DAMAGE as error:
        raise ValueError(f"an entry is not one of a recording ({type(error).__name__}: {error})") from None


def _canonical(aliases: Aliases) -> Callable[[Any, int], Any]:
    """Stable ids in frames, and in the texts that stand beside them."""

    def canonical(value: Any, connection: int) -> Any:
        if isinstance(value, Mapping):
            return aliases.canonical(dict(value), connection)
        if isinstance(value, list):
            return [canonical(item, connection) for item in value]
        return aliases.map_text(value) if isinstance(value, str) else value

    return canonical
