"""Tests of an application that uses the SDK and knows nothing of us: its calls are answered from a cassette."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import claude_agent_sdk  # noqa: F401 - before any in-process run, which would forget it and pay for it again
import pytest
from application_tapes import APP, Tape

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Project

HEAD = "import asyncio\nimport app\nimport pytest\n\n"
RECORD = "record it with: pytest test_app.py::{} --mala-lane=scripted --mala-record=all"
SCRIPT = "write the model script {}.model.yaml first (the format: docs/model-script.md), then "
NAME = "expected a name of 1 to 100 letters, digits, '.', '_' and '-', not starting with '.' or '-'"
BY_NAME = "compared by name: the folders, ids and secrets that this run knows; everything else word by word"


class Application:
    """A project with an application and one file of tests."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.path: Path = project.path
        project.write("conftest.py", "")
        project.write("app.py", APP)
        project.ini('pythonpath = ["."]')

    def tests(self, text: str) -> None:
        self.project.write("test_app.py", HEAD + textwrap.dedent(text))

    def run(self, *args: str) -> pytest.RunResult:
        return self.project.run("-p", "no:randomly", *args)


@pytest.fixture
def application(project: Project) -> Application:
    return Application(project)


def told(result: pytest.RunResult) -> list[str]:
    """The lines of failures as pytest marks them."""
    return [line[4:] for line in result.outlines if line.startswith("E   ")]


def test_the_marker_alone_answers_a_query(application: Application) -> None:
    Tape().answered("What is it?", "A test.").store(application.path, "greeting")
    application.tests("""
        @pytest.mark.asyncio
        @pytest.mark.mala_cassette("greeting")
        async def test_it():
            assert await app.ask("What is it?") == "A test."
    """)
    application.run().assert_outcomes(passed=1)


def test_the_fixture_has_a_name_of_its_own_and_knows_what_was_said(application: Application) -> None:
    Tape().chat(("one", "First."), ("two", "Second.")).store(application.path, "test_app-test_it")
    application.tests("""
        def test_it(mala_cassette):
            assert asyncio.run(app.chat("one", "two")) == ["First.", "Second."]
            assert [one.text for one in mala_cassette.prompts] == ["one", "two"]
            assert (mala_cassette.connections, mala_cassette.is_recording) == (1, False)
            assert mala_cassette.path.name == "test_app-test_it.yaml"
            assert repr(mala_cassette) == "<mala_cassette cassettes/applications/test_app-test_it.yaml>"
    """)
    application.run().assert_outcomes(passed=1)


def test_anyio_runs_it_too(application: Application) -> None:
    Tape().answered("What is it?", "A test.").store(application.path, "greeting")
    application.tests("""
        @pytest.mark.mala_cassette(name="greeting")
        def test_it():
            import anyio

            assert anyio.run(app.ask, "What is it?") == "A test."
    """)
    application.run().assert_outcomes(passed=1)


def test_another_event_loop_is_refused(application: Application) -> None:
    """trio may not be installed; what replay asks for is a running loop of asyncio."""
    Tape().answered("What is it?", "A test.").store(application.path, "greeting")
    application.tests("""
        @pytest.mark.mala_cassette("greeting")
        def test_it(mala_cassette):
            from claude_agent_sdk import ClaudeAgentOptions

            mala_cassette.transport(ClaudeAgentOptions())
    """)
    result = application.run()
    result.assert_outcomes(errors=1)
    assert (
        "E       pytest_mala.errors.UsageError: mala_cassette: the application runs the SDK on another event loop than "
        "asyncio's (trio?): run it on asyncio, replay knows no other" in result.outlines
    )


