"""A model script is read strictly: each mistake is one line that names file, line, field, expected and got."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_mala.model.answers import Answer, Conditions, Failure, Script, Stall, StopReason, ToolCall, Usage
from pytest_mala.model.document import ModelScriptError
from pytest_mala.model.script import load_script

FULL = """\
# a comment
answers:
  - say: no
    think: hm
    tools:
      - {name: Bash, input: {command: "ls", timeout: 5000, background: false, note: no, code: 0012, share: 1.5}}
      - name: List
    wait: 1m30s
    usage: {input: 1, cache_read: 2, cache_creation: 3, output: 4}
    stop: max_tokens
    expect: {prompt_contains: [a, b], request_contains: c, model: sonnet}
  - say: half
    stall: true
  - say: all
    stall: after-text
  - fail: 429
  - fail: {status: 529, message: too busy, times: 2}
  - say: again
    repeat: 3
  - either:
      - when: {last_tool_result_contains: FAILED}
        say: I fix it.
      - fail: 500
    expect: {model: sonnet}
"""


@pytest.fixture
def written(tmp_path: Path):
    def write(text: str | bytes) -> Path:
        path = tmp_path / "case.model.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_every_field_is_read(written) -> None:
    entries = load_script(written(FULL)).entries
    answers = [choice for entry in entries for choice in entry.choices]
    command = {
        "command": "ls",
        "timeout": 5000,
        "background": False,
        "note": "no",
        "code": "0012",
        "share": 1.5,
    }
    assert answers[0] == Answer(
        line=3,
        say="no",
        think="hm",
        tools=(ToolCall(name="Bash", input=command), ToolCall(name="List", input={})),
        wait_seconds=90.0,
        usage=Usage(input=1, cache_read=2, cache_creation=3, output=4),
        stop=StopReason.MAX_TOKENS,
        expect=Conditions(prompt_contains=("a", "b"), request_contains=("c",), model="sonnet"),
    )
    assert answers[1:3] == [
        Answer(line=12, say="half", stall=Stall.MIDWAY),
        Answer(line=14, say="all", stall=Stall.AFTER_TEXT),
    ]
    assert answers[3] == Answer(line=16, failure=Failure(status=429, message="scripted failure 429"))
    busy = Answer(line=17, failure=Failure(status=529, message="too busy"))
    assert answers[4:6] == [busy, busy]
    assert answers[6:9] == [Answer(line=18, say="again")] * 3
    sonnet = Conditions(model="sonnet")
    assert entries[-1].choices == (
        Answer(line=21, say="I fix it.", when=Conditions(last_tool_result_contains=("FAILED",)), expect=sonnet),
        Answer(line=23, failure=Failure(status=500, message="scripted failure 500"), expect=sonnet),
    )
    assert len(entries) == 10


def test_a_tool_call_stops_for_its_tool(written) -> None:
    [entry] = load_script(written("answers: [{tool: {name: Read, input: {file_path: a}}}]")).entries
    assert entry.choices[0].stop is StopReason.TOOL_USE


CONDITIONS = "prompt_contains, last_tool_result_contains, request_contains, model"
ENTRY = "say, think, tool, tools, wait, stall, fail, usage, stop, expect, repeat, either"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ":1: expected a mapping with answers, got an empty file"),
        ("# only this\n", ":1: expected a mapping with answers, got an empty file"),
        ("[]", ":1: expected a mapping with answers, got a list"),
        ("{}", ":1: expected a mapping with answers, got an empty one"),
        ("\nanswer: []", ":2: expected one of answers, got 'answer'"),
        ("answers:", ":1: answers: expected a list that is not empty, got nothing"),
        ("answers: []", ":1: answers: expected a list that is not empty, got an empty one"),
        ("answers:\n- hello", f":2: answers[1]: expected a mapping with {ENTRY}, got 'hello'"),
        ("answers:\n- sya: hello", f":2: answers[1]: expected one of {ENTRY}, got 'sya'"),
        (
            "answers:\n- wait: 1s",
            ":2: answers[1]: expected say, think, tool, tools, stall or fail, got none of them",
        ),
        ("answers:\n- say: ''", ":2: answers[1].say: expected a text, got ''"),
        ("answers:\n- say: [a]", ":2: answers[1].say: expected a text, got a list"),
        ("answers:\n- say: a\n- say:", ":3: answers[2].say: expected a text, got nothing"),
        (
            "answers:\n- say: a\n  wait: 2",
            ":3: answers[1].wait: expected a duration like 0.5s, 90s or 5m, got '2'",
        ),
        (
            "answers:\n- say: a\n  wait: 2 s",
            ":3: answers[1].wait: expected a duration like 0.5s, 90s or 5m, got '2 s'",
        ),
        (
            "answers:\n- say: a\n  wait: 9999h",
            ":3: answers[1].wait: expected a duration like 0.5s, 90s or 5m, got '9999h'",
        ),
        ("answers:\n- say: a\n  stall: false", ":3: answers[1].stall: expected one of true, after-text, got 'false'"),
        ("answers:\n- stall: after-text", ":2: answers[1].stall: expected say beside it, got none"),
        (
            "answers:\n- stall: true\n  stop: end_turn",
            ":3: answers[1].stop: expected no stop beside stall (it never stops), got 'end_turn'",
        ),
        (
            "answers:\n- say: a\n  stop: tool_use",
            ":3: answers[1].stop: expected one of end_turn, max_tokens, got 'tool_use'",
        ),
        (
            "answers:\n- tool: {name: A}\n  stop: end_turn",
            ":3: answers[1].stop: expected one of tool_use, max_tokens, got 'end_turn'",
        ),
        ("answers:\n- tool: Bash", ":2: answers[1].tool: expected a mapping with name, input, got 'Bash'"),
        ("answers:\n- tool: {input: {}}", ":2: answers[1].tool: expected name, got none"),
        ("answers:\n- tool: {name: A, input: ls}", ":2: answers[1].tool.input: expected a mapping, got 'ls'"),
        (
            "answers:\n- tool: {name: A}\n  tools: [{name: B}]",
            ":3: answers[1].tools: expected tool or tools, got both",
        ),
        (
            "answers:\n- tools: []",
            ":2: answers[1].tools: expected a list that is not empty, got an empty one",
        ),
        ("answers:\n- fail: 200", ":2: answers[1].fail: expected a whole number from 400 to 599, got '200'"),
        (
            "answers:\n- fail: {message: a}",
            ":2: answers[1].fail: expected status, got none",
        ),
        (
            "answers:\n- fail: {status: 529, times: 0}",
            ":2: answers[1].fail.times: expected a whole number from 1 to 10000, got '0'",
        ),
        ("answers:\n- fail: 529\n  say: a", ":3: answers[1].say: expected fail to stand alone, got 'say' beside it"),
        (
            "answers:\n- fail: 529\n  repeat: 2",
            ":3: answers[1].repeat: expected fail: {times: ...} instead, got '2'",
        ),
        (
            "answers:\n- say: a\n  repeat: 1_0",
            ":3: answers[1].repeat: expected a whole number from 1 to 10000, got '1_0'",
        ),
        (
            "answers:\n- say: a\n  usage: {input: -1}",
            ":3: answers[1].usage.input: expected a whole number from 0 to 10000000, got '-1'",
        ),
        (
            "answers:\n- say: a\n  usage: {inputs: 1}",
            ":3: answers[1].usage: expected one of input, cache_read, cache_creation, output, got 'inputs'",
        ),
        ("answers:\n- say: a\n  expect: {}", f":3: answers[1].expect: expected one of {CONDITIONS}, got none"),
        (
            "answers:\n- say: a\n  expect: {prompt: x}",
            f":3: answers[1].expect: expected one of {CONDITIONS}, got 'prompt'",
        ),
        (
            "answers:\n- say: a\n  expect: {prompt_contains: []}",
            ":3: answers[1].expect.prompt_contains: expected a list that is not empty, got an empty one",
        ),
        (
            "answers:\n- either: [{say: a}, {say: b}]",
            ":2: answers[1].either[1]: expected when (only the last alternative may do without), got none",
        ),
        (
            "answers:\n- either: [{say: b}]\n  say: a",
            ":3: answers[1].say: expected only expect and repeat beside either, got 'say'",
        ),
        (
            "answers:\n- either:\n  - expect: {model: a}\n    say: b\n  expect: {model: b}",
            ":3: answers[1].either[1].expect: expected expect beside either or inside it, got both",
        ),
        (
            "answers:\n- either: [{fail: {status: 500, times: 2}}]",
            ":2: answers[1].either[1].fail: expected fail without times inside either, got times: 2",
        ),
        (
            "answers:\n- either: [{say: a, repeat: 2}]",
            ":2: answers[1].either[1]: expected one of say, think, tool, tools, wait, stall, fail, usage, stop, "
            "when, expect, got 'repeat'",
        ),
        ("answers:\n- say: &a b", ":2: YAML anchors and aliases (&a) are not allowed: write the value out"),
        (
            "answers:\n- say: !!str b",
            ":2: YAML tags ('tag:yaml.org,2002:str') are not allowed: every value is read as the type of its field",
        ),
        ("answers:\n- say: a\n  say: b", ":3: say: repeated field, the first is on line 2"),
        ("answers:\n- say: a\n---\n", ":3: expected one YAML document, got a document marker '---'"),
        (
            "answers:\n- say: 'a",
            ":2: not valid YAML: found unexpected end of stream (while scanning a quoted scalar that starts on line 2)",
        ),
        ("answers: " + "[" * 100_000, ":1: nested too deeply: expected at most 10 levels"),
        (b"answers:\n- say: \xff", ":2: expected UTF-8, got byte 0xff"),
    ],
)
def test_a_mistake_is_told_in_one_line(written, text: str | bytes, message: str) -> None:
    path = written(text)
    with pytest.raises(ModelScriptError) as caught:
        load_script(path)
    assert str(caught.value) == f"{path}{message}"


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    path = tmp_path / "none.model.yaml"
    with pytest.raises(ModelScriptError) as caught:
        load_script(path)
    assert str(caught.value) == f"{path}: expected a readable file, got No such file or directory"


def test_placeholders_stand_in_every_text(written) -> None:
    text = """
