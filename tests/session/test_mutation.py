"""The mutation run tells survivors without a reason and reasons without a survivor; tested without mutmut."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import tomllib
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from mutation.__main__ import choose, main, must_be_new
from mutation.copies import CANARY, ask_canary, make, tracked
from mutation.explained import EXPLAINED, draft, read
from mutation.judge import judge, told
from mutation.model import NOT_MUTATED, PROJECT, CannotJudge, Change, Explanation, Mutant, Results, Verdict, modules
from mutation.results import read as read_results, verdicts
from mutation.run import Progress, environment, must_prove, needs, run

if TYPE_CHECKING:
    from pathlib import Path

MUTATED = """\
mutants_x_twice__mutmut: MutantDict = {}


@_mutmut_mutated(mutants_x_twice__mutmut)
def twice(number: int = 2) -> int:
    return number * 2


def x_twice__mutmut_orig(number: int = 2) -> int:
    return number * 2


def x_twice__mutmut_1(number: int = 3) -> int:
    return number * 2


def x_twice__mutmut_2(number: int = 2) -> int:
    return number * 3


class Door:
    async def xǁDoorǁ_open__mutmut_orig(self) -> None:
        await self.push(
            "hard",
            hand=1,
        )
        await self.push()

    async def xǁDoorǁ_open__mutmut_1(self) -> None:
        await self.push(
            "XXhardXX",
            hand=2,
        )
        await self.push()

    async def xǁDoorǁ_open__mutmut_2(self) -> None:
        await self.push(
            "hard",
        )
        await self.push()
