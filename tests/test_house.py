"""The house rules that a machine can keep: layers, sizes, names, the public list, and what is inside the wheel."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

import pytest_mala

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "pytest_mala").rglob("*.py"))
LINES_MAX = 400
FUNCTION_LINES_MAX = 50
VAGUE = {"utils", "helpers", "common", "base", "core", "misc"}


def run(*command: str, cwd: Path = ROOT, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=110)


def test_imports_point_down_the_house() -> None:
    done = run(str(Path(sys.executable).with_name("lint-imports")), "--no-cache")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_stay_readable(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LINES_MAX
    assert path.stem not in VAGUE
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "a module begins with a sentence that a newcomer can act on"
    long = [
        f"{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno >= FUNCTION_LINES_MAX
    ]
    assert long == []


def test_every_public_name_is_there() -> None:
    missing = [name for name in pytest_mala.__all__ if not hasattr(pytest_mala, name)]
    assert missing == []


def test_public_names_of_the_session_core_are_the_contract_s() -> None:
    contract = {
        "AgentSessionRunner", "AgentSessionConfig", "AgentSessionInput", "AgentSessionOutput", "SessionPrompts",
        "SessionCallbacks", "ImplementerLifecycle", "LifecycleState", "Effect", "LifecycleConfig", "LifecycleContext",
        "RetryState", "ContextUsage", "TransitionResult", "MessageStreamProcessor", "IdleTimeoutStream",
        "IdleTimeoutError", "ContextPressureError", "ContextPressureHandler", "AgentRuntimeBuilder", "MalaEventSink",
    }  # fmt: skip
    assert contract <= set(pytest_mala.__all__)


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse((ROOT / "pytest_mala" / "__init__.py").read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.asname: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert seen == pytest_mala._HOME_OF


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"^module 'pytest_mala' has no attribute 'Nothing'$"):
        _ = pytest_mala.Nothing  # type: ignore[attr-defined]


def test_importing_the_package_loads_nothing_else() -> None:
    ours = "[m for m in sys.modules if m.startswith('pytest_mala.')]"
    code = f"import sys, pytest_mala; print({ours}, 'yaml' in sys.modules)"
    assert run(sys.executable, "-c", code).stdout.strip() == "[] False"


@pytest.mark.stress
def test_the_wheel_holds_the_prompts(tmp_path: Path) -> None:
    """`prompts/` at the top is their only source; a wheel in an empty environment reads them without the checkout."""
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    built = run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path / "dist"), env=env)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = (tmp_path / "dist").iterdir()
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    installed = run(str(python), "-m", "pip", "install", "-q", "--no-deps", "--no-index", str(wheel), env=env)
    assert installed.returncode == 0, installed.stderr
    code = "from pytest_mala.session.prompts import load_prompt; print(load_prompt('implementer_prompt'), end='')"
    read = run(str(python), "-c", code, cwd=tmp_path, env=env)
    assert read.returncode == 0, read.stderr
    assert read.stdout == (ROOT / "prompts" / "implementer_prompt.md").read_text(encoding="utf-8")
