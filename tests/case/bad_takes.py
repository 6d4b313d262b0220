"""What is wrong with cassettes: how each is spoilt, and the message that it must get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from broken_cassettes import (
    ANOTHER,
    answer,
    body,
    by_method,
    commit,
    frame,
    gate,
    insert,
    place,
    put,
    session_id,
    text_of,
    tree,
    write_file,
)

if TYPE_CHECKING:
    from collections.abc import Callable

DIGITS = "the 40 hexadecimal digits of an id"
TRUNCATED = "the end mark `...` is missing: the file is truncated, or pytest-mala did not write it"
EDITED = "look at the change, then accept it with `pytest-mala cassette seal PATH`"
QUERY = "interaction QUERY claude-sdk://NAME/1/connection/1/query/1: response.frames"
CONTROL = "interaction CONTROL claude-sdk://NAME/1/connection/1/control/1"
GATE = "interaction GATE claude-sdk://NAME/1/gate/1"
PLACES = "expected CONNECT, QUERY, CONTROL, END, TREE or GATE at a known place"
KEYS = "name, kind, command, verdict, exit_status, reason, output"
BASE = "kind, tree, commit, branch, files"
TREE = "turn, head, branch, index, work, clean, refs, ahead, commits, tags, kept_out"
NO_COMMIT = f"no commit {ANOTHER[:12]} stands before this in the take"

FILES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "cut-early": (text_of(lambda text: text[:300], is_sealed=False), TRUNCATED),
    "cut-late": (text_of(lambda text: text[:-2], is_sealed=False), TRUNCATED),
    "cut-middle": (text_of(lambda text: text[: len(text) // 2], is_sealed=False), TRUNCATED),
    "edited": (
        text_of(lambda text: text.replace("return a + b", "return b + a"), is_sealed=False),
        f"the text does not match its digest, it was edited by hand; {EDITED}",
    ),
    "later-format": (
        text_of(lambda text: text.replace("format: 1", "format: 2")),
        "cassette format 2 is not known, this pytest-mala reads 1; use the pytest-mala that wrote the file, "
        "or record it again",
    ),
    "empty": (lambda _: "", "is empty; take it from version control or record it again"),
    "binary": (lambda _: b"\x89PNG\r\n\x1a\n\x00", "is not UTF-8 text (byte 0x89)"),
    "latin-1": (
        text_of(lambda text: text.replace("add()", "\xe4dd()", 1).encode("latin-1", "replace")),
        "is not UTF-8 text (byte 0xe4)",
    ),
    "repeated-key": (
        text_of(lambda text: text.replace("  lane: scripted\n", "  lane: scripted\n  lane: live\n", 1)),
        "the key 'lane' stands twice in one mapping",
    ),
    "tag": (
        text_of(lambda text: text.replace("headers: {}", "headers: !!python/object/apply:os.system [ls]", 1)),
        "a YAML tag (tag:yaml.org,2002:python/object/apply:os.system) is not allowed; a cassette holds JSON data only",
    ),
    "anchor": (
        text_of(lambda text: text.replace("headers: {}", "headers: &x {}", 1)),
        "an anchor (&x) is not allowed; write the value out where it is needed",
    ),
    "brackets": (
        text_of(lambda text: text.replace("headers: {}", "headers: " + "[" * 100_000, 1)),
        "nested deeper than 64 levels",
    ),
    "other-issue": (
        text_of(lambda text: text.replace("other-issue", "calc-1")),
        "expected a cassette of issue 'other-issue', got 'calc-1'",
    ),
    "ms-negative": (
        lambda data: answer(data)["ms"].__setitem__(3, -1),
        "interactions[3].response.ms[3]: expected milliseconds, 0 or more, got -1",
    ),
    "ms-huge": (
        lambda data: answer(data)["ms"].__setitem__(3, 10**15),
        "interactions[3].response.ms[3]: expected at most 31622400000 ms (a year), got 1000000000000000",
    ),
    "year-1": (
        lambda data: data["mala"]["takes"][0].update(start="0001-01-01T00:00:00+14:00"),
        "mala.takes[0].start: expected a year from 1970 to 2999, got 1",
    ),
}
"""Told before anything of the take is looked at; the message begins behind file and line."""

TAKES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "body-not-json": (body("CONTROL", "{"), f"{CONTROL}: request.body: expected the JSON of a control request"),
    "body-deep": (body("CONTROL", "[" * 99999), f"{CONTROL}: request.body: expected the JSON of a control request"),
    "body-list": (body("CONTROL", "[]"), f"{CONTROL}: request.body: expected a mapping, got a list of 0"),
    "hooks-odd": (
        body("CONTROL", '{"subtype": "initialize", "hooks": {"Stop": [1]}}'),
        f"{CONTROL}: request.body: expected a mapping, got 1",
    ),
    "body-key-twice": (
        body("CONTROL", '{"subtype": "initialize", "hooks": null, "subtype": "initialize"}'),
        f"{CONTROL}: request.body: the key 'subtype' stands twice in one mapping",
    ),
    "body-minus-zero": (
        body("CONTROL", '{"subtype": "initialize", "hooks": null, "n": -0}'),
        f"{CONTROL}: request.body: expected a number that all readers take for the same, got -0",
    ),
    "body-of-a-gate": (body("GATE", "passed"), f"{GATE}: request.body: expected nothing, got 'passed'"),
    "header-odd": (
        lambda data: by_method(data, "CONNECT")["request"].update(headers={"purposes": ["work"]}),
        "interaction CONNECT claude-sdk://NAME/1/connection/1: request.headers: expected purpose, got purposes",
    ),
    "header-more": (
        lambda data: by_method(data, "GATE")["request"].update(headers={"attempt": ["1"]}),
        f"{GATE}: request.headers: expected none, got attempt",
    ),
    "query-7": (
        place("QUERY", "query/1", "query/7"),
        "interaction QUERY claude-sdk://NAME/1/connection/1/query/7: "
        "expected query 1 of its connection: they are numbered upwards from 1",
    ),
    "place-odd": (place("GATE", "gate/1", "gate/\xb2"), f"{GATE[:-1]}\xb2: {PLACES}"),
    "place-zero": (place("GATE", "gate/1", "gate/0"), f"{GATE[:-1]}0: {PLACES}"),
    "place-twice": (
        lambda data: data["interactions"].append(by_method(data, "GATE")),
        f"{GATE}: this place stands twice in the take",
    ),
    "connection-7": (
        place("CONNECT", "connection/1", "connection/7"),
        "interaction CONNECT claude-sdk://NAME/1/connection/7: expected connection 1: they are numbered upwards from 1",
    ),
    "not-connected": (
        lambda data: data["interactions"].pop(1),
        f"{CONTROL}: connection 1 was never opened (no CONNECT before it)",
    ),
    "end-odd": (
        body("END", "exploded"),
        "interaction END claude-sdk://NAME/1/connection/1/end: response: the body must be eof, error or closed, "
        "got 'exploded'",
    ),
    "decisions-text": (
        put(gate, decisions="SUCCESS"),
        f"{GATE}: response.decisions: expected a list, got 'SUCCESS'",
    ),
    "gate-key": (
        put(gate, colour="red"),
        f"{GATE}: response.colour: unknown key; known here are checks, decisions, took_ms",
    ),
    "gate-row-text": (put(gate, checks=["ok"]), f"{GATE}: response.checks[0]: expected a mapping, got 'ok'"),
    "gate-times": (
        put(gate, took_ms=[1, 2]),
        f"{GATE}: response.took_ms: expected 1 numbers, one for each check, got 2",
    ),
    "gate-time-negative": (
        put(gate, took_ms=[-1]),
        f"{GATE}: response.took_ms[0]: expected milliseconds from 0 to 31622400000, got -1",
    ),
    "gate-row-key": (
        put(lambda data: gate(data)["checks"][0], verdict=None),
        f"gate/1: recorded check result: expected the keys {KEYS}; "
        "got name, command, exit_status, kind, output, reason",
    ),
    "gate-verdict": (
        lambda data: gate(data)["checks"][0].update(verdict="great"),
        "gate/1: recorded check result: verdict: expected one of passed, failed, timed-out, error; got 'great'",
    ),
    **{
        f"gate-{name}": (
            lambda data, row=row: gate(data)["checks"][0].update(row),
            f"gate/1: check 'compiles': {what}",
        )
        for name, row, what in (
            (
                "passed-killed",
                {"exit_status": None},
                "exit_status: expected a number, since the verdict is passed, got None",
            ),
            (
                "passed-why",
                {"reason": "exit status 1, expected 0"},
                "reason: expected none, since the verdict is passed, got 'exit status 1, expected 0'",
            ),
            *(
                (
                    f"{verdict}-mute",
                    {"verdict": verdict},
                    f"reason: expected one, since the verdict is {verdict}, got none",
                )
                for verdict in ("failed", "timed-out", "error")
            ),
        )
    },
    "session-id-up": (
        session_id("../../../../evil"),
        f"{QUERY}[0].cli.session_id: expected an id like a UUID, got '../../../../evil'",
    ),
    "session-id-name": (
        session_id("${CONFIG}"),
        f"{QUERY}[0].cli.session_id: expected an id like a UUID, got '${{CONFIG}}'",
    ),
    "frame-empty": (
        lambda data: answer(data)["frames"].__setitem__(2, {"cli": {}}),
        f"{QUERY}[2].cli.type: expected a text, got nothing",
    ),
    "frame-no-message": (
        lambda data: frame(data, 2).pop("message"),
        f"{QUERY}[2].cli.message: expected a mapping, got nothing",
    ),
    "frame-block": (
        lambda data: frame(data, 2)["message"].update(content=[{"type": "text", "text": 5}]),
        f"{QUERY}[2].cli.message.content[0].text: expected a text, got 5",
    ),
    "frame-usage": (
        lambda data: frame(data, 2)["message"].update(usage={"input_tokens": "many"}),
        f"{QUERY}[2].cli.message.usage.input_tokens: expected a whole number or null, got 'many'",
    ),
    "frame-result": (
        lambda data: frame(data, 13).update(result=["done"]),
        f"{QUERY}[13].cli.result: expected a text or null, got a list of 1",
    ),
    "frame-request": (
        lambda data: insert(data, {"cli": {"type": "control_request", "request_id": "a", "request": "x"}}),
        f"{QUERY}[5].cli.request: expected a mapping, got 'x'",
    ),
    "frame-answer": (
        lambda data: insert(data, {"sdk": {"type": "control_response"}}),
        f"{QUERY}[5].sdk.response: expected a mapping, got nothing",
    ),
    "no-base": (
        lambda data: data["interactions"].pop(0),
        "turn/0/tree: the take has no base (expected a TREE interaction at turn/0/tree)",
    ),
    "base-key": (
        lambda data: by_method(data, "TREE")["response"]["base"].update(colour="red"),
        f"turn/0/tree: base: expected a mapping of {BASE}",
    ),
    "base-frames": (
        lambda data: by_method(data, "TREE")["response"].update(ms=[1], frames=[{"decision": "idle"}]),
        "turn/0/tree: expected nothing but the base, got base, frames, ms",
    ),
    "base-kind": (
        lambda data: by_method(data, "TREE")["response"]["base"].update(kind="castle"),
        "turn/0/tree: base.kind: expected template or repository, got 'castle'",
    ),
    "base-files": (
        lambda data: by_method(data, "TREE")["response"]["base"].update(files={"calc.py": "x"}),
        "turn/0/tree: base.files: expected `mode id` for each name",
    ),
    "tree-key": (put(tree, colour="red"), f"turn/1/tree: tree: unknown key 'colour' (known here: {TREE})"),
    "tree-turn": (put(tree, turn=7), "turn/1/tree: tree.turn: expected 1, got 7"),
    "tree-head": (put(tree, head="../x"), f"turn/1/tree: tree.head: expected {DIGITS}, got '../x'"),
    "tree-work": (put(tree, work=ANOTHER), f"turn/1/tree: tree.work: {NO_COMMIT}"),
    "tree-parent": (put(commit, parents=[ANOTHER]), f"turn/1/tree: tree.commits.parents: {NO_COMMIT}"),
    "tree-branch": (
        put(tree, branch="main\n[core]"),
        "turn/1/tree: tree.branch: expected a name that git allows, got 'main\\n[core]'",
    ),
    "tree-refs": (
        put(tree, refs={"../../../evil": None}),
        "turn/1/tree: tree.refs: expected a branch or a tag, got '../../../evil'",
    ),
    "tree-refs-up": (
        put(tree, refs={"refs/heads/../../../evil": None}),
        "turn/1/tree: tree.refs: expected a name that git allows, got 'refs/heads/../../../evil'",
    ),
    "tree-ahead": (
        put(commit, message="nothing\n"),
        "turn/1/tree: tree.ahead: expected what the commits say, 0df39e0de9d7 'nothing'; "
        "got 0df39e0de9d7 'NAME: add() adds'",
    ),
    "tree-clean": (
        put(tree, index="4ef32746d1ae46ad19e18dda15dddc19acc49231"),
        "turn/1/tree: tree.clean: expected false, since index or files are not those of head; got true",
    ),
    "tree-author": (
        put(commit, author="a\nparent x"),
        "turn/1/tree: commit 0df39e0de9d7: author: expected one line, got 'a\\nparent x'",
    ),
    "tree-option": (
        lambda data: insert(data, {"tree": "--index-output=/tmp/evil"}),
        f"{QUERY}[5].tree: expected the id of a commit of this take, got '--index-output=/tmp/evil'",
    ),
    "gitlink": (
        write_file("x", f"{ANOTHER} x\nM 100644 inline evil\ndata 0\n", "160000"),
        "turn/1/tree: commit 0df39e0de9d7: x: mode 160000 needs the id of a commit as its text",
    ),
    **{
        f"path-{name}": (write_file(path), f"turn/1/tree: commit 0df39e0de9d7: path {path!r} {why}")
        for name, path, why in (
            ("up", "../../escaped.txt", "leads out of the workspace"),
            ("inside-up", "a/../../escaped.txt", "leads out of the workspace"),
            ("absolute", "/tmp/escaped.txt", "leads out of the workspace"),
            ("config", ".git/config", "leads into a .git folder"),
            ("hook", ".git/hooks/post-checkout", "leads into a .git folder"),
            ("case", "sub/.GIT/config", "leads into a .git folder"),
            ("short", "GIT~1/config", "leads into a .git folder"),
            ("nul", "x\0y", "is not a path that git knows"),
            ("slashes", "x//y", "is not a path that git knows"),
            ("dot", "./x", "is not a path that git knows"),
            ("empty", "", "is not a path that git knows"),
        )
    },
}
"""Told before the session, with what replay could not work with; the message begins behind file and line."""

DIVERGED: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "hook-unknown": (
        lambda data: insert(
            data,
            {
                "cli": {
                    "type": "control_request",
                    "request_id": "a",
                    "request": {"subtype": "hook_callback", "callback_id": "hook_9", "input": {}},
                }
            },
        ),
        "cassettes/hook-unknown.yaml: connection 1 (work), turn 1, frame 10: the hook hook_9 was answered, "
        "but in the recording it never was\n  last frame played: frame 10 (assistant) at 0.617 s, 8 of 17",
    ),
    "no-frames": (
        lambda data: data.update(interactions=data["interactions"][:2]),
        "cassettes/no-frames.yaml: connection 1 (work): the control request initialize was sent, "
        "but the recording ends here (0 of 0 frames played)",
    ),
    "tree-unplayed": (
        lambda data: data["interactions"].append(
            {
                "request": {**by_method(data, "TREE", 1)["request"], "uri": "claude-sdk://tree-unplayed/1/turn/2/tree"},
                "response": {**tree(data), "turn": 2, "commits": []},
            }
        ),
        "cassettes/tree-unplayed.yaml: the tree of turn 2 was recorded and never came to",
    ),
    "result-bare": (
        lambda data: answer(data)["frames"].__setitem__(13, {"cli": {"type": "result"}}),
        "cassettes/result-bare.yaml: step 2: the lifecycle decided otherwise\n"
        "  recorded: AWAITING_LOG WAIT_FOR_LOG\n"
        "  this run: FAILED COMPLETE_FAILURE, because of MessageParseError: "
        "Missing required field in result message: 'subtype'",
    ),
}
"""What only the session can notice; the words before the command that records anew."""

HARMLESS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "good": lambda _: None,
    "placeholders": lambda data: frame(data, 2)["message"].update(
        content=[{"type": "text", "text": "${NOSUCH} ${} ${$} ${WORKSPACE ${WORKSPACE}${HOME}$${TMP}"}]
    ),
    "unknown-frame": lambda data: insert(data, {"cli": {"type": "aliens", "here": [1, None]}}),
    "huge-frame": lambda data: frame(data, 2)["message"].update(content=[{"type": "text", "text": "x" * 1_000_000}]),
    "many-frames": lambda data: [insert(data, {"cli": frame(data, 2)}) for _ in range(200)],
}