"""
KEYS = ["x_twice__mutmut_1", "x_twice__mutmut_2", "xǁDoorǁ_open__mutmut_1", "xǁDoorǁ_open__mutmut_2"]

HEAD = Change(
    module="session/door.py",
    function="twice",
    old=("def twice(number: int = 2) -> int:",),
    new=("def twice(number: int = 3) -> int:",),
)
BODY = dataclasses.replace(HEAD, old=("return number * 2",), new=("return number * 3",))
TWO_LINES = Change(
    module="session/door.py", function="Door._open", old=('"hard",', "hand=1,"), new=('"XXhardXX",', "hand=2,")
)
A_LINE_LESS = dataclasses.replace(TWO_LINES, old=("hand=1,",), new=())


def write_module(mutants: Path, module: str, text: str, codes: dict[str, int | None]) -> None:
    """What mutmut leaves of a module."""
    file = mutants / "pytest_mala" / module
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    dotted = f"pytest_mala.{module.removesuffix('.py').replace('/', '.')}"
    data = {"exit_code_by_key": {f"{dotted}.{name}": code for name, code in codes.items()}, "durations_by_key": {}}
    file.with_name(f"{file.name}.meta").write_text(json.dumps(data), encoding="utf-8")


def results(*mutants: tuple[Change, Verdict], killed: int = 1) -> Results:
    counts = Counter({Verdict.KILLED: killed}) + Counter(verdict for _, verdict in mutants)
    return Results(counts=counts, told=tuple(Mutant(change=change, verdict=verdict) for change, verdict in mutants))


def survived(*changes: Change) -> Results:
    return results(*((change, Verdict.SURVIVED) for change in changes))


def reason(change: Change, times: int = 1) -> Explanation:
    return Explanation(change=change, why="it is the same", times=times)


# What mutmut leaves


def test_changes_are_read_with_the_names_of_the_source(tmp_path: Path) -> None:
    write_module(tmp_path, "session/door.py", MUTATED, dict.fromkeys(KEYS, 0))
    found = read_results(tmp_path)
    assert [mutant.change for mutant in found.told] == [HEAD, BODY, TWO_LINES, A_LINE_LESS]
    assert found.counts == {Verdict.SURVIVED: 4}


def test_modules_in_folders_are_found_and_one_may_be_left_out(tmp_path: Path) -> None:
    write_module(tmp_path, "session/transcript/door.py", MUTATED, {KEYS[0]: 0})
    write_module(tmp_path, CANARY, MUTATED, {KEYS[0]: 0})
    assert [mutant.change.module for mutant in read_results(tmp_path, leave_out=CANARY).told] == [
        "session/transcript/door.py"
    ]


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (0, "survived"), (1, "killed"), (3, "killed"), (5, "reached by no test"), (33, "reached by no test"),
        (-24, "timed out"), (36, "timed out"), (255, "timed out"), (37, "caught by a type check"), (34, "skipped"),
        (-11, "crashed"), (2, "interrupted"), (None, "not checked"), (35, "suspicious"), (77, "suspicious"),
    ],
)  # fmt: skip
def test_every_exit_code_is_a_verdict(tmp_path: Path, code: int | None, verdict: str) -> None:
    write_module(tmp_path, "session/door.py", MUTATED, {KEYS[0]: code})
    assert [one.value for one in verdicts(tmp_path, "session/door.py").values()] == [verdict]
    assert [mutant.change for mutant in read_results(tmp_path).told] == ([] if verdict == "killed" else [HEAD])


def test_a_folder_of_another_mutmut_is_told(tmp_path: Path) -> None:
    write_module(tmp_path, "session/door.py", MUTATED, {"x_gone__mutmut_1": 0})
    file = tmp_path / "pytest_mala" / "session" / "door.py"
    with pytest.raises(CannotJudge) as caught:
        read_results(tmp_path)
    assert str(caught.value) == (
        f"{file}: expected the function 'x_gone__mutmut_orig', found none; is this mutmut 3.8?"
    )
    meta = file.with_name("door.py.meta")
    meta.write_text("{}", encoding="utf-8")
    with pytest.raises(CannotJudge) as caught:
        read_results(tmp_path)
    assert str(caught.value) == (
        f"{meta}: expected mutmut's verdicts, found KeyError('exit_code_by_key'); is this mutmut 3.8?"
    )


# The judgement


def test_an_explained_survivor_is_in_order() -> None:
    judgement = judge(survived(HEAD, BODY), [reason(HEAD), reason(BODY)])
    assert (judgement.status, judgement.explained) == (0, 2)
    assert told(judgement) == "3 mutants: 1 killed, 2 survived; 2 explained, 0 not explained, 0 stale"


def test_a_survivor_without_a_reason_is_told() -> None:
    judgement = judge(survived(HEAD, TWO_LINES), [reason(HEAD)])
    assert judgement.status == 1
    assert told(judgement).splitlines() == [
        "session/door.py Door._open (survived, not explained)",
        '    - "hard",',
        "    - hand=1,",
        '    + "XXhardXX",',
        "    + hand=2,",
        "3 mutants: 1 killed, 2 survived; 1 explained, 1 not explained, 0 stale",
    ]


def test_a_reason_without_a_survivor_is_stale() -> None:
    judgement = judge(survived(), [reason(A_LINE_LESS)])
    assert judgement.status == 1
    assert told(judgement).splitlines() == [
        "session/door.py Door._open (stale, did not survive)",
        "    - hand=1,",
        "    why: it is the same",
        "1 mutants: 1 killed; 0 explained, 0 not explained, 1 stale",
    ]


def test_reasons_of_modules_that_were_not_mutated_are_not_stale() -> None:
    assert judge(survived(), [reason(HEAD)], ["session/idle.py"]).status == 0
    assert judge(survived(), [reason(HEAD)], ["session/door.py"]).status == 1


def test_a_reason_is_for_as_many_changes_as_it_says() -> None:
    assert judge(survived(HEAD, HEAD), [reason(HEAD, times=2)]).status == 0
    assert len(judge(survived(HEAD, HEAD), [reason(HEAD)]).unexplained) == 1
    fewer = judge(survived(HEAD), [reason(HEAD, times=2)])
    assert told(fewer).startswith("session/door.py twice (stale, did not survive 2 times)\n")


def test_a_mutant_that_hangs_is_told_and_needs_no_reason_but_may_have_one() -> None:
    slow = results((BODY, Verdict.TIMEOUT))
    assert judge(slow, [reason(BODY)]).status == 0
    assert told(judge(slow, [])).splitlines() == [
        "session/door.py twice (timed out)",
        "    - return number * 2",
        "    + return number * 3",
        "2 mutants: 1 killed, 1 timed out; 0 explained, 0 not explained, 0 stale",
    ]


@pytest.mark.parametrize("verdict", [Verdict.NO_TESTS, Verdict.SUSPICIOUS, Verdict.CRASHED, Verdict.SKIPPED])
def test_what_was_not_noticed_needs_a_reason_too(verdict: Verdict) -> None:
    judgement = judge(results((BODY, verdict)), [])
    assert judgement.status == 1
    assert told(judgement).startswith(f"session/door.py twice ({verdict.value}, not explained)\n")
    assert judge(results((BODY, verdict)), [reason(BODY)]).status == 0


# The reasons


def test_the_projects_reasons_can_be_read_and_name_modules_that_are_mutated() -> None:
    assert {explanation.change.module for explanation in read(EXPLAINED)} <= set(modules())


def test_a_group_shares_what_stands_at_its_top(tmp_path: Path) -> None:
    path = tmp_path / "explained.toml"
    path.write_text(
        """
        [[mutant]]
        module = "session/door.py"
        function = "Door._open"
        old = ["hand=1,"]
        new = []
        why = "the left hand is the first"

        [[group]]
        why = "nobody calls it"
        module = "session/door.py"
        function = "twice"
        mutants = [
            {old = "return number * 2", new = "return number * 3", times = 2},
            {old = "def twice(number: int = 2) -> int:", new = "def twice(number: int = 3) -> int:"},
        ]
        """,
        encoding="utf-8",
    )
    assert read(path) == [
        Explanation(change=A_LINE_LESS, why="the left hand is the first"),
        Explanation(change=BODY, why="nobody calls it", times=2),
        Explanation(change=HEAD, why="nobody calls it"),
    ]


MUTANT = '[[mutant]]\nmodule = "m"\nfunction = "f"\nold = "a"\nnew = "b"\nwhy = "w"\n'
GROUP = '[[group]]\nwhy = "w"\nmodule = "m"\nfunction = "f"\nold = "a"\n'


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("why = ", "Invalid value (at end of document)"),
        ("[[mutants]]", "the file: does not know 'mutants'; expected one of mutant, group"),
        ("mutant = 3", "'mutant': expected a list of tables, got 3"),
        (MUTANT.replace('"w"', '" "'), "mutant 1: 'why': expected a text, got ' '"),
        (MUTANT.replace('function = "f"\n', ""), "mutant 1: 'function': expected a text, got None"),
        (MUTANT.replace('"a"', "[1]"), "mutant 1: 'old': expected a text or a list of texts, got [1]"),
        (MUTANT + "times = 0", "mutant 1: 'times': expected a number from 1 on, got 0"),
        (
            MUTANT + 'line = "3"',
            "mutant 1: does not know 'line'; expected one of module, function, old, new, times, why",
        ),
        (MUTANT + MUTANT, "mutant 2: is explained by mutant 1 already; `times` tells that it is made twice"),
        (GROUP, "group 1: has no mutants"),
        (GROUP + "mutants = [3]", "group 1: 'mutants': expected a list of tables, got [3]"),
        (
            GROUP + 'mutants = [{new = "b"}, {}]',
            "group 1, mutant 2: 'new': expected a text or a list of texts, got None",
        ),
        (
            MUTANT + GROUP + 'mutants = [{new = "b"}]',
            "group 1, mutant 1: is explained by mutant 1 already; `times` tells that it is made twice",
        ),
    ],
)
def test_a_wrong_entry_is_named_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, error: str
) -> None:
    path = tmp_path / "explained.toml"
    path.write_text(text, encoding="utf-8")
    assert main([], explained=path, tool="no_such_tool") == 2
    assert capsys.readouterr().err == f"{path}: {error}\n"


def test_a_draft_has_all_but_the_reason(tmp_path: Path) -> None:
    quoted = dataclasses.replace(HEAD, function="f", old=("say('a', \"b\")",), new=("say('a\\n', \"b\")", "x\x7f"))
    text = draft([HEAD, BODY, BODY, dataclasses.replace(BODY, new=("return 1",)), TWO_LINES, A_LINE_LESS, quoted])
    assert text.startswith(
        "[[mutant]]\n"
        'module = "session/door.py"\n'
        'function = "twice"\n'
        'old = "def twice(number: int = 2) -> int:"\n'
        'new = "def twice(number: int = 3) -> int:"\n'
        'why = ""\n'
        "\n"
        "[[group]]\n"
        'module = "session/door.py"\n'
        'function = "twice"\n'
        'old = "return number * 2"\n'
        'why = ""\n'
        "mutants = [\n"
        '    { new = "return number * 3", times = 2 },\n'
        '    { new = "return 1" },\n'
        "]\n"
        "\n"
        "[[mutant]]\n"
        'module = "session/door.py"\n'
        'function = "Door._open"\n'
        'old = [\'"hard",\', "hand=1,"]\n'
    )
    assert {one["why"] for kind in tomllib.loads(text).values() for one in kind} == {""}
    path = tmp_path / "draft.toml"
    path.write_text(text.replace('why = ""', 'why = "it is the same"'), encoding="utf-8")
    made = [HEAD, BODY, dataclasses.replace(BODY, new=("return 1",)), TWO_LINES, A_LINE_LESS, quoted]
    assert {one.change: one.times for one in read(path)} == {change: 1 + (change == BODY) for change in made}


# The run


def test_without_mutmut_the_command_says_what_to_install(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], tool="no_such_tool") == 2
    assert capsys.readouterr().err == (
        f"no_such_tool is not installed for {sys.executable}: pip install 'mutmut>=3.8,<3.9'\n"
    )
    needs("json")


def test_modules_are_named_as_in_the_room() -> None:
    assert choose([]) is None
    assert choose(["stream.py", "session/transcript/wire.py"]) == ["session/stream.py", "session/transcript/wire.py"]
    assert set(NOT_MUTATED).isdisjoint(modules())
    assert all((PROJECT / "pytest_mala" / name).is_file() for name in NOT_MUTATED)


def test_an_unknown_module_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stream.py", "events.py", "no.py"]) == 2
    assert capsys.readouterr().err == (
        "no such module is mutated: session/events.py, session/no.py; expected one as stream.py\n"
    )


def test_a_draft_replaces_no_file(tmp_path: Path) -> None:
    must_be_new(None)
    must_be_new(tmp_path / "new.toml")
    for path in (tmp_path, tmp_path / "no" / "new.toml"):
        with pytest.raises(CannotJudge) as caught:
            must_be_new(path)
        assert str(caught.value) == f"--draft {path}: expected the name of a new file in a folder that is there"


def test_children_are_not_measured_and_find_the_changed_copy_first(tmp_path: Path) -> None:
    ours = {"PATH": "/bin", "PYTEST_ADDOPTS": "-x", "COVERAGE_PROCESS_START": "a", "MUTANT_UNDER_TEST": "b"}
    places = {"PYTHONPATH": str(tmp_path / "mutants"), "PYTEST_DEBUG_TEMPROOT": str(tmp_path)}
    assert environment(ours, tmp_path / "mutants", tmp_path) == {"PATH": "/bin", **places}


def test_progress_is_told_sparsely() -> None:
    said: list[str] = []
    progress = Progress(said.append)
    lines = ["⠋ Generating mutants\n", "⠙ Generating mutants   \n", "    done in 3ms\n", "⠙ Running stats\n"]
    lines += [f"⠙ {done}/40  🎉 {done} 🫥 0\n" for done in range(41)]
    for line in [*lines, "\n", "0.10 mutations/second\n"]:
        progress.see(line)
    assert [line.partition("] ")[2] for line in said] == [
        "Generating mutants", "Running stats", *[f"{done} of 40 mutants" for done in range(4, 41, 4)]
    ]  # fmt: skip
    assert list(progress.last) == ["    done in 3ms", "0.10 mutations/second"]


def test_a_run_that_noticed_nothing_or_was_not_finished_proves_nothing() -> None:
    with pytest.raises(CannotJudge, match=r"^none of 1 mutants was noticed: this run proves nothing$"):
        must_prove(results((BODY, Verdict.SURVIVED), killed=0))
    with pytest.raises(CannotJudge, match=r"^1 of 3 mutants were not checked: run it again$"):
        must_prove(results((BODY, Verdict.NOT_CHECKED), killed=2))
    must_prove(survived(BODY))


@pytest.mark.parametrize(
    ("codes", "error"),
    [
        ((0, 0), "noticed() was survived, expected killed"),
        ((1, 1), "unnoticed() was killed, expected survived"),
        ((33, 0), "noticed() was reached by no test, expected killed"),
        ((1, None), "unnoticed() was not checked, expected survived"),
    ],
)
def test_a_canary_with_another_fate_stops_the_run(
    tmp_path: Path, codes: tuple[int | None, int | None], error: str
) -> None:
    write_module(tmp_path, CANARY, "", {"x_noticed__mutmut_1": codes[0], "x_unnoticed__mutmut_1": codes[1]})
    with pytest.raises(CannotJudge) as caught:
        ask_canary(tmp_path)
    assert str(caught.value) == f"the canary's {error}: this run proves nothing"


def test_a_canary_that_is_missing_stops_the_run(tmp_path: Path) -> None:
    write_module(tmp_path, CANARY, "", {"x_unnoticed__mutmut_1": 0})
    with pytest.raises(CannotJudge, match=r"^the canary's noticed\(\) was not mutated, expected killed: "):
        ask_canary(tmp_path)


# A small project, and a stand-in for mutmut itself


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A git checkout with the places that a copy needs."""
    folder = tmp_path / "checkout"
    for name in (
        "pytest_mala/session/door.py",
        "tests/session/test_door.py",
        "pyproject.toml",
        "notes.txt",
        "gone.txt",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    subprocess.run(["git", "add", "."], cwd=folder, check=True)
    (folder / "gone.txt").unlink()
    (folder / "untracked.txt").touch()
    return folder


def test_the_copy_has_the_tracked_files_the_settings_and_the_canary(project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    make(project, copy, ["session/door.py"])
    assert sorted(path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()) == [
        "notes.txt", "pyproject.toml", "pytest_mala/session/door.py", "pytest_mala/session/planted_canary.py",
        "tests/session/test_door.py", "tests/session/test_planted_canary.py",
    ]  # fmt: skip
    settings = tomllib.loads((copy / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mutmut"]
    assert settings["only_mutate"] == ["pytest_mala/session/door.py", "pytest_mala/session/planted_canary.py"]
    assert settings["do_not_mutate"] == [f"pytest_mala/{name}" for name in NOT_MUTATED]
    for name in (copy / "pytest_mala/session/planted_canary.py", copy / "tests/session/test_planted_canary.py"):
        compile(name.read_text(encoding="utf-8"), str(name), "exec")


def test_every_test_that_is_left_out_exists(project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    make(project, copy, None)
    settings = tomllib.loads((copy / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mutmut"]
    assert settings["only_mutate"] == ["pytest_mala/session/*.py"]
    selection = settings["pytest_add_cli_args_test_selection"]
    left_out = [test for option, test in pairwise(selection) if option == "--deselect"]
    assert len(left_out) == 5
    for test in left_out:
        file, _, name = test.partition("::")
        wanted = f"def {name.rpartition('::')[2]}(" if name else ""
        assert wanted in (PROJECT / file).read_text(encoding="utf-8")


def test_a_folder_without_git_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setenv("LC_ALL", "C")
    with pytest.raises(CannotJudge) as caught:
        tracked(tmp_path)
    start = f"{tmp_path}: expected a git checkout, whose tracked files are copied: fatal: not a git repository"
    assert str(caught.value).startswith(start)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    with pytest.raises(CannotJudge) as caught:
        tracked(tmp_path)
    assert str(caught.value).endswith(": expected a git checkout, whose tracked files are copied: no file is tracked")


STAND_IN = """\
import json
import os
import sys
from pathlib import Path


def cli() -> None:
    assert sys.argv[1:] == ["run", "--max-children", "3"]
    assert os.environ["PYTHONPATH"].split(os.pathsep)[0] == str(Path("mutants").resolve())
    print("\\r⠋ Running stats", end="")
    print("\\r⠋ 1/3  🎉 1", end="")
    print("\\r⠋ 3/3  🎉 2")
    print("0.10 mutations/second")
    for module, codes in {
        "door": {"x_twice__mutmut_1": 1, "x_twice__mutmut_2": 0},
        "planted_canary": {"x_noticed__mutmut_1": 1, "x_unnoticed__mutmut_1": 0},
    }.items():
        file = Path("mutants/pytest_mala/session") / f"{module}.py.meta"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"exit_code_by_key": codes}), encoding="utf-8")
        file.with_suffix("").write_text(MUTATED, encoding="utf-8")
    sys.exit(STATUS)


"""


def stand_in(folder: Path, status: int) -> Path:
    """A package with mutmut's name and entry."""
    package = folder / "stand_in" / "mutmut"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    text = f"{STAND_IN}STATUS = {status}\nMUTATED = {MUTATED!r}\n"
    (package / "__main__.py").write_text(text, encoding="utf-8")
    return package.parent


def test_a_run_copies_tells_and_reads(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(stand_in(tmp_path, 0)))
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8")
    said: list[str] = []
    found = run(["session/door.py"], 3, said.append, project)
    assert found == survived(BODY)
    assert [line.partition("] ")[2] for line in said] == ["Running stats", "1 of 3 mutants", "3 of 3 mutants"]


def test_a_run_that_fails_shows_the_last_lines(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(stand_in(tmp_path, 1)))
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8")
    with pytest.raises(CannotJudge) as caught:
        run(None, 3, lambda _: None, project)
    assert str(caught.value) == (
        "mutmut ended with status 1; do the tests pass without a mutant, and without the files that git does not "
        "track? It said:\n    0.10 mutations/second"
    )
