"""With which options the CLI of an application is started in lane scripted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from claude_agent_sdk import ClaudeAgentOptions, InMemorySessionStore

from pytest_mala.case.application import Asked
from pytest_mala.case.application.environment import on_stage, plain
from pytest_mala.case.settings import CaseSettings, Lane, RecordMode
from pytest_mala.case.stage import Stage
from pytest_mala.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage.make()
    yield made
    made.remove()


def test_variables_of_the_application_are_passed_on_unless_they_lead_elsewhere(stage: Stage) -> None:
    given = {
        "MY_OWN": "x",
        "ANTHROPIC_AUTH_TOKEN": "t",
        "anthropic_base_url": "u",
        "CLAUDE_CODE_USE_BEDROCK": "1",
        "CLAUDE_CONFIG_DIR": "/home/me/.claude",
        "AWS_PROFILE": "p",
        "GOOGLE_APPLICATION_CREDENTIALS": "g",
        "https_proxy": "h",
        "ALL_PROXY": "h",
        "HOME": "/home/me",
        "ANTHROPIC_BASE_URL": "https://api.example",
    }
    made = on_stage(ClaudeAgentOptions(env=given, cli_path="/usr/bin/true"), stage, "http://127.0.0.1:1")
    kept = {name: made.env[name] for name in made.env if name in given}
    assert kept == {
        "MY_OWN": "x",
        "HOME": str(stage.home),
        "CLAUDE_CONFIG_DIR": str(stage.config),
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:1",
    }
    assert made.cli_path == stage.root / "claude"
    assert "MY_OWN" in made.cli_path.read_text(encoding="utf-8")


def test_a_session_from_a_store_is_refused(stage: Stage) -> None:
    options = ClaudeAgentOptions(session_store=InMemorySessionStore(), resume="00000000-0000-4000-8000-000000000001")
    with pytest.raises(UsageError) as caught:
        on_stage(options, stage, "http://127.0.0.1:1")
    assert str(caught.value) == (
        "mala_cassette: lane scripted can't resume a session from a `session_store`, because the CLI has a "
        "configuration folder of its own there: resume without the store, or begin a new session"
    )


async def allow(*_: Any) -> Any:
    raise NotImplementedError


def test_options_that_the_sdk_has_marked_are_the_application_s_again() -> None:
    given = ClaudeAgentOptions(can_use_tool=allow, permission_prompt_tool_name="stdio")
    assert plain(given).permission_prompt_tool_name is None
    assert plain(given).can_use_tool is allow
    own = ClaudeAgentOptions(permission_prompt_tool_name="stdio")
    assert plain(own) is own


def test_places_have_names_and_the_cli_has_its_own(stage: Stage, tmp_path: Path) -> None:
    settings = CaseSettings(
        lane=Lane.REPLAY,
        record=RecordMode.NONE,
        cassettes=tmp_path,
        prompts=None,
        frozen=False,
        rootdir=tmp_path,
        record_command="RECORD {issue}",
    )
    places = {"HOME": tmp_path, "CWD": tmp_path / "a", "ROOT": tmp_path / "a", "SHORT": tmp_path.parents[-1]}
    names = Asked(name="x", script=tmp_path / "x", workspace=tmp_path, settings=settings, places=places).names(stage)
    a = tmp_path / "a"
    slug = re.sub("[^A-Za-z0-9]", "-", str(a))  # as the CLI makes it of any path, also of one with a dot
    text = f"{a}/b {a}b {tmp_path} {stage.config}/x {stage.home} {slug}-x /"
    assert names.hide(text) == ("${ROOT}/b ${HOME}/ab ${HOME} ${CONFIG}/x ${CLI_HOME} ${ROOT_SLUG}-x /")
    assert names.show(names.hide(text)) == text
