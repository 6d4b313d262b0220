"""What a test asks of a cassette for its application, and where the files of it are."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pytest_mala.transport.names import Names

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_mala.case.settings import CaseSettings
    from pytest_mala.case.stage import Stage

__all__ = ["FOLDER", "Asked"]

FOLDER: Final = "applications"
"""Below the folder of the cassettes, so that no name of a test meets the id of an issue."""

_SHORTEST: Final = 5
"""Characters of a path that is worth a name; a shorter one (`/`, `/app`) stands in too many other texts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One cassette of one test.

    `script` is the model script of lane scripted, `workspace` what `${WORKSPACE}` stands for in it. `places` are
    folders of this run by the name that stands for them in the cassette; of equal ones the last counts. `is_loose` as
    in `Matching`.
    """

    name: str
    script: Path
    workspace: Path
    settings: CaseSettings
    places: Mapping[str, Path] = field(default_factory=dict)
    is_loose: bool = False

    @property
    def cassette(self) -> Path:
        """The file of the cassette."""
        return self.settings.cassettes / FOLDER / f"{self.name}.yaml"

    @property
    def where(self) -> str:
        """The cassette as messages name it."""
        return self.settings.shown(self.cassette)

    @property
    def shown_script(self) -> str:
        """The model script as messages name it."""
        return self.settings.shown(self.script)

    @property
    def remedy(self) -> str:
        """How the test is recorded anew; the command works only where there is a model script."""
        first = f"write the model script {self.shown_script} first (the format: docs/model-script.md), then "
        command = self.settings.record_command.format(issue=self.name)
        return f"{'' if self.script.is_file() else first}record it with: {command}"

    def names(self, stage: Stage) -> Names:
        """What stands for this machine's paths in the cassette: folders of the run, and what the CLI has for itself.

        The CLI names a folder after the one in which it works, with a dash for each other character: a name of its own.
        """
        values: dict[str, str] = {}
        for name, path in self.places.items():
            if len(str(path)) >= _SHORTEST:
                values[name] = str(path)
                values[f"{name}_SLUG"] = re.sub(r"[^A-Za-z0-9]", "-", str(path))
        own = {name: value for name, value in stage.names().values.items() if not name.startswith("WORKSPACE")}
        own["CLI_HOME"] = own.pop("HOME")
        return Names({**values, **own}, whole=self.places)