class TestDivergences:
    def diverged(self, application: Application, call: str, *args: str) -> pytest.RunResult:
        application.tests(f"""
            @pytest.mark.asyncio
            @pytest.mark.mala_cassette("greeting")
            async def test_it():
                {call}
        """)
        result = application.run("-v", *args)
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(["test_app.py::test_it DIVERGED*"])
        return result

    def test_another_prompt(self, application: Application) -> None:
        Tape().answered("What is it?", "A test.").store(application.path, "greeting")
        result = self.diverged(application, 'await app.ask("What is this?")')
        lines = result.outlines
        at = next(number for number, line in enumerate(lines) if "the prompt is not what was recorded" in line)
        assert [line.removeprefix("E").strip() for line in lines[at : at + 6]] == [
            "pytest_mala.errors.StalePrompt: cassettes/applications/greeting.yaml: connection 1 (application), turn 1, "
            "frame 3: the prompt is not what was recorded "
            "(no turn is fresh; turn 1 of 1 answers a prompt that no longer exists)",
            "What is [-it-]{+this+}?",
            "closest recorded prompt: this one, 83 % of the words alike",
            BY_NAME,
            "last frame played: frame 2 (control_response) at 0.300 s, 1 of 3",
            SCRIPT.format("greeting") + RECORD.format("test_it"),
        ]

    def test_another_prompt_may_be_tolerated(self, application: Application) -> None:
        Tape().answered("What is it?", "A test.").store(application.path, "greeting")
        application.tests("""
            @pytest.mark.mala_cassette("greeting")
            def test_it():
                assert asyncio.run(app.ask("What is this?")) == "A test."
        """)
        result = application.run("--mala-stale=warn")
        result.assert_outcomes(passed=1)
        assert result.outlines[-2] == (
            "note: cassettes/applications/greeting.yaml: no turn is fresh; "
            "turn 1 of 1 answers a prompt that no longer exists"
        )

    def test_one_that_the_application_swallows(self, application: Application) -> None:
        """The test's own code is done, and its traceback would say nothing."""
        Tape().answered("What is it?", "A test.").store(application.path, "greeting")
        result = self.diverged(application, 'assert await app.ask_safely("What is this?") == "sorry"')
        lines = result.outlines
        at = lines.index(next(line for line in lines if line.startswith("____")))
        assert lines[at + 1].startswith("cassettes/applications/greeting.yaml: connection 1 (application), turn 1")
        assert lines[at + 2] == "  What is [-it-]{+this+}?"

    def test_one_that_the_application_wraps(self, application: Application) -> None:
        Tape().answered("What is it?", "A test.").store(application.path, "greeting")
        result = self.diverged(application, 'await app.ask_badly("What is this?")')
        assert "app.py:28: StalePrompt" in result.outlines
        result.stdout.fnmatch_lines(["E * the prompt is not what was recorded (*", "E *What is ?-it-?{+this+}?"])

    def test_a_question_that_is_not_asked(self, application: Application) -> None:
        Tape().answered("one", "First.").answered("two", "Second.").store(application.path, "greeting")
        result = self.diverged(application, 'assert await app.ask("one") == "First."')
        expected = "connection 2 (application) was recorded and never opened"
        result.stdout.fnmatch_lines([f"cassettes/applications/greeting.yaml: {expected}"])

    def test_a_turn_that_is_not_taken(self, application: Application) -> None:
        Tape().chat(("one", "First."), ("two", "Second.")).store(application.path, "greeting")
        result = self.diverged(application, 'assert await app.chat("one") == ["First."]')
        place = "connection 1 (application), turn 2, frame"
        result.stdout.fnmatch_lines(
            [
                f"cassettes/applications/greeting.yaml: {place} 6: a prompt was recorded and never came",
                "  last frame played: frame 5 (result success) at 2.300 s, 3 of 5",
            ]
        )

    def test_one_connection_too_many(self, application: Application) -> None:
        Tape().answered("one", "First.").store(application.path, "greeting")
        result = self.diverged(application, 'await app.ask("one"); await app.ask("two")')
        result.stdout.fnmatch_lines(["E * connection 2 (application) was never recorded"])

    def test_other_options(self, application: Application) -> None:
        Tape().answered("one", "First.", body='model: "opus"').store(application.path, "greeting")
        result = self.diverged(application, 'await app.ask("one", model="haiku")')
        result.stdout.fnmatch_lines(["E * connection 1: the agent's options are not the recorded ones", "E * model: *"])

    def test_an_application_that_waits_for_more_than_there_is(self, application: Application) -> None:
        """No clock tells, so the loop is asked whether anything can still happen."""
        Tape().connect().prompt("one", "default").text("I look.").store(application.path, "greeting")
        result = self.diverged(application, 'await app.chat("one")')
        result.stdout.fnmatch_lines(
            [
                "E * the application waits, and nothing more can happen: the recording ends here (2 of 2 frames *)",
                "E *last frame played: frame 4 (assistant) at 1.300 s, 2 of 2",
            ]
        )

    def test_xfail_does_not_cover_one(self, application: Application) -> None:
        Tape().answered("What is it?", "A test.").store(application.path, "greeting")
        application.tests("""
            @pytest.mark.xfail
            @pytest.mark.mala_cassette("greeting")
            def test_it():
                asyncio.run(app.ask_safely("What is this?"))
        """)
        application.run().assert_outcomes(errors=1)

    def test_a_test_that_fails_by_itself_is_no_divergence(self, application: Application) -> None:
        """What is left unplayed is the failure's consequence."""
        Tape().answered("one", "First.").answered("two", "Second.").store(application.path, "greeting")
        application.tests("""
            @pytest.mark.mala_cassette("greeting")
            def test_it():
                assert asyncio.run(app.ask("one")) == "Second."
        """)
        result = application.run("-v")
        result.assert_outcomes(failed=1)


