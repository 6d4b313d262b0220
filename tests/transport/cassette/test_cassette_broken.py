"""Broken cassettes, each with its whole message: one line, the place, what is wrong and what to do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from cassette_examples import recorded, resealed

from pytest_mala.errors import CassetteError, CassetteMissingError
from pytest_mala.transport.cassette import MAX_BYTES, Cassette, dump, read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TRUNCATED = "the end mark `...` is missing: the file is truncated, or pytest-mala did not write it"
SEAL = "look at the change, then accept it with `pytest-mala cassette seal PATH`"


def swap(old: str, new: str) -> Callable[[str], str]:
    """One change by someone who then computes the digest himself."""

    def change(text: str) -> str:
        assert old in text
        return resealed(text.replace(old, new, 1))

    return change


BROKEN: dict[str, tuple[Callable[[str], str | bytes], str]] = {
    "empty": (lambda _: "", "PATH: is empty; take it from version control or record it again"),
    "binary": (lambda _: b"\x89PNG\r\n\x1a\n\x00", "PATH:1: is not UTF-8 text (byte 0x89)"),
    "not UTF-8": (lambda text: text.encode().replace(b"Done", b"D\xf6ne"), "PATH:31: is not UTF-8 text (byte 0xf6)"),
    "not ours": (lambda _: "version: 1\ninteractions: []\n", f"PATH:2: {TRUNCATED}"),
    "cut after the header": (lambda text: text[: text.index("interactions:")], f"PATH:9: {TRUNCATED}"),
    "cut in a frame": (lambda text: text[: text.index("Done.")], f"PATH:31: {TRUNCATED}"),
    "cut before the end mark": (lambda text: text[:-4], f"PATH:60: {TRUNCATED}"),
    "cut in the end mark": (lambda text: text[:-2], f"PATH:61: {TRUNCATED}"),
    "cut line feed": (lambda text: text[:-1], f"PATH:61: {TRUNCATED}"),
    "trailing garbage": (lambda text: text + "garbage\n", "PATH:62: there is text after the end mark `...`"),
    "two documents": (lambda text: text + "---\n" + text, "PATH:62: there is text after the end mark `...`"),
    "Windows line ends": (
        lambda text: text.replace("\n", "\r\n"),
        "PATH:1: has a carriage return, and a cassette is read byte by byte; if git converts line ends here, "
        "switch that off for cassettes in .gitattributes (`*.yaml -text`)",
    ),
    "later format": (
        lambda text: text.replace("format: 1\n", "format: 2\n"),
        "PATH:4: cassette format 2 is not known, this pytest-mala reads 1; "
        "use the pytest-mala that wrote the file, or record it again",
    ),
    "later format in another style": (
        lambda _: "version: 1\nmala: {format: 12, x: y}\n# md5: 0\n...\n",
        "PATH:2: cassette format 12 is not known, this pytest-mala reads 1; "
        "use the pytest-mala that wrote the file, or record it again",
    ),
    "other version of vcrpy": (
        lambda text: text.replace("version: 1\n", "version: 3\n", 1),
        "PATH:2: vcrpy's version 3 is not known, this pytest-mala reads 1; "
        "use the pytest-mala that wrote the file, or record it again",
    ),
    "other version far below": (
        swap("version: 1\n", f"# {'x' * 5000}\nversion: 3\n"),
        "PATH:3: version: expected 1, got 3",
    ),
    "later format far below": (
        swap("  format: 1\n", f"  # {'x' * 5000}\n  format: 2\n"),
        "PATH:5: mala.format: expected 1, got 2",
    ),
    "edited text": (
        lambda text: text.replace("return a + b", "return a - b"),
        f"PATH:60: the text does not match its digest, it was edited by hand; {SEAL}",
    ),
    "one bit flipped": (
        lambda text: text.replace("Done", "Done"[:3] + "d"),
        f"PATH:60: the text does not match its digest, it was edited by hand; {SEAL}",
    ),
    "bad digest": (
        lambda text: text.rpartition(": ")[0] + f": {'0' * 64}\n...\n",
        f"PATH:60: the text does not match its digest, it was edited by hand; {SEAL}",
    ),
    "missing digest": (
        lambda text: text.rpartition("# sha256")[0] + "...\n",
        f"PATH:59: the digest (`# sha256: ...` above the end mark) is missing; {SEAL}",
    ),
    "no digest at all": (
        lambda text: text.rpartition("# sha256")[0] + "# sha256: lost\n...\n",
        f"PATH:60: the digest (`# sha256: ...` above the end mark) is missing; {SEAL}",
    ),
    "duplicate key": (
        swap("  lane: scripted\n", "  lane: scripted\n  lane: live\n"),
        "PATH:7: the key 'lane' stands twice in one mapping",
    ),
    "YAML tag": (
        swap("body: |\n", "body: !!binary |\n"),
        "PATH:22: a YAML tag (tag:yaml.org,2002:binary) is not allowed; a cassette holds JSON data only",
    ),
    "Python tag": (
        swap("headers: {}", "headers: !!python/object/apply:os.system [ls]"),
        "PATH:15: a YAML tag (tag:yaml.org,2002:python/object/apply:os.system) is not allowed; "
        "a cassette holds JSON data only",
    ),
    "anchor": (
        swap("headers: {}", "headers: &none {}"),
        "PATH:15: an anchor (&none) is not allowed; write the value out where it is needed",
    ),
    "alias": (
        swap("headers: {}", "headers: *none"),
        "PATH:15: an alias (*none) is not allowed; write the value out where it is needed",
    ),
    "100,000 nested brackets": (
        swap("headers: {}", "headers: " + "[" * 100_000),
        "PATH:15: nested deeper than 64 levels",
    ),
    "second document inside": (
        swap("interactions:", "---\ninteractions:"),
        "PATH:10: the document does not close with `...`",
    ),
    "end mark inside": (
        swap("interactions:", "...\n---\ninteractions:"),
        "PATH:11: there is text after the end mark `...`",
    ),
    "broken YAML": (
        swap("headers: {}", "headers: {"),
        "PATH:17: is not YAML: while parsing a flow mapping, did not find expected ',' or '}'",
    ),
    "control character": (swap("Done.", "D\x07."), "PATH:31: is not YAML: control characters are not allowed"),
    "a word that YAML guesses": (
        swap("Done.", "no"),
        "PATH:31: `no` means different things to YAML readers; put it in double quotes if it is a text",
    ),
    "unknown key at the top": (
        swap("version: 1\n", "version: 1\nmetadata: {}\n"),
        "PATH:3: metadata: unknown key; known here are version, mala, interactions, shared",
    ),
    "unknown key in the header": (
        swap("  lane: ", "  lanes: 1\n  lane: "),
        "PATH:6: mala.lanes: unknown key; "
        "known here are format, issue, lane, sdk, cli, takes, edited, complete, source, scrub",
    ),
    "unknown key in an interaction": (
        swap("  response:\n", "  recorded_at: now\n  response:\n"),
        "PATH:16: interactions[0].recorded_at: unknown key; known here are request, response",
    ),
    "missing key": (
        swap("    body: |\n      # calc-1\n\n      Fix add().\n", ""),
        "PATH:19: interactions[1].request: missing key 'body'",
    ),
    "no header": (
        lambda text: resealed(text[: text.index("mala:")] + text[text.index("interactions:") :]),
        "PATH:2: missing key 'mala'",
    ),
    "not a mapping": (lambda _: resealed("- 1\n- 2\n# sha256: x"), "PATH:1: expected a mapping, got a list of 2"),
    "only comments": (
        lambda _: resealed("# a\n# sha256: x"),
        "PATH:3: is not YAML: while parsing a block node, did not find expected node content",
    ),
    "wrong type": (swap('sdk: "0.2.187"', "sdk: 2"), "PATH:7: mala.sdk: expected a text, got 2"),
    "wrong lane": (
        swap("lane: scripted", "lane: replay"),
        "PATH:6: mala.lane: expected scripted or live, got 'replay'",
    ),
    "unknown source": (
        swap("  takes:", "  source: memory\n  takes:"),
        "PATH:9: mala.source: expected session log, got 'memory'",
    ),
    "a source that was recorded": (
        swap("  takes:", '  source: "session log"\n  takes:'),
        "PATH:6: mala.lane: expected unknown, got 'scripted'",
    ),
    "a source with an SDK": (
        swap("  lane: scripted", '  source: "session log"\n  lane: unknown'),
        "PATH:8: mala.sdk: expected unknown, got '0.2.187'",
    ),
    "an unknown lane without a source": (
        swap("lane: scripted", "lane: unknown"),
        "PATH:6: mala.lane: expected scripted or live, got 'unknown'",
    ),
    "edited: false": (
        swap("  takes:", "  edited: false\n  takes:"),
        "PATH:9: mala.edited: only true is written; else leave the key out",
    ),
    "complete: true": (
        swap("  takes:", "  complete: true\n  takes:"),
        "PATH:9: mala.complete: only false is written; else leave the key out",
    ),
    "a proof that counts nothing": (
        swap("  takes:", "  scrub: {rules: 1, planted: 0, found: 0}\n  takes:"),
        "PATH:9: mala.scrub.planted: expected 1 or more, got 0",
    ),
    "a proof that failed": (
        swap("  takes:", "  scrub: {rules: 1, planted: 40, found: 39}\n  takes:"),
        "PATH:9: mala.scrub.found: expected 40, all that were planted, got 39",
    ),
    "a proof without its rules": (
        swap("  takes:", "  scrub: {planted: 40, found: 40}\n  takes:"),
        "PATH:9: mala.scrub: missing key 'rules'",
    ),
    "a proof that is a text": (
        swap("  takes:", "  scrub: proven\n  takes:"),
        "PATH:9: mala.scrub: expected a mapping, got 'proven'",
    ),
    "cut short": (
        swap("  takes:", "  complete: false\n  takes:"),
        "PATH:9: the recording was cut short (complete: false); record it again, "
        "or replay it with --mala-allow-incomplete",
    ),
    "headers of another shape": (
        swap("headers: {}", "headers: {a: [b, c]}"),
        "PATH:15: interactions[0].request.headers.a: expected a list with one text, got a list of 2",
    ),
    "unknown method": (
        swap("method: TREE", "method: BUSH"),
        "PATH:36: interactions[2].request.method: expected one of CONNECT, QUERY, CONTROL, END, TREE, GATE, REVIEW, "
        "got 'BUSH'",
    ),
    "URI of another issue": (
        swap("claude-sdk://calc-1/1/tree", "claude-sdk://calc-2/1/tree"),
        "PATH:37: interactions[2].request.uri: expected claude-sdk://calc-1/1/..., takes in order, "
        "got 'claude-sdk://calc-2/1/tree/1'",
    ),
    "fewer times than frames": (
        swap("ms: [12, 0, 3000, 1]", "ms: [12, 0, 3000]"),
        "PATH:28: interactions[1].response.ms: expected 4 numbers, one for each frame, got 3",
    ),
    "a time that is none": (
        swap("ms: [12, 0,", "ms: [12, -1,"),
        "PATH:28: interactions[1].response.ms[1]: expected milliseconds, 0 or more, got -1",
    ),
    "times without frames": (
        swap("    ms: []\n    frames: []\n", "    ms: []\n"),
        "PATH:16: interactions[0].response: missing key 'frames'; `ms` and `frames` come together",
    ),
    "bad frame item": (
        swap("{decision: idle}", "{decided: idle}"),
        "PATH:33: interactions[1].response.frames[2]: "
        "expected one key of cli, sdk, trailing, tree, decision, got decided",
    ),
    "frame that is no mapping": (
        swap("trailing: {type: system}", "trailing: system"),
        "PATH:34: interactions[1].response.frames[3].trailing: expected a mapping, got 'system'",
    ),
    "shared with nothing": (
        swap("{tree: ", "{shared: init-9, tree: "),
        "PATH:32: interactions[1].response.frames[1].shared: "
        "expected a name that stands under `shared` (none), got 'init-9'",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_cassette_is_told_in_one_line(tmp_path: Path, small: Cassette, name: str) -> None:
    change, message = BROKEN[name]
    broken = change(dump(small))
    path = tmp_path / "x.yaml"
    path.write_bytes(broken if isinstance(broken, bytes) else broken.encode())
    with pytest.raises(CassetteError) as caught:
        read(path)
    assert str(caught.value) == message.replace("PATH", str(path))
    assert caught.value.path == path
    assert caught.value.__cause__ is None


def test_a_frame_of_the_wrong_kind_can_not_share(tmp_path: Path) -> None:
    text = dump(recorded("one"))
    init = "        type: system\n        subtype: init\n"
    assert init in text
    path = tmp_path / "x.yaml"
    path.write_text(resealed(text.replace(init, init.replace("system", "assistant"))))
    with pytest.raises(CassetteError) as caught:
        read(path)
    assert caught.value.what == (
        "interactions[1].response.frames[4].shared: "
        "only a system frame or an answer to a control request from the CLI can share a payload"
    )
    assert caught.value.line is not None


def test_a_missing_cassette_is_not_a_broken_one(tmp_path: Path) -> None:
    path = tmp_path / "no" / "x.yaml"
    with pytest.raises(CassetteMissingError) as caught:
        read(path)
    assert str(caught.value) == f"{path}: there is no cassette"


def test_a_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(CassetteError) as caught:
        read(tmp_path)
    assert str(caught.value) == f"{tmp_path}: is a folder, not a cassette"


@pytest.mark.parametrize("target", ["good.yaml", "nowhere.yaml"])
def test_a_symbolic_link_is_refused_wherever_it_points(tmp_path: Path, small: Cassette, target: str) -> None:
    (tmp_path / "good.yaml").write_text(dump(small))
    path = tmp_path / "x.yaml"
    path.symlink_to(tmp_path / target)
    with pytest.raises(CassetteError) as caught:
        read(path)
    assert str(caught.value) == f"{path}: is a symbolic link; a cassette must be a regular file in its own folder"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    os.mkfifo(path)
    with pytest.raises(CassetteError) as caught:
        read(path)
    assert str(caught.value) == f"{path}: is not a regular file"


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    with path.open("wb") as stream:
        stream.truncate(40 * MAX_BYTES)  # a hole: it takes no room on the disk
    with pytest.raises(CassetteError) as caught:
        read(path)
    assert str(caught.value) == f"{path}: has {40 * MAX_BYTES} bytes, a cassette may have {MAX_BYTES}"


def test_a_path_through_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CassetteError) as caught:
        read(tmp_path / "file" / "x.yaml")
    assert str(caught.value) == f"{tmp_path / 'file' / 'x.yaml'}: can't be read: Not a directory"


def test_every_truncation_is_refused(tmp_path: Path, small: Cassette) -> None:
    content = dump(small).encode()
    path = tmp_path / "x.yaml"
    for cut in range(0, len(content), 7):
        path.write_bytes(content[:cut])
        with pytest.raises(CassetteError):
            read(path)
