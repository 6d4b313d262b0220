"""The sources of the workspace tests, made once, shared by tests that only read them and copied for the others."""

from __future__ import annotations

import shutil

import pytest
from workspace_bench import Bench, make_repository, write_source


@pytest.fixture(scope="session")
def sources(tmp_path_factory):
    """Both forms of a source beside an issue file."""
    folder = tmp_path_factory.mktemp("sources")
    write_source(folder / "template")
    make_repository(folder / "repository")
    (folder / "one.md").write_text("---\nid: one\n---\nDo it.\n")
    return folder


@pytest.fixture
def bench(tmp_path, sources):
    """Workspaces from the shared sources."""
    return Bench(tmp_path, sources)


@pytest.fixture
def own_bench(tmp_path, sources):
    """Workspaces from sources of this test's own, which it may change."""
    shutil.copytree(sources, tmp_path / "issues", symlinks=True)
    return Bench(tmp_path, tmp_path / "issues")
