"""Every way to write an issue file wrong, with the whole message that its author reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_mala.errors import IssueError
from pytest_mala.issue import load_issues

if TYPE_CHECKING:
    from pathlib import Path

# what stands in the front matter from line 4 on, the line of the message, and the message
FIELDS = [
    (
        "prioritty: 1",
        4,
        (
            "prioritty: unknown field, did you mean 'priority'? Allowed: id, title, type, status, "
            "priority, labels, depends_on, workspace, gate, review, agent, limits, expect, xfail, "
            "skip"
        ),
    ),
    (
        "owner: me",
        4,
        (
            "owner: unknown field. Allowed: id, title, type, status, priority, labels, depends_on, "
            "workspace, gate, review, agent, limits, expect, xfail, skip"
        ),
    ),
    (
        "limits:\n  idel: 5m",
        5,
        (
            "limits.idel: unknown field, did you mean 'idle'? Allowed: timeout, idle, gate_retries, "
            "review_retries, idle_retries, restarts, turns, budget_usd"
        ),
    ),
    ("gate: {check: {}}", 4, "gate.check: unknown field, did you mean 'checks'? Allowed: commit, checks"),
    (
        "gate:\n  checks:\n    test:\n      run: pytest\n      time: 5",
        8,
        (
            "gate.checks.test.time: unknown field, did you mean 'timeout'? Allowed: run, evidence, "
            "timeout, env, cwd, exit, shell"
        ),
    ),
    ("workspace: {ref: main}", 4, "workspace.ref: unknown field. Allowed: path, revision, shared, include, exclude"),
    (
        "agent: {modell: opus}",
        4,
        (
            "agent.modell: unknown field, did you mean 'model'? Allowed: model, permission_mode, "
            "allowed_tools, disallowed_tools, system_prompt"
        ),
    ),
    ("review: {comand: x}", 4, "review.comand: unknown field, did you mean 'command'? Allowed: command, agent"),
    (
        '"a b\\n": 1',
        4,
        (
            "'a b\\n': unknown field. Allowed: id, title, type, status, priority, labels, depends_on, "
            "workspace, gate, review, agent, limits, expect, xfail, skip"
        ),
    ),
    (
        "<<: {type: bug}",
        4,
        (
            "'<<': unknown field. Allowed: id, title, type, status, priority, labels, depends_on, "
            "workspace, gate, review, agent, limits, expect, xfail, skip"
        ),
    ),
    ("type: bug\ntype: task", 5, "type: repeated field, the first is on line 4"),
    ("gate:\n  checks:\n    test: a\n    lint: b\n    test: c", 8, "test: repeated field, the first is on line 6"),
    ('"a b": 1\n"a b": 2', 5, "'a b': repeated field, the first is on line 4"),
    ("type: story", 4, "type: expected one of task, bug, feature, chore, epic, got 'story'"),
    ("type: bugs", 4, "type: expected one of task, bug, feature, chore, epic, got 'bugs', did you mean 'bug'?"),
    ("status: [open]", 4, "status: expected one of open, in_progress, blocked, deferred, closed, got a list"),
    (
        "status: close",
        4,
        ("status: expected one of open, in_progress, blocked, deferred, closed, got 'close', did you mean 'closed'?"),
    ),
    ("priority: 5", 4, "priority: expected a priority from 0 to 4, or P0 to P4, got '5'"),
    ("priority: high", 4, "priority: expected a priority from 0 to 4, or P0 to P4, got 'high'"),
    ("labels: parser", 4, "labels: expected a list like [parser, docs], got 'parser'"),
    ("labels:", 4, "labels: expected a list like [parser, docs], got nothing"),
    ("labels: null", 4, "labels: expected a list like [parser, docs], got null"),
    ("labels:\n  - a\n  - {b: c}", 6, "labels: expected a text, got a mapping"),
    ("labels: [~]", 4, "labels: expected a text, got null"),
    ("labels:\n  - a\n  - b\n  - a", 7, "labels: 'a' is named twice"),
    ('labels: ["a\\e[31m"]', 4, "labels: expected a text on one line, without control characters, got 'a\\x1b[31m'"),
    (
        "depends_on: [calc 0]",
        4,
        (
            "depends_on: expected a name of 1 to 100 letters, digits, '.', '_' and '-', not starting "
            "with '.' or '-', got 'calc 0'"
        ),
    ),
    ("depends_on: [calc-0, calc-1]", 4, "depends_on: 'calc-1' can't depend on itself"),
    ("depends_on: calc-0", 4, "depends_on: expected a list of ids like [calc-0], got 'calc-0'"),
    (
        "workspace: [a]",
        4,
        ("workspace: expected a path or a mapping of path, revision, shared, include, exclude, got a list"),
    ),
    ("workspace:", 4, "workspace: expected a path relative to this file, got nothing"),
    (
        "workspace: |\n  a\n  b",
        4,
        ("workspace: expected a path relative to this file on one line, without control characters, got 'a\\nb\\n'"),
    ),
    (
        "workspace: {path: a, shared: a b}",
        4,
        (
            "workspace.shared: expected a name of 1 to 100 letters, digits, '.', '_' and '-', not "
            "starting with '.' or '-', got 'a b'"
        ),
    ),
    (
        "workspace: {path: a, revision: --upload-pack=x}",
        4,
        "workspace.revision: expected a commit, tag or branch, got '--upload-pack=x'",
    ),
    (
        "workspace: {path: a, include: [../b]}",
        4,
        ("workspace.include: expected a path inside the workspace, relative and with '/', got '../b'"),
    ),
    (
        "workspace: {path: a, exclude: [/b]}",
        4,
        "workspace.exclude: expected a path inside the workspace, relative and with '/', got '/b'",
    ),
    ("gate: [test]", 4, "gate: expected a mapping of commit, checks, got a list"),
    (
        "gate: {commit: require}",
        4,
        ("gate.commit: expected one of required, allowed, forbidden, got 'require', did you mean 'required'?"),
    ),
    (
        "gate: {commit: allowed}\nexpect: [unjudged, passed]",
        4,
        "gate: this issue can't fail: name a check, or set commit to required or forbidden",
    ),
    ("gate: {commit: allowed}", 4, "gate: this issue can't fail: name a check, or set commit to required or forbidden"),
    (
        "gate:\n  commit: allowed\n  checks: {}",
        5,
        "gate: this issue can't fail: name a check, or set commit to required or forbidden",
    ),
    (
        "gate: {checks: [pytest]}",
        4,
        ("gate.checks: expected a mapping of names and commands like {test: python -m pytest}, got a list"),
    ),
    (
        "gate:\n  checks:\n    unit test: pytest",
        6,
        (
            "gate.checks.unit test: a check needs a name of 1 to 100 letters, digits, '.', '_' and "
            "'-', not starting with '.' or '-'"
        ),
    ),
    (
        "gate: {checks: {test: [pytest]}}",
        4,
        "gate.checks.test: expected a command or a mapping with run or evidence, got a list",
    ),
    ("gate:\n  checks:\n    test:", 6, "gate.checks.test: expected a command, got nothing"),
    ("gate: {checks: {test: ' '}}", 4, "gate.checks.test: expected a command, got ' '"),
    (
        "gate:\n  checks:\n    test: echo 'a",
        6,
        ('gate.checks.test: expected a command that can be split into words, got "echo \'a" (no closing quotation)'),
    ),
    ("gate: {checks: {test: '\"\" a'}}", 4, "gate.checks.test: expected a command, got '\"\" a'"),
    (
        "gate:\n  checks:\n    test: |\n      a\n      b",
        6,
        ("gate.checks.test: expected a command on one line, without control characters, got 'a\\nb\\n'"),
    ),
    (
        "gate: {checks: {test: {run: a, evidence: b}}}",
        4,
        ("gate.checks.test: expected one of run (we run the command) and evidence (the agent ran it), got both"),
    ),
    (
        "gate: {checks: {test: {timeout: 3}}}",
        4,
        ("gate.checks.test: expected one of run (we run the command) and evidence (the agent ran it), got neither"),
    ),
    (
        "gate: {checks: {types: {evidence: mypy, timeout: 3}}}",
        4,
        "gate.checks.types.timeout: only a check with run has this field",
    ),
    (
        "gate: {checks: {test: {run: a, timeout: fast}}}",
        4,
        "gate.checks.test.timeout: expected seconds or a duration like 120, 90s or 5m, got 'fast'",
    ),
    (
        "gate: {checks: {test: {run: a, timeout: 0}}}",
        4,
        "gate.checks.test.timeout: expected a duration above 0 and up to 720h, got '0'",
    ),
    (
        "gate: {checks: {test: {run: a, timeout: -1}}}",
        4,
        "gate.checks.test.timeout: expected seconds or a duration like 120, 90s or 5m, got '-1'",
    ),
    (
        "gate: {checks: {test: {run: a, env: [A]}}}",
        4,
        "gate.checks.test.env: expected a mapping of names and texts, got a list",
    ),
    (
        "gate: {checks: {test: {run: a, env: {A-B: c}}}}",
        4,
        ("gate.checks.test.env.A-B: a variable's name must be letters, digits and '_', not starting with a digit"),
    ),
    (
        "gate:\n  checks:\n    test:\n      run: a\n      env:\n        A:",
        9,
        'gate.checks.test.env.A: expected a text ("" for an empty one), got nothing',
    ),
    (
        "gate: {checks: {test: {run: a, env: {A: null}}}}",
        4,
        'gate.checks.test.env.A: expected a text ("" for an empty one), got null',
    ),
    (
        "gate: {checks: {test: {run: a, cwd: ../b}}}",
        4,
        ("gate.checks.test.cwd: expected a path inside the workspace, relative and with '/', got '../b'"),
    ),
    (
        "gate: {checks: {test: {run: a, exit: 256}}}",
        4,
        "gate.checks.test.exit: expected a whole number from 0 to 255, got '256'",
    ),
    (
        "gate: {checks: {test: {run: a, exit: -1}}}",
        4,
        "gate.checks.test.exit: expected a whole number from 0 to 255, got '-1'",
    ),
    ("gate: {checks: {test: {run: a, shell: yes}}}", 4, "gate.checks.test.shell: expected true or false, got 'yes'"),
    ("review: codex", 4, "review: expected none, a mapping with command, or a mapping with agent, got 'codex'"),
    ("review: [none]", 4, "review: expected none, a mapping with command, or a mapping with agent, got a list"),
    ("review: {command: a, agent: opus}", 4, "review: expected one of command and agent, got both"),
    ("review: {}", 4, "review: expected one of command and agent, got neither"),
    ("review: {command: [a]}", 4, "review.command: expected a command, got a list"),
    (
        "review: {agent: [a]}",
        4,
        (
            "review.agent: expected a mapping of model, permission_mode, allowed_tools, "
            "disallowed_tools, system_prompt, got a list"
        ),
    ),
    ("review: {agent: the best}", 4, "review.agent: expected a model's name like sonnet, got 'the best'"),
    (
        "agent: sonnet",
        4,
        (
            "agent: expected a mapping of model, permission_mode, allowed_tools, disallowed_tools, "
            "system_prompt, got 'sonnet'"
        ),
    ),
    ("agent: {model: null}", 4, "agent.model: expected a model's name like sonnet, got null"),
    (
        "agent: {permission_mode: bypass}",
        4,
        (
            "agent.permission_mode: expected one of default, acceptEdits, plan, bypassPermissions, "
            "dontAsk, auto, got 'bypass'"
        ),
    ),
    ("agent: {allowed_tools: Read}", 4, "agent.allowed_tools: expected a list of tools like [Read, Bash], got 'Read'"),
    ("agent: {disallowed_tools: [Read, Read]}", 4, "agent.disallowed_tools: 'Read' is named twice"),
    ("agent: {system_prompt: [a]}", 4, "agent.system_prompt: expected a text, got a list"),
    (
        "limits: 30m",
        4,
        (
            "limits: expected a mapping of timeout, idle, gate_retries, review_retries, "
            "idle_retries, restarts, turns, budget_usd, got '30m'"
        ),
    ),
    (
        "limits:\n  timeout: 30m\n  retries_: 1",
        6,
        (
            "limits.retries_: unknown field, did you mean 'idle_retries'? Allowed: timeout, idle, "
            "gate_retries, review_retries, idle_retries, restarts, turns, budget_usd"
        ),
    ),
    ("limits:\n  timeout: 30m\n\n  idle: soon", 7, "limits.idle: expected a duration like 90s, 5m or 1h, got 'soon'"),
    ("limits: {idle: 1:30}", 4, "limits.idle: expected a duration like 90s, 5m or 1h, got '1:30'"),
    (
        "limits: {idle: 30}",
        4,
        ("limits.idle: expected a duration like 90s, 5m or 1h, got '30'; write the unit: '30s' or '30m'"),
    ),
    ("limits: {idle: [5m]}", 4, "limits.idle: expected a duration like 90s, 5m or 1h, got a list"),
    (
        "limits: {idle: '0.5'}",
        4,
        "limits.idle: expected a duration like 90s, 5m or 1h, got '0.5'; write the unit: '0.5s' or '0.5m'",
    ),
    (
        "limits: {idle: null}",
        4,
        "limits.idle: expected a duration like 90s, 5m or 1h, got null; write 'off' for no idle limit",
    ),
    (
        "limits: {idle: none}",
        4,
        ("limits.idle: expected a duration like 90s, 5m or 1h, got 'none'; write 'off' for no idle limit"),
    ),
    ("limits: {idle: 0s}", 4, "limits.idle: expected a duration above 0 and up to 720h, got '0s'"),
    ("limits: {timeout: -5m}", 4, "limits.timeout: expected a duration like 90s, 5m or 1h, got '-5m'"),
    ("limits: {timeout: off}", 4, "limits.timeout: expected a duration like 90s, 5m or 1h, got 'off'"),
    ("limits: {timeout: 30m1h}", 4, "limits.timeout: expected a duration like 90s, 5m or 1h, got '30m1h'"),
    ("limits: {timeout: 721h}", 4, "limits.timeout: expected a duration above 0 and up to 720h, got '721h'"),
    ("limits: {timeout: [5m]}", 4, "limits.timeout: expected a duration like 90s, 5m or 1h, got a list"),
    ("limits: {gate_retries: -1}", 4, "limits.gate_retries: expected a whole number from 0 to 1000, got '-1'"),
    ("limits: {review_retries: 1001}", 4, "limits.review_retries: expected a whole number from 0 to 1000, got '1001'"),
    ("limits: {idle_retries: 0x1}", 4, "limits.idle_retries: expected a whole number from 0 to 1000, got '0x1'"),
    ("limits: {restarts: 1_0}", 4, "limits.restarts: expected a whole number from 0 to 1000, got '1_0'"),
    ("limits: {turns: 0}", 4, "limits.turns: expected a whole number from 1 to 100000, got '0'"),
    ("limits: {turns: 1.5}", 4, "limits.turns: expected a whole number from 1 to 100000, got '1.5'"),
    (
        "limits: {budget_usd: 0.00}",
        4,
        "limits.budget_usd: expected an amount in US dollars above 0, like 2 or 0.50, got '0.00'",
    ),
    (
        "limits: {budget_usd: .inf}",
        4,
        "limits.budget_usd: expected an amount in US dollars above 0, like 2 or 0.50, got '.inf'",
    ),
    (
        "limits: {budget_usd: $2}",
        4,
        "limits.budget_usd: expected an amount in US dollars above 0, like 2 or 0.50, got '$2'",
    ),
    (
        "expect: success",
        4,
        (
            "expect: expected one of passed, no-change, obsolete, already-complete, gate-failed, "
            "review-failed, no-progress, no-log, idle, timeout, context, budget, agent-error, "
            "aborted, deadlock-victim, unjudged, got 'success'"
        ),
    ),
    (
        "expect: [passed, gate_failed]",
        4,
        (
            "expect: expected one of passed, no-change, obsolete, already-complete, gate-failed, "
            "review-failed, no-progress, no-log, idle, timeout, context, budget, agent-error, "
            "aborted, deadlock-victim, unjudged, got 'gate_failed', did you mean 'gate-failed'?"
        ),
    ),
    ("expect: [passed, passed]", 4, "expect: 'passed' is named twice"),
    ("expect: []", 4, "expect: expected at least one outcome, got an empty list"),
    ("expect: {passed: 1}", 4, "expect: expected an outcome or a list of outcomes, got a mapping"),
    ("xfail: true", 4, "xfail: expected a reason in words, got 'true'"),
    ("skip:", 4, "skip: expected a reason in words, got nothing"),
    ("skip: [a]", 4, "skip: expected a reason in words, got a list"),
    ("labels: &l [a]", 4, "YAML anchors and aliases (&l) are not allowed: write the value out"),
    ("labels: [*a]", 4, "YAML anchors and aliases (*a) are not allowed: write the value out"),
    (
        "labels: !!python/object:os.system [a]",
        4,
        (
            "YAML tags ('tag:yaml.org,2002:python/object:os.system') are not allowed: every value is "
            "read as the type of its field"
        ),
    ),
    ("labels: !<a%0Ab> [a]", 4, "YAML tags ('a\\nb') are not allowed: every value is read as the type of its field"),
    ("labels: [[[[[[[[[[a]]]]]]]]]]", 4, "nested too deeply: expected at most 10 levels"),
    ("? [a]\n: b", 4, "a field's name must be a text, got a list"),
    (
        "skip: see: there",
        4,
        ("not valid YAML: mapping values are not allowed here; put quotes around a text that holds ': '"),
    ),
    (
        "labels: [a,\n  b",
        5,
        (
            "not valid YAML: expected ',' or ']', but got '<stream end>' (while parsing a flow "
            "sequence that starts on line 4)"
        ),
    ),
    (
        "skip: 'a\nlabels: [b]",
        5,
        ("not valid YAML: found unexpected end of stream (while scanning a quoted scalar that starts on line 4)"),
    ),
    ("limits:\n\tidle: 5m", 5, "not valid YAML: found character '\\t' that cannot start any token"),
    ("skip: @me", 4, "not valid YAML: found character '@' that cannot start any token"),
    ("skip: a\x07b", 4, "not valid YAML: the character U+0007 is not allowed"),
    ('skip: "a\\0b"', 4, "the character U+0000 can't stand in a text"),
    ('skip: "a\\ud800b"', 4, "the character U+D800 can't stand in a text"),
    ('skip: "a\\U00110000b"', 4, "not valid YAML: an escape names no Unicode character"),
    (
        'skip: "\\q"',
        4,
        (
            "not valid YAML: found unknown escape character 'q' (while scanning a double-quoted "
            "scalar that starts on line 4)"
        ),
    ),
    (
        "skip: a\n  labels: [b]",
        5,
        ("not valid YAML: mapping values are not allowed here; put quotes around a text that holds ': '"),
    ),
    ("--- a", 4, "the front matter must be one YAML document, found the start of another"),
    ("...\nx: 1", 5, "not valid YAML: expected '<document start>', but found '<block mapping start>'"),
    ("%YAML 1.1", 4, "not valid YAML: expected '<document start>', but found '<stream end>'"),
]

# a whole file, the line of the message, and the message
FILES = [
    (
        "---\nid:\ntitle: a\n---\nx\n",
        2,
        (
            "id: expected a name of 1 to 100 letters, digits, '.', '_' and '-', not starting with "
            "'.' or '-', got nothing"
        ),
    ),
    (
        "---\nid: a b\ntitle: a\n---\nx\n",
        2,
        ("id: expected a name of 1 to 100 letters, digits, '.', '_' and '-', not starting with '.' or '-', got 'a b'"),
    ),
    (
        "---\nid: a::b\ntitle: a\n---\nx\n",
        2,
        ("id: expected a name of 1 to 100 letters, digits, '.', '_' and '-', not starting with '.' or '-', got 'a::b'"),
    ),
    (
        "---\nid: a[1]\ntitle: a\n---\nx\n",
        2,
        ("id: expected a name of 1 to 100 letters, digits, '.', '_' and '-', not starting with '.' or '-', got 'a[1]'"),
    ),
    (
        "---\nid: a/b\ntitle: a\n---\nx\n",
        2,
        ("id: expected a name of 1 to 100 letters, digits, '.', '_' and '-', not starting with '.' or '-', got 'a/b'"),
    ),
    (
        "---\nid: .a\ntitle: a\n---\nx\n",
        2,
        ("id: expected a name of 1 to 100 letters, digits, '.', '_' and '-', not starting with '.' or '-', got '.a'"),
    ),
    (
        "---\nid: -a\ntitle: a\n---\nx\n",
        2,
        ("id: expected a name of 1 to 100 letters, digits, '.', '_' and '-', not starting with '.' or '-', got '-a'"),
    ),
    (
        "---\nid: é\ntitle: a\n---\nx\n",
        2,
        ("id: expected a name of 1 to 100 letters, digits, '.', '_' and '-', not starting with '.' or '-', got 'é'"),
    ),
    (
        "---\nid: [a]\ntitle: a\n---\nx\n",
        2,
        ("id: expected a name of 1 to 100 letters, digits, '.', '_' and '-', not starting with '.' or '-', got a list"),
    ),
    (
        "---\nid: null\ntitle: a\n---\nx\n",
        2,
        ("id: expected a name of 1 to 100 letters, digits, '.', '_' and '-', not starting with '.' or '-', got null"),
    ),
    (
        '---\nid: "a\\n"\ntitle: a\n---\nx\n',
        2,
        ("id: expected a name of 1 to 100 letters, digits, '.', '_' and '-', not starting with '.' or '-', got 'a\\n'"),
    ),
    ("---\nid: a\ntitle: [a]\n---\nx\n", 3, "title: expected a text, got a list"),
    ("---\nid: a\ntitle: ''\n---\nx\n", 3, "title: expected a text, got ''"),
    ("---\nid: a\ntitle:\n---\nx\n", 3, "title: expected a text, got nothing"),
    (
        "---\nid: a\ntitle: |\n  a\n  b\n---\nx\n",
        3,
        "title: expected a text on one line, without control characters, got 'a\\nb\\n'",
    ),
    ("", 1, "no front matter: expected '---' on the first line, fields like 'id: calc-1', and '---'"),
    ("\n\n", 1, "no front matter: expected '---' on the first line, fields like 'id: calc-1', and '---'"),
    ("# Only Markdown\n", 1, "no front matter: expected '---' on the first line, fields like 'id: calc-1', and '---'"),
    ("----\nid: a\n", 1, "no front matter: expected '---' on the first line, fields like 'id: calc-1', and '---'"),
    (
        "\n\n---\nid: a\ntitle: b\n---\nx\n",
        3,
        "the front matter must start on the first line: remove the blank lines above it",
    ),
    ("---\nid: a\ntitle: b\n\nx\n", 1, "the front matter is not closed: expected a line '---' after the fields"),
    ("---\n---\nx\n", 1, "the front matter is empty: expected fields like 'id: calc-1'"),
    ("---\n# nothing\n---\nx\n", 1, "the front matter is empty: expected fields like 'id: calc-1'"),
    ("---\ntitle: b\n---\nx\n", 1, "id: missing, every issue needs one like 'id: calc-1'"),
    ("---\nid: a\n---\nx\n", 1, "title: missing, every issue needs one like 'title: add() subtracts'"),
    ("---\n- id: a\n---\nx\n", 2, "expected fields like 'id: calc-1' in the front matter, got a list"),
    ("---\nid\n---\nx\n", 2, "expected fields like 'id: calc-1' in the front matter, got 'id'"),
    ("---\nnull\n---\nx\n", 2, "expected fields like 'id: calc-1' in the front matter, got null"),
    ("---\nid: a\ntitle: b\n---\n", 4, "the body is missing: write what to do below the front matter"),
    ("---\nid: a\ntitle: b\n---", 4, "the body is missing: write what to do below the front matter"),
    ("---\r\nid: a\r\ntitle: b\r\n---\r\n \r\n\r\n", 4, "the body is missing: write what to do below the front matter"),
    (
        "---\r\nid: a\r\ntitle: b\r\ntype: x\r\n---\r\nx",
        4,
        "type: expected one of task, bug, feature, chore, epic, got 'x'",
    ),
    ("---\rid: a\rtitle: b\rtype: x\r---\rx", 4, "type: expected one of task, bug, feature, chore, epic, got 'x'"),
    (
        "\ufeff---\nid: a b\ntitle: b\n---\nx",
        2,
        ("id: expected a name of 1 to 100 letters, digits, '.', '_' and '-', not starting with '.' or '-', got 'a b'"),
    ),
    ("---\nid: a\ntitle: b\n...\nx\n", 1, "the front matter is not closed: expected a line '---' after the fields"),
    (
        "---\nid: a\ntitle: a\u2028b\ntype: x\n---\nx\n",
        4,
        ("not valid YAML: could not find expected ':' (while scanning a simple key that starts on line 3)"),
    ),
    (
        "---\n\n\n  a: b\n c: d\n---\nx\n",
        5,
        "not valid YAML: expected '<document start>', but found '<block mapping start>'",
    ),
]


def _refused(path: Path, content: str) -> IssueError:
    path.write_bytes(content.encode())
    with pytest.raises(IssueError) as caught:
        load_issues(path, shown="issues/x.md")
    return caught.value


@pytest.mark.parametrize(("front", "line", "what"), FIELDS)
def test_a_broken_field_is_told_with_line_field_and_what_was_expected(
    tmp_path: Path, front: str, line: int, what: str
) -> None:
    error = _refused(tmp_path / "x.md", f"---\nid: calc-1\ntitle: add()\n{front}\n---\nDo it.\n")
    assert str(error) == f"issues/x.md:{line}: {what}"
    assert len(str(error).splitlines()) == 1


@pytest.mark.parametrize(("content", "line", "what"), FILES)
def test_a_broken_file_is_told_with_its_line(tmp_path: Path, content: str, line: int, what: str) -> None:
    error = _refused(tmp_path / "x.md", content)
    assert str(error) == f"issues/x.md:{line}: {what}"
    assert (error.path, error.line, error.what) == ("issues/x.md", line, what)


def test_the_cause_of_a_refusal_is_not_shown_as_a_second_traceback(tmp_path: Path) -> None:
    assert _refused(tmp_path / "x.md", "---\na: b: c\n---\nx\n").__suppress_context__


def test_a_long_id_is_refused_and_cut_in_the_message(tmp_path: Path) -> None:
    what = "a name of 1 to 100 letters, digits, '.', '_' and '-', not starting with '.' or '-'"
    error = _refused(tmp_path / "x.md", f"---\nid: {'a' * 101}\ntitle: b\n---\nx\n")
    assert str(error) == f"issues/x.md:2: id: expected {what}, got '{'a' * 57}...'"


@pytest.mark.parametrize("opening", ["[", "{", "- ", "? "])
def test_a_hundred_thousand_brackets_are_refused_by_size(tmp_path: Path, opening: str) -> None:
    error = _refused(tmp_path / "x.md", f"---\n{opening * 100_000}\n---\nx\n")
    size = len(opening) * 100_000 + 1
    assert str(error) == f"issues/x.md:1: the front matter is too large: expected at most 65536 bytes, got {size}"


@pytest.mark.parametrize("opening", ["[", "{", "- ", "? "])
def test_as_many_brackets_as_fit_are_refused_by_depth(tmp_path: Path, opening: str) -> None:
    error = _refused(tmp_path / "x.md", f"---\n{opening * 30_000}\n---\nx\n")
    assert str(error) == "issues/x.md:2: nested too deeply: expected at most 10 levels"
