"""Makes the client of one attempt; only the SDK's `resume` option continues a session (session:B1)."""

from __future__ import annotations

from typing import Any

from pytest_mala.session.abilities import ability, call

__all__ = ["create_client"]


def create_client(factory: Any, options: object, resume: str | None, purpose: str) -> Any:
    """A new client, after the factory was told what it is for.

    It resumes that session if the factory has the optional ability `with_resume(options, id)`.
    """
    with_resume = ability(factory, "with_resume")
    if resume is not None and with_resume is not None:
        options = with_resume(options, resume)
    call(factory, "announce", purpose)
    return factory.create(options)