answers:
  - say: in ${WORKSPACE}
    think: "${WORKSPACE}"
    tool:
      name: Bash
      input: {command: "cd ${WORKSPACE}; echo $${WORKSPACE} $HOME ${x%y}", list: [{a: "${HOME}", n: 1}, null]}
    expect: {prompt_contains: "${HOME}", last_tool_result_contains: "${HOME}", request_contains: "${HOME}"}
  - either:
      - {when: {prompt_contains: "${HOME}"}, fail: {status: 500, message: "${HOME}"}}
"""
    script = load_script(written(text)).with_names({"WORKSPACE": "/w", "HOME": "/h"})
    first, second = (entry.choices[0] for entry in script.entries)
    assert (first.say, first.think) == ("in /w", "/w")
    assert first.tools[0].input == {
        "command": "cd /w; echo ${WORKSPACE} $HOME ${x%y}",
        "list": [{"a": "/h", "n": 1}, None],
    }
    assert first.expect == Conditions(
        prompt_contains=("/h",), last_tool_result_contains=("/h",), request_contains=("/h",)
    )
    assert second.when == Conditions(prompt_contains=("/h",))
    assert second.failure == Failure(status=500, message="/h")


@pytest.mark.parametrize(
    ("names", "known"), [({"WORKSPACE": "/w", "HOME": "/h"}, "${HOME}, ${WORKSPACE}"), ({}, "no placeholder")]
)
def test_an_unknown_placeholder_is_told(written, names: dict[str, str], known: str) -> None:
    path = written("answers:\n- say: a\n- say: b ${WROKSPACE}\n")
    with pytest.raises(ModelScriptError) as caught:
        load_script(path).with_names(names)
    assert str(caught.value) == (
        f"{path}:3: placeholder: expected {known}, got ${{WROKSPACE}}; "
        "write $${WROKSPACE} for a literal ${WROKSPACE}"
    )


def test_an_empty_name_list_changes_nothing_else(written) -> None:
    script = load_script(written("answers: [{say: a}]"))
    assert script.with_names({}) == Script(path=script.path, entries=script.entries)


def test_the_example_of_the_docs_is_a_script(written) -> None:
    docs = (Path(__file__).parents[2] / "docs" / "model-script.md").read_text()
    blocks = [block.partition("```")[0] for block in docs.split("```yaml\n")[1:]]
    assert blocks
    for block in blocks:
        assert load_script(written(block)).entries
