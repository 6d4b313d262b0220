"""What a project's own `mala_case` may give, and the one line about anything else."""

from __future__ import annotations

import pytest

REMEDY = "return what `await mala_case()` of the wrapped fixture gives"

RANGE = "out of range: expected at least 0 and less than 1,000,000,000,000"

GIVEN = {
    "nothing": (
        "async def run():\n    await mala_case()\nreturn run",
        "mala_case gave None, expected a CaseResult",
    ),
    "something else": (
        "async def run():\n    return {'outcome': 'passed'}\nreturn run",
        "mala_case gave a value of type dict, expected a CaseResult",
    ),
    "not awaited": (
        "async def run():\n    return mala_case()\nreturn run",
        "mala_case gave a value of type coroutine, expected a CaseResult",
    ),
    "not async": (
        "def run():\n    pass\nreturn run",
        "mala_case() gave None, expected something to await: write `async def`",
    ),
    "not async with a result": (
        "def run():\n    return result(mala_issue)\nreturn run",
        "mala_case() gave a value of type CaseResult, expected something to await: write `async def`",
    ),
    "no function": ("return None", "mala_case is None, expected a coroutine function"),
    "called already": (
        "return mala_case()",
        "mala_case is a value of type coroutine, expected a coroutine function",
    ),
    "outcome": (
        "async def run():\n    return replace(await mala_case(), outcome='passed')\nreturn run",
        "mala_case gave a CaseResult with outcome = a value of type str: expected EndReason",
    ),
    "cost": (
        "async def run():\n    return replace(await mala_case(), cost_usd='1')\nreturn run",
        "mala_case gave a CaseResult with cost_usd = a value of type str: expected int or float or None",
    ),
    "cost_nan": (
        "async def run():\n    return replace(await mala_case(), cost_usd=float('nan'))\nreturn run",
        f"mala_case gave a CaseResult with cost_usd {RANGE}",
    ),
    "turns_huge": (
        "async def run():\n    return replace(await mala_case(), turns=10**5000)\nreturn run",
        f"mala_case gave a CaseResult with turns {RANGE}",
    ),
    "attempts_negative": (
        "async def run():\n    return replace(await mala_case(), gate_attempts=-1)\nreturn run",
        f"mala_case gave a CaseResult with gate_attempts {RANGE}",
    ),
    "seconds_infinite": (
        "async def run():\n    return replace(await mala_case(), virtual_seconds=float('inf'))\nreturn run",
        f"mala_case gave a CaseResult with virtual_seconds {RANGE}",
    ),
    "turns_bool": (
        "async def run():\n    return replace(await mala_case(), turns=True)\nreturn run",
        "mala_case gave a CaseResult with turns = a value of type bool: expected int",
    ),
    "checks": (
        "async def run():\n    return replace(await mala_case(), checks=None)\nreturn run",
        "mala_case gave a CaseResult with checks of another type: expected a tuple of CheckRow",
    ),
    "expected": (
        "async def run():\n    return replace(await mala_case(), expected=['passed'])\nreturn run",
        "mala_case gave a CaseResult with expected of another type: expected a tuple of EndReason",
    ),
    "output": (
        "async def run():\n    return replace(await mala_case(), checks=(row('a', output=None),))\nreturn run",
        "mala_case gave a CaseResult with checks.output = None: expected str",
    ),
}


def wrap(project, bodies: dict[str, str]) -> None:
    """A conftest below the root whose `mala_case` wraps the one above, in another way for each issue."""
    functions = []
    for name, body in bodies.items():
        lines = "".join(f"    {line}\n" for line in body.splitlines())
        functions.append(f"def wrap_{name}(mala_case, mala_issue):\n{lines}")
    with (project.path / "conftest.py").open("a") as file:
        file.write("\n\nfrom dataclasses import replace\n\n" + "\n\n".join(functions))
        file.write("\n\n@pytest.fixture\ndef wraps(mala_issue):\n    return globals()[f'wrap_{mala_issue.id}']\n")
    project.write(
        "issues/conftest.py",
        "import pytest\n\n@pytest.fixture\ndef mala_case(mala_case, mala_issue, wraps):\n"
        "    return wraps(mala_case, mala_issue)\n",
    )


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["plain", "n2"])
def test_what_can_not_be_judged_is_one_line_of_that_test(project, workers):
    names = {name.replace(" ", "_"): given for name, given in GIVEN.items()}
    for name in names:
        project.issue(name, "xfail: never mind")
    project.issue("fine")
    wrap(project, {name: body for name, (body, _) in names.items()} | {"fine": "return mala_case"})
    result = project.run_issues("-v", *workers)
    result.assert_outcomes(passed=1, errors=len(names))
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    text = result.stdout.str()
    for word in ("Traceback", "INTERNALERROR", "never awaited", "pytest_mala/"):
        assert word not in text
    for name, (_, message) in names.items():
        assert f"{message}; {REMEDY}" in result.outlines
        assert any(
            line.startswith(f"ERROR issues/{name}.md::{name} - UsageError: mala_case") for line in result.outlines
        )
        assert any(line.split() == [name, "ERROR"] for line in result.outlines)
    assert any(line.split()[:2] == ["fine", "passed"] for line in result.outlines)


def test_an_error_of_a_wrapper_s_own_stays_the_user_s(project):
    project.issue("own")
    wrap(project, {"own": "async def run():\n    return (await mala_case()).no_such_thing\nreturn run"})
    result = project.run_issues()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*AttributeError: 'CaseResult' object has no attribute 'no_such_thing'"])


def test_a_plain_function_that_gives_the_coroutine_of_the_inner_one_is_fine(project):
    project.issue("plain")
    wrap(project, {"plain": "return lambda: mala_case()"})
    project.run_issues().assert_outcomes(passed=1)
