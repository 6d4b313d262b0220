"""What is wrong with issue files: the file, and the message that it must get, from the line on."""

from __future__ import annotations


def front(*lines: str, text: str = "Do it.\n") -> str:
    return "\n".join(["---", *lines, "---", text])


CHECKED = "gate: {checks: {a: 'true'}}"
ALLOWED = (
    "Allowed: id, title, type, status, priority, labels, depends_on, workspace, gate, review, agent, limits, expect, "
    "xfail, skip"
)
NAME = "expected a name of 1 to 100 letters, digits, '.', '_' and '-', not starting with '.' or '-'"
ISSUES: dict[str, tuple[str | bytes, str]] = {
    "empty-front": ("---\n---\nx\n", "1: the front matter is empty: expected fields like 'id: calc-1'"),
    "unclosed": ("---\nid: a\n", "1: the front matter is not closed: expected a line '---' after the fields"),
    "no-body": (
        front("id: a", "title: t", CHECKED, text=""),
        "5: the body is missing: write what to do below the front matter",
    ),
    "unknown": (front("id: a", "title: t", CHECKED, "colour: red"), f"5: colour: unknown field. {ALLOWED}"),
    "escape": (front("id: a", "title: t", CHECKED, '"\\e[31m": 1'), f"5: '\\x1b[31m': unknown field. {ALLOWED}"),
    "wrong-type": (front("id: a", "title: [t]", CHECKED), "3: title: expected a text, got a list"),
    "repeated": (
        front("id: a", "title: t", "title: u", CHECKED),
        "4: title: repeated field, the first is on line 3",
    ),
    "id-colon": (front("id: a::b", "title: t", CHECKED), f"2: id: {NAME}, got 'a::b'"),
    "id-path": (front("id: ../x", "title: t", CHECKED), f"2: id: {NAME}, got '../x'"),
    "id-missing": (front("title: t", CHECKED), "1: id: missing, every issue needs one like 'id: calc-1'"),
    "id-taken": (
        front("id: setup_module", "title: t", CHECKED),
        "1: id: 'setup_module' has a meaning to pytest: choose another one",
    ),
    "id-twice": (
        front("id: GOOD", "title: t", CHECKED),
        "1: id: 'GOOD' must be the only one of its name, but 'good', which some file systems take for the same name, "
        "is used in issues/good.md:1",
    ),
    "cannot-fail": (
        front("id: a", "title: t", "gate: {commit: allowed}"),
        "4: gate: this issue can't fail: name a check, or set commit to required or forbidden",
    ),
    "check-quote": (
        front("id: a", "title: t", 'gate: {checks: {a: "echo \'x"}}'),
        '4: gate.checks.a: expected a command that can be split into words, got "echo \'x" (no closing quotation)',
    ),
    "tag": (
        front("id: a", "title: !!python/object/apply:os.system [ls]", CHECKED),
        "3: YAML tags ('tag:yaml.org,2002:python/object/apply:os.system') are not allowed: every value is read as the "
        "type of its field",
    ),
    "anchor": (
        front("id: a", "title: &x t", CHECKED),
        "3: YAML anchors and aliases (&x) are not allowed: write the value out",
    ),
    "deep": (
        front("id: a", "title: t", "labels: " + "[" * 99_990),
        "1: the front matter is too large: expected at most 65536 bytes, got 100014",
    ),
    "yaml": (
        front("id: a", "title: 'abc", CHECKED),
        "4: not valid YAML: expected <block end>, but found '<scalar>' "
        "(while parsing a block mapping that starts on line 2)",
    ),
    "duration": (
        front("id: a", "title: t", CHECKED, "limits: {idle: soon}"),
        "5: limits.idle: expected a duration like 90s, 5m or 1h, got 'soon'",
    ),
    "priority": (
        front("id: a", "title: t", CHECKED, "priority: 9"),
        "5: priority: expected a priority from 0 to 4, or P0 to P4, got '9'",
    ),
    "list": (
        "---\n- a\n- b\n---\nx\n",
        "2: expected fields like 'id: calc-1' in the front matter, got a list",
    ),
    "control": ("---\nid: c\ntitle: 'a\x07b'\n---\nx\n", "3: not valid YAML: the character U+0007 is not allowed"),
    "bidi": (
        front("id: a", "title: t", CHECKED, 'type: "\\u202e"'),
        "5: type: expected one of task, bug, feature, chore, epic, got '\\u202e'",
    ),
    "binary": (b"---\n\x89PNG\r\n\x1a\n\x00\xff---\n", "4: is a binary file: expected UTF-8 text, got a NUL byte"),
    "latin-1": (
        front("id: a", "title: gr\xfc\xdf", CHECKED).encode("latin-1"),
        "3: is not UTF-8: byte 0xfc at offset 19; save the file as UTF-8",
    ),
    "utf-16": (front("id: a", "title: t", CHECKED).encode("utf-16"), "1: is UTF-16 text: save it as UTF-8"),
    "large": (
        front("id: a", "title: t", CHECKED, text="x" * 2_000_000),
        "1: is too large: expected at most 1048576 bytes",
    ),
}