class TestCallbacks:
    HOOKED = """
        from claude_agent_sdk import HookMatcher, create_sdk_mcp_server, tool

        ran = []

        async def refuse(call, tool_use_id, context):
            ran.append((call["tool_name"], tool_use_id))
            return {{"systemMessage": "{0}"}}

        @tool("add", "Adds.", {{"a": int, "b": int}})
        async def add(given):
            ran.append(given)
            return {{"content": [{{"type": "text", "text": str(given["a"] + given["b"] + {1})}}]}}

        @pytest.mark.mala_cassette("greeting")
        def test_it():
            hooks = {{"PreToolUse": [HookMatcher(hooks=[refuse])]}}
            servers = {{"calc": create_sdk_mcp_server("calc", tools=[add])}}
            assert asyncio.run(app.ask("one", hooks=hooks, mcp_servers=servers)) == "Done."
            assert ran == [("Bash", "toolu_1_0001"), {{"a": 2, "b": 3}}]
    """

    @pytest.fixture(autouse=True)
    def recorded(self, application: Application) -> None:
        tape = Tape().connect(
            'mcp_servers: {"calc": {"name": "calc", "type": "sdk"}}',
            {"PreToolUse": [{"matcher": None, "hookCallbackIds": ["hook_0"]}]},
        )
        tape.prompt("one").hook({"systemMessage": "no"})
        version = {"protocolVersion": "2025-06-18"}
        self.call(
            tape,
            "initialize",
            {**version, "capabilities": {}, "clientInfo": {"name": "cli", "version": "1"}},
            {
                **version,
                "capabilities": {"tools": {"listChanged": False}},
                "serverInfo": {"name": "calc", "version": "1.0.0"},
            },
        )
        note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        asked = {"subtype": "mcp_message", "server_name": "calc", "message": note}
        tape.asked(asked, {"mcp_response": {"jsonrpc": "2.0", "result": {}}})
        answer = {"content": [{"type": "text", "text": "5"}], "isError": False}
        self.call(tape, "tools/call", {"name": "add", "arguments": {"a": 2, "b": 3}}, answer)
        tape.result("Done.").end().store(application.path, "greeting")

    def call(self, tape: Tape, method: str, params: object, result: object) -> None:
        number = len(tape.entries)
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        request = {"subtype": "mcp_message", "server_name": "calc", "message": message}
        tape.asked(request, {"mcp_response": {"jsonrpc": "2.0", "id": number, "result": result}})

    def test_they_run_for_real(self, application: Application) -> None:
        application.tests(self.HOOKED.format("no", 0))
        application.run().assert_outcomes(passed=1)

    @pytest.mark.parametrize(
        ("answers", "shown"),
        [
            (("yes", 0), "the hook PreToolUse?0? for toolu_1_0001 was answered otherwise than recorded"),
            (("no", 1), "the MCP request tools/call add to the server calc was answered otherwise than recorded"),
        ],
    )
    def test_another_answer_diverges(self, application: Application, answers: tuple[str, int], shown: str) -> None:
        application.tests(self.HOOKED.format(*answers))
        result = application.run("-v")
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines([f"E * {shown}"])


