"""`pytest-mala cassette upgrade`: what this version would have written, and nothing lost."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_mala.transport.cassette import read, write
from pytest_mala.transport.scrub import RULES_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from conftest import Said

NOW = f"format 1, rules {RULES_VERSION}"


def test_what_is_up_to_date_stays_as_it_is(command: Callable[..., Said], cassette: Path) -> None:
    before = cassette.stat()
    said = command("cassette", "upgrade", cassette)
    told = f"{cassette}: unchanged, it is what this version writes ({NOW})\n"
    assert (said.status, said.out, said.err) == (0, told, "")
    assert cassette.stat() == before


def test_a_recording_from_before_secrets_were_taken_out_is_proven_now(
    command: Callable[..., Said], cassette: Path
) -> None:
    found = read(cassette)
    write(cassette, replace(found, scrub=None, edited=True))
    said = command("cassette", "upgrade", cassette)
    assert (said.status, said.out) == (0, f"{cassette}: written anew ({NOW})\n")
    assert read(cassette) == replace(found, edited=True)
    assert command("cassette", "check", cassette).out == f"{cassette}: edited by hand\n"


def test_one_that_was_cut_short_stays_incomplete(command: Callable[..., Said], cassette: Path) -> None:
    found = read(cassette)
    write(cassette, replace(found, scrub=None, complete=False))
    assert command("cassette", "upgrade", cassette).status == 0
    assert read(cassette, allow_incomplete=True) == replace(found, complete=False)


def test_a_secret_is_not_taken_out_but_told(
    command: Callable[..., Said], cassette: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUR_API_KEY", "I will check the claim.")
    before = cassette.read_bytes()
    said = command("cassette", "upgrade", cassette)
    line = (
        cassette.read_text(encoding="utf-8")
        .splitlines()
        .index('          content: [{type: text, text: "I will check the claim."}]')
    )
    assert (said.status, said.out) == (1, "")
    assert said.err == (
        f"error: {cassette}:{line + 1}: holds what looks like a secret (rule secret): revoke it, and record the "
        "session again\n"
    )
    assert cassette.read_bytes() == before


def test_what_a_replay_refuses_is_refused(command: Callable[..., Said], cassette: Path) -> None:
    text = cassette.read_text(encoding="utf-8")
    cassette.write_text(text.replace("  format: 1\n", "  format: 2\n"), encoding="utf-8")
    said = command("cassette", "upgrade", cassette)
    assert (said.status, said.out) == (1, "")
    assert said.err == (
        f"error: {cassette}:4: cassette format 2 is not known, this pytest-mala reads 1; use the pytest-mala that "
        "wrote the file, or record it again\n"
    )


def test_what_was_done_is_told_as_json_too(command: Callable[..., Said], cassette: Path, tmp_path: Path) -> None:
    missing = tmp_path / "calc-9.yaml"
    said = command("cassette", "upgrade", "--json", cassette, missing)
    assert (said.status, said.err) == (1, "")
    assert [json.loads(line) for line in said.out.splitlines()] == [
        {
            "path": str(cassette),
            "ok": True,
            "done": f"{cassette}: unchanged, it is what this version writes ({NOW})",
            "error": None,
        },
        {"path": str(missing), "ok": False, "done": None, "error": f"{missing}: there is no cassette"},
    ]
    said = command("cassette", "seal", "--json", cassette)
    assert json.loads(said.out)["done"] == f"{cassette}: unchanged, its digest is right"
    said = command("cassette", "recover", "--json", cassette)
    assert json.loads(said.out)["error"] == (
        f"{cassette}: expected the journal of a recording, a file named like calc-1.yaml.1234.part"
    )
