"""The section "Acceptance criteria", and what only looks like it."""

from __future__ import annotations

import pytest

from pytest_mala.issue.markdown import acceptance_criteria


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("", ""),
        ("Do it.", ""),
        ("## Acceptance criteria", ""),
        ("## Acceptance criteria\n- a\n", "- a"),
        ("## Acceptance criteria\n\n\n- a\n\n- b  \n\n", "- a\n\n- b"),
        ("## ACCEPTANCE Criteria:\na", "a"),
        ("# acceptance criteria #\na", "a"),
        ("   ### Acceptance criteria ###  \na", "a"),
        ("##\tAcceptance criteria\na", "a"),
        ("## Acceptance criteria\na\n### Details\nb\n## Notes\nc", "a\n### Details\nb"),
        ("## Acceptance criteria\na\n# Top\nb", "a"),
        ("## Acceptance criteria\na\n##\nb", "a"),
        ("## Acceptance criteria\na\n## Notes\nb\n## Acceptance criteria\nc", "a\n\nc"),
        ("## Acceptance criteria\na\n### Acceptance criteria\nb", "a\n### Acceptance criteria\nb"),
        ("## Acceptance criteria\n    indented\n", "    indented"),
        ("## Acceptance criteria\n```\n## no heading\n```\na\n## End\nb", "```\n## no heading\n```\na"),
        ("## Acceptance criteria\n~~~~ text\n~~~\n## no\n~~~~\na\n## End", "~~~~ text\n~~~\n## no\n~~~~\na"),
        ("## Acceptance criteria\n``` `no fence`\n## End\nb", "``` `no fence`"),
        ("```\n## Acceptance criteria\na\n```\n", ""),
        ("```\n## Acceptance criteria\na\n    ```\n## Acceptance criteria\nb", ""),
        ("```\nunclosed\n## Acceptance criteria\na", ""),
        ("``` python\nx\n```\n## Acceptance criteria\na", "a"),
        ("##Acceptance criteria\na", ""),
        ("    ## Acceptance criteria\na", ""),
        ("\t## Acceptance criteria\na", ""),
        ("####### Acceptance criteria\na", ""),
        ("## Acceptance criteria of others\na", ""),
        ("## Acceptance criteria#\na", ""),
        ("Acceptance criteria\n---\na", ""),
    ],
)
def test_the_section_is_found_by_its_heading(body: str, text: str) -> None:
    assert acceptance_criteria(body) == text


@pytest.mark.parametrize(
    "body",
    [
        "# " + " " * 500_000 + "x",
        "#" * 500_000,
        "`" * 500_000 + " `",
        "## acceptance criteria\n" * 20_000,
        "```\n" * 100_001 + "## acceptance criteria\n",
    ],
)
def test_the_time_to_read_grows_with_the_length_only(body: str) -> None:
    """Each of these took minutes with a pattern or with copies of the rest; the suite's dead-man's timeout watches."""
    assert acceptance_criteria(body) == ""
