"""Rows of session:2 that no other test shows: L21, with what a shared part would look like."""

from __future__ import annotations

from session_peers import finding

from pytest_mala.session.context import ContextUsage, LifecycleContext, RetryState


def test_l21_what_is_written_to_one_context_is_in_no_other() -> None:
    one, other = LifecycleContext(), LifecycleContext()
    one.context_usage.input_tokens = 9
    one.retry_state.gate_attempt = 9
    one.low_priority_review_issues.append(finding())
    assert other.context_usage == ContextUsage(0, 0, 0)
    assert other.retry_state == RetryState(gate_attempt=1)
    assert other.low_priority_review_issues == []
