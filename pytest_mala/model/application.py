"""The web application of the scripted model: one handler that answers what the CLI may ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pytest_mala.model import sse
from pytest_mala.model.answers import Answer
from pytest_mala.model.cue import Problem
from pytest_mala.model.request import Kind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.applications import Starlette
    from starlette.requests import Request as HttpRequest
    from starlette.responses import Response

    from pytest_mala.model.ledger import Ledger
    from pytest_mala.model.request import Request

__all__ = ["Pause", "application"]

_TITLE = Answer(line=0, say='{"title": "Scripted session"}')
_PROBE = Answer(line=0, say="ok")
_UNNUMBERED = sse.Numbers(request=0, tools_before=0)


class Pause(Protocol):
    """Waits for so many seconds (None: for ever), or until the server is to stop."""

    async def __call__(self, seconds: float | None) -> None: ...


def application(ledger: Ledger, pause: Pause) -> Starlette:
    """The application; it takes every path, so that nothing that the CLI asks for goes unnoticed."""
    from starlette.applications import Starlette  # slow to import, and only this lane needs it
    from starlette.requests import ClientDisconnect
    from starlette.responses import Response
    from starlette.routing import Route

    async def reply(http: HttpRequest) -> Response:
        try:
            body = await http.body()
        except ClientDisconnect:
            return Response(status_code=400)
        request = ledger.arrived(http.method, http.url.path, body)
        if request.kind is Kind.MESSAGES:
            return await _scripted(ledger, pause, request)
        return _unscripted(request)

    methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    return Starlette(routes=[Route("/{path:path}", reply, methods=methods)])


def _unscripted(request: Request) -> Response:
    """Answers that are no part of the conversation, and are the same for every script.

    Tokens always count as 1: the context is as full as the script's `usage` says, on every machine.
    """
    from starlette.responses import JSONResponse, Response  # see application

    match request.kind:
        case Kind.COUNT:
            return JSONResponse({"input_tokens": 1})
        case Kind.TITLE if request.is_streaming:
            return _stream(sse.events(_TITLE, _UNNUMBERED, request.model), _UNNUMBERED)
        case Kind.TITLE:
            return JSONResponse(sse.message(_TITLE, _UNNUMBERED, request.model))
        case Kind.PROBE:
            return JSONResponse(sse.message(_PROBE, _UNNUMBERED, request.model))
    if request.method == "HEAD":
        return Response()
    return _error(404, f"the scripted model has no {request.method} {request.path}", _UNNUMBERED)


async def _scripted(ledger: Ledger, pause: Pause, request: Request) -> Response:
    from starlette.responses import JSONResponse  # see application

    answer, numbers = ledger.answer(request)
    if isinstance(answer, Problem):
        # 403 is the one status that the CLI neither retries nor varies
        return _error(403, answer.text, numbers)
    if answer.wait_seconds:
        await pause(answer.wait_seconds)
    if answer.failure is not None:
        return _error(answer.failure.status, answer.failure.message, numbers)
    if request.is_streaming:
        return _stream(sse.events(answer, numbers, request.model), numbers, stalling=pause if answer.stall else None)
    if answer.stall is not None:
        await pause(None)
        return _error(503, "the scripted model was stopped", numbers)
    return JSONResponse(sse.message(answer, numbers, request.model), headers={"request-id": numbers.request_id})


def _error(status: int, text: str, numbers: sse.Numbers) -> Response:
    from starlette.responses import JSONResponse  # see application

    body = sse.error_body(status, text, numbers.request_id)
    return JSONResponse(body, status_code=status, headers={"request-id": numbers.request_id})


def _stream(events: list[dict[str, object]], numbers: sse.Numbers, *, stalling: Pause | None = None) -> Response:
    from starlette.responses import StreamingResponse  # see application

    async def encoded() -> AsyncIterator[bytes]:
        for event in events:
            yield sse.encode(event)
        if stalling is not None:
            await stalling(None)

    headers = {"request-id": numbers.request_id, "cache-control": "no-cache"}
    return StreamingResponse(encoded(), media_type="text/event-stream", headers=headers)
