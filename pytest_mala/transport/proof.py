"""What a cassette's header says of how its secrets were taken out (design D15)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Proof"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """By which version of the rules it was scrubbed, how many canaries were planted while it was recorded, and how many
    of them were found. `missed` names the others; it is empty in a header.
    """

    rules: int
    planted: int
    found: int
    missed: tuple[str, ...] = ()

    def to_data(self) -> dict[str, int]:
        """For a journal and for a cassette."""
        return {"rules": self.rules, "planted": self.planted, "found": self.found}

    @property
    def is_whole(self) -> bool:
        """Whether no canary escaped."""
        return self.found == self.planted > 0
