"""Frames are read when somebody looks at them, and whatever is wrong with them is told as if all was read at once."""

from __future__ import annotations

import copy
import json
from dataclasses import asdict
from random import Random
from typing import TYPE_CHECKING

import pytest
from cassette_examples import cassette, interaction, recorded, resealed, take
from cassette_values import NASTY
from test_cassette_quick import changed

from pytest_mala.errors import CassetteError
from pytest_mala.transport.cassette import Cassette, dump, read, read_lazily, write
from pytest_mala.transport.cassette.opening import parsed

if TYPE_CHECKING:
    from pathlib import Path

MANY = 200


def long_one() -> Cassette:
    """Two interactions with frames, one of them with more than are parsed at once; the others have none."""
    many = [{"cli": {"type": "x", "number": number}} for number in range(MANY)]
    few = [{"sdk": {"type": "y", "text": text}} for text in NASTY]
    return cassette(
        take(
            1,
            interaction("CONNECT", "1/connection/1"),
            interaction("QUERY", "1/connection/1/query/1", body="do it\n", frames=many, ms=[3] * MANY),
            interaction("QUERY", "1/connection/1/query/2", frames=few, ms=[5] * len(few), decisions=["a", "b" * 100]),
            interaction("GATE", "1/gate/1", checks=[{"name": "test", "output": "one\n- request:\n"}], took_ms=[1]),
        )
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write(tmp_path / "x.yaml", long_one())
    return tmp_path / "x.yaml"


def test_nothing_is_parsed_before_it_is_asked_for(path: Path) -> None:
    frames = read_lazily(path).takes[0].interactions[1].response["frames"]
    assert (len(frames), repr(frames)) == (MANY, "<200 frames, 0 of them read>")
    assert frames[0] == {"cli": {"type": "x", "number": 0}}
    assert repr(frames) == "<200 frames, 64 of them read>"
    assert next(iter(frames)) is frames[0]
    assert frames[-1] == {"cli": {"type": "x", "number": 199}}
    assert frames[5:7] == [{"cli": {"type": "x", "number": 5}}, {"cli": {"type": "x", "number": 6}}]
    assert frames[300:] == []
    with pytest.raises(IndexError):
        frames[MANY]


def test_copying_and_comparing_reads_no_more_than_it_must(path: Path) -> None:
    frames = read_lazily(path).takes[0].interactions[1].response["frames"]
    assert copy.deepcopy(frames) is frames
    assert frames != "frames"
    assert repr(frames) == "<200 frames, 0 of them read>"
    assert frames == long_one().takes[0].interactions[1].response["frames"]


def test_all_of_it_is_what_was_written(path: Path) -> None:
    expected = [asdict(one) for one in long_one().takes[0].interactions]
    assert json.dumps(read(path).values(), sort_keys=True) == json.dumps(expected, sort_keys=True)
    assert read(path) == read_lazily(path) == long_one()
    assert dump(read_lazily(path)) == path.read_text()


def test_an_error_in_a_late_frame_names_its_line(path: Path) -> None:
    lines = path.read_text().splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if "number: 150" in line)
    lines[at] = lines[at].replace("number: 150", "number: &x 150")
    path.write_text(resealed("".join(lines)))
    frames = read_lazily(path).takes[0].interactions[1].response["frames"]
    assert frames[100] == {"cli": {"type": "x", "number": 100}}
    for _ in range(2):
        with pytest.raises(CassetteError) as caught:
            list(frames)
        assert str(caught.value) == (
            f"{path}:{at + 1}: an anchor (&x) is not allowed; write the value out where it is needed"
        )
    assert caught.value.__cause__ is None


def test_a_frame_that_says_nothing_we_know_is_refused_when_it_is_read(path: Path) -> None:
    text = path.read_text().replace("- cli: {type: x, number: 70}", "- clo: {type: x, number: 70}")
    path.write_text(resealed(text))
    opened = read_lazily(path)
    line = text[: text.index("clo")].count("\n") + 1
    with pytest.raises(CassetteError) as caught:
        opened.values()
    assert str(caught.value) == (
        f"{path}:{line}: interactions[1].response.frames[70]: "
        "expected one key of cli, sdk, trailing, tree, decision, got clo"
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    - cli: {type: x, number: 9}\n", "    # a remark\n    - cli: {type: x, number: 9}\n"),
        ("    - cli: {type: x, number: 9}\n", "    -   cli: {type: x, number: 9}\n"),
        ("    - cli: {type: x, number: 9}\n", "    -\n      cli: {number: 9, type: 'x'}\n"),
        ("    frames:\n    - cli", "    frames: # as it came\n    - cli"),
        ("    frames:\n    - cli", "    frames:\n\n    - cli"),
        ("version: 1\n", "# first of all\nversion: 1\n"),
    ],
)
def test_what_is_written_otherwise_and_sealed_by_hand_is_read_all_the_same(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(resealed(text.replace(old, new, 1)))
    assert json.dumps(read(path).values(), sort_keys=True) == json.dumps(long_one().values(), sort_keys=True)


def test_frames_that_stand_in_a_text_are_none(tmp_path: Path) -> None:
    """An outline that is drawn inside of a text must not be taken for one."""
    fake = "    frames:\n    - cli: {type: x}\n"
    text = dump(cassette(take(1, interaction("QUERY", "1/connection/1/query/1", frames=[], ms=[], x="text"))))
    assert "    x: text\n" in text
    lying = text.replace("    ms: []\n    x: text\n    frames: []\n", f"   ms: [3]\n   x: |\n{fake}   frames: []\n")
    assert lying != text
    (tmp_path / "x.yaml").write_text(resealed(lying))
    with pytest.raises(CassetteError) as caught:
        read(tmp_path / "x.yaml").values()
    assert caught.value.what == "interactions[0].response.ms: expected 0 numbers, one for each frame, got 1"


def outcome(work: object) -> str:
    try:
        return json.dumps(work())  # type: ignore[operator]
    except CassetteError as error:
        return f"refused: {error}"


@pytest.mark.parametrize("seed", range(4))
def test_a_changed_file_with_a_right_digest_is_read_or_refused_as_if_it_was_read_whole(
    tmp_path: Path, seed: int
) -> None:
    """Anyone can compute the digest. There must be no file that is read in two ways, or refused in two ways."""
    random = Random(seed)
    path = tmp_path / "x.yaml"
    texts = [dump(recorded("one")), dump(small_mix())]
    stories = set()
    for _ in range(400):
        text = random.choice(texts)
        for _ in range(random.randint(1, 3)):
            text = changed(text, random)
        if "# sha256:" not in text:
            continue
        path.write_text(resealed(text), encoding="utf-8", newline="")
        now = outcome(lambda: read_lazily(path).values())
        assert "Traceback" not in now
        if now.startswith("refused") and "YAML" not in now and ": interactions" not in now:
            continue  # told before the text is parsed
        assert now == outcome(lambda: parsed(path, path.read_bytes()).values())
        stories.add(now.partition(":")[0])
    assert len(stories) > 1


def small_mix() -> Cassette:
    frames = [{"cli": {"type": "x", "text": text}} for text in NASTY[::3]]
    return cassette(
        take(
            1,
            interaction("CONNECT", "1/connection/1", frames=frames[:2], ms=[0, 1]),
            interaction("QUERY", "1/connection/1/query/1", body="a\nb", frames=frames, ms=[5] * len(frames)),
        )
    )