class TestConnections:
    def test_side_by_side_and_in_another_order(self, application: Application) -> None:
        """Which one is which is told by the prompt of a query."""
        tape = Tape().connect().connect().at(1).prompt("A?").at(2).prompt("B?").text("It is B.").at(1).text("It is A.")
        tape.result("A.").end().at(2).result("B.").end().store(application.path, "greeting")
        application.tests("""
            @pytest.mark.parametrize("prompts", [("A?", "B?"), ("B?", "A?")])
            @pytest.mark.mala_cassette("greeting")
            def test_it(prompts):
                assert asyncio.run(app.ask_twice(*prompts)) == [one.replace("?", ".") for one in prompts]
        """)
        application.run().assert_outcomes(passed=2)

    def test_told_apart_by_options(self, application: Application) -> None:
        tape = Tape().connect('model: "opus"').prompt("one", "default").text("Slow.").result("Slow.").end("closed")
        tape.connect('model: "haiku"').prompt("one", "default").text("Quick.").result("Quick.").end("closed")
        tape.store(application.path, "greeting")
        application.tests("""
            @pytest.mark.mala_cassette("greeting")
            def test_it():
                assert asyncio.run(app.chat("one", model="haiku")) == ["Quick."]
                assert asyncio.run(app.chat("one", model="opus")) == ["Slow."]
        """)
        application.run().assert_outcomes(passed=1)

    def test_a_transport_that_is_passed_on(self, application: Application) -> None:
        Tape().chat(("one", "First.")).store(application.path, "greeting")
        application.tests("""
            @pytest.mark.asyncio
            @pytest.mark.mala_cassette("greeting")
            async def test_it(mala_cassette):
                from claude_agent_sdk import ClaudeAgentOptions

                transport = mala_cassette.transport(ClaudeAgentOptions())
                assert await app.chat("one", transport=transport) == ["First."]
        """)
        application.run().assert_outcomes(passed=1)

    def test_a_client_of_a_fixture_is_checked_when_it_is_gone(self, application: Application) -> None:
        Tape().chat(("one", "First."), ("two", "Second.")).store(application.path, "greeting")
        application.tests("""
            import pytest_asyncio
            from claude_agent_sdk import ClaudeSDKClient

            @pytest_asyncio.fixture
            async def client():
                async with ClaudeSDKClient() as made:
                    yield made
                    assert await app.ask_client(made, LAST) == "Second."

            @pytest.mark.asyncio
            @pytest.mark.mala_cassette("greeting")
            async def test_it(client):
                assert await app.ask_client(client, "one") == "First."

            LAST = "two"
        """)
        application.run().assert_outcomes(passed=1)
        changed = (application.path / "test_app.py").read_text().replace("yield made", "yield made; return")
        (application.path / "test_app.py").write_text(changed)
        result = application.run("-v")
        result.assert_outcomes(passed=1, errors=1)
        result.stdout.fnmatch_lines(["*turn 2, frame 6: a prompt was recorded and never came"])

    def test_leaving_before_the_end_is_remarked(self, application: Application) -> None:
        Tape().connect().prompt("one").text("I look.").text("I see.").result("Done.").end().store(
            application.path, "greeting"
        )
        application.tests("""
            from claude_agent_sdk import AssistantMessage, ClaudeSDKClient, query

            async def first():
                client = ClaudeSDKClient()
                await client.connect()
                await client.query("one", session_id="")
                await client.disconnect()

            @pytest.mark.mala_cassette("greeting")
            def test_it():
                asyncio.run(first())
        """)
        result = application.run()
        result.assert_outcomes(passed=1)
        result.stdout.fnmatch_lines(
            [
                "note: cassettes/applications/greeting.yaml: connection 1: the application closed it before "
                "3 recorded frames, the first of them frame 4 of turn 1"
            ]
        )

    def test_the_sdk_has_its_own_transport_before_and_after(self, application: Application) -> None:
        Tape().answered("What is it?", "A test.").store(application.path, "greeting")
        application.tests("""
            from claude_agent_sdk._internal import client
            from claude_agent_sdk._internal.transport import subprocess_cli

            own = subprocess_cli.SubprocessCLITransport

            @pytest.mark.mala_cassette("greeting")
            def test_it():
                assert issubclass(client.SubprocessCLITransport, own)
                assert client.SubprocessCLITransport is subprocess_cli.SubprocessCLITransport is not own
                asyncio.run(app.ask("What is this?"))

            def test_after():
                assert client.SubprocessCLITransport is subprocess_cli.SubprocessCLITransport is own
        """)
        application.run().assert_outcomes(passed=1, errors=1)


