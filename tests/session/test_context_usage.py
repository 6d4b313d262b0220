"""How full a context is, at the smallest limit there can be (the other rows of session:L20 are in test_lifecycle)."""

from __future__ import annotations

from pytest_mala.session.context import ContextUsage


def test_l20_a_limit_of_one_token_can_be_filled() -> None:
    assert ContextUsage(input_tokens=3, output_tokens=2, cache_read_tokens=9).pressure_ratio(1) == 5.0
