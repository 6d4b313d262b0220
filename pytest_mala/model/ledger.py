"""What the scripted model was asked and answered so far: requests in order, ids in order, problems."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_mala.model.cue import Problem, cue
from pytest_mala.model.request import Kind, parse_request
from pytest_mala.model.sse import Numbers

if TYPE_CHECKING:
    from pytest_mala.model.answers import Answer, Script
    from pytest_mala.model.request import Request

__all__ = ["Ledger"]


@dataclass(slots=True, kw_only=True)
class Ledger:
    """One session's use of a script. Written by the server's thread only; others read."""

    script: Script
    requests: list[Request] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    answered: int = 0
    tools_called: int = 0

    def add_problem(self, text: str) -> None:
        """Note a problem; the same text is noted once."""
        if text not in self.problems:
            self.problems.append(text)

    def arrived(self, method: str, path: str, body: bytes) -> Request:
        """Note a request and number it."""
        request = parse_request(method, path, body, number=self.answered + 1)
        self.requests.append(request)
        if request.kind is Kind.MESSAGES:
            self.answered += 1
        return request

    def answer(self, request: Request) -> tuple[Answer | Problem, Numbers]:
        """The script's answer to a request of kind MESSAGES, with the numbers for its ids."""
        answer = cue(self.script, request)
        numbers = Numbers(request=request.number, tools_before=self.tools_called)
        if isinstance(answer, Problem):
            self.add_problem(answer.text)
        else:
            self.tools_called += len(answer.tools)
        return answer, numbers