class TestTime:
    def test_frames_come_as_fast_as_they_are_taken(self, application: Application) -> None:
        Tape().connect().prompt("one").text("Slow.", after=3600).result("Slow.", after=3600).end().store(
            application.path, "greeting"
        )
        application.tests("""
            @pytest.mark.mala_cassette("greeting")
            def test_it():
                assert asyncio.run(asyncio.wait_for(app.ask("one"), 60)) == "Slow."
        """)
        application.run().assert_outcomes(passed=1)

    def test_a_virtual_clock_has_the_recorded_times(self, application: Application) -> None:
        Tape().connect().prompt("one").text("Slow.", after=3600).result("Slow.", after=3600).end().store(
            application.path, "greeting"
        )
        application.tests("""
            @pytest.mark.asyncio
            @pytest.mark.mala_cassette("greeting")
            async def test_it(mala_clock):
                with mala_clock:
                    with pytest.raises(TimeoutError):
                        await asyncio.wait_for(app.ask("one"), 4000)
                    assert 3990 < mala_clock.elapsed < 4001
        """)
        application.run().assert_outcomes(passed=1)


class TestLooseMatching:
    @pytest.fixture(autouse=True)
    def recorded(self, application: Application) -> None:
        Tape().answered("See /tmp/a1/x at 2026-01-01T00:00:00Z", "Yes.").store(application.path, "greeting")
        application.tests("""
            @pytest.mark.mala_cassette("greeting")
            def test_it():
                assert asyncio.run(app.ask("See /tmp/b22/y at 2027-12-31T23:59:59Z")) == "Yes."
        """)

    def test_it_is_asked_for(self, application: Application) -> None:
        application.run().assert_outcomes(errors=1)

    @pytest.mark.parametrize("how", ["option", "ini", "marker"])
    def test_it_is_told(self, application: Application, how: str) -> None:
        if how == "ini":
            application.project.ini('pythonpath = ["."]\nmala_match = "loose"')
        if how == "marker":
            path = application.path / "test_app.py"
            path.write_text(path.read_text().replace('("greeting")', '("greeting", match="loose")'))
        result = application.run(*(["--mala-match=loose"] if how == "option" else []))
        result.assert_outcomes(passed=1)
        assert result.outlines[-2] == (
            "matching: loose for 1 cassette of applications (ids, times, durations, hashes, temporary and home paths "
            "count as equal; issues are matched strictly)"
        )

    def test_what_is_left_still_diverges_and_the_message_says_what_is_ignored(self, application: Application) -> None:
        path = application.path / "test_app.py"
        path.write_text(path.read_text().replace("See", "Look at"))
        result = application.run("--mala-match=loose")
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(
            [
                "E *?-See-?{+Look at+} <tmp> at <time>",
                "E *ignored in the comparison: ids, times, durations, hashes of 7 to 12 or 40 digits, temporary and "
                "home folders, colours, blanks at line ends",
            ]
        )


class TestRefusals:
    def told(self, application: Application, marker: str, *args: str, fixture: str = "") -> str:
        """The error of the set-up, without pytest's mark."""
        application.tests(f"""
            @pytest.mark.mala_cassette{marker}
            def test_it({fixture}):
                raise AssertionError("never run")
        """)
        result = application.run(*args)
        result.assert_outcomes(errors=1)
        lines = result.outlines
        at = next(number for number, line in enumerate(lines) if line.startswith("____"))
        assert lines[at + 2].startswith("=")
        return lines[at + 1]

    def test_no_cassette(self, application: Application) -> None:
        assert self.told(application, "") == (
            "cassettes/applications/test_app-test_it.yaml: there is no cassette for the SDK calls of this test; "
            + SCRIPT.format("test_app-test_it")
            + RECORD.format("test_it")
        )
        application.project.write("test_app-test_it.model.yaml", "answers: [{say: Yes.}]")
        assert self.told(application, "") == (
            "cassettes/applications/test_app-test_it.yaml: there is no cassette for the SDK calls of this test; "
            + RECORD.format("test_it")
        )

    def test_a_cassette_that_was_changed(self, application: Application) -> None:
        path = Tape().answered("What is it?", "A test.").store(application.path, "greeting")
        path.write_text(path.read_text().replace("A test.", "A joke."))
        line = self.told(application, '("greeting")')
        assert line.startswith("cassettes/applications/greeting.yaml:")
        assert "seal" in line
        assert line.endswith(RECORD.format("test_it"))

    def test_a_session_on_an_issue(self, application: Application) -> None:
        Tape().answered("What is it?", "A test.", purpose="work").store(application.path, "greeting")
        assert self.told(application, '("greeting")') == (
            "cassettes/applications/greeting.yaml: holds a session on an issue, expected connections of an application "
            "(purpose: application); " + SCRIPT.format("greeting") + RECORD.format("test_it")
        )

    def test_the_cassette_of_another_name(self, application: Application) -> None:
        path = Tape().answered("What is it?", "A test.").store(application.path, "greeting")
        path.rename(path.with_name("hello.yaml"))
        assert self.told(application, '("hello")') == (
            "cassettes/applications/hello.yaml: expected a cassette of 'hello', got 'greeting'; "
            + SCRIPT.format("hello")
            + RECORD.format("test_it")
        )

    @pytest.mark.parametrize(
        ("marker", "shown"),
        [
            (
                '("a/b")',
                f"{NAME}, got 'a/b'",
            ),
            (
                "(7)",
                f"{NAME}, got 7",
            ),
            ('("a", "b")', "expected one name, got 'a', 'b'"),
            ('("a", name="b")', "expected one name, got 'a'"),
            ('("a", mode="x")', "unknown keyword 'mode': expected name or match"),
            ('("a", match="fuzzy")', "match: expected strict or loose, got 'fuzzy'"),
        ],
    )
    def test_a_marker_that_says_something_else(self, application: Application, marker: str, shown: str) -> None:
        assert self.told(application, marker) == f"test_app.py:6: mala_cassette: {shown}"

    def test_lane_scripted_without_a_script(self, application: Application) -> None:
        assert self.told(application, '("greeting")', "--mala-lane=scripted") == (
            "greeting.model.yaml: there is no model script for the cassette greeting; "
            "lane scripted needs one (its format: docs/model-script.md)"
        )

    def test_another_way_of_matching(self, application: Application) -> None:
        result = application.run("--mala-match=fuzzy")
        assert result.errlines == ["ERROR: --mala-match: expected strict or loose, got 'fuzzy'", ""]

    def test_a_test_that_is_made_from_an_issue(self, application: Application) -> None:
        application.project.issue("calc-1")
        application.project.write(
            "conftest.py",
            "import pytest\n\ndef pytest_itemcollected(item):\n    item.add_marker(pytest.mark.mala_cassette)\n",
        )
        result = application.project.run_issues()
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(
            [
                "issues/calc-1.md:1: mala_cassette: this test is made from an issue, which has a cassette of its own; "
                "take it away"
            ]
        )
