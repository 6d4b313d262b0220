"""Checkpoints of a full context: finding one in the agent's answer, and the prompt that goes on from it."""

from __future__ import annotations

import re

__all__ = ["build_continuation_prompt", "extract_checkpoint", "is_marked"]

_OPEN, _CLOSE = "<checkpoint>", "</checkpoint>"
_TAG = re.compile(f"{_OPEN}|{_CLOSE}")
_FENCE_START = re.compile(r"\A\s*```\w*[ \t]*\n?")
_FENCE_END = re.compile(r"\n?[ \t]*```\s*\Z")


def is_marked(text: str) -> bool:
    """Whether a checkpoint begins in the text."""
    return _OPEN in text


def extract_checkpoint(text: str) -> str:
    """What stands between the first `<checkpoint>` and its closing tag, inner tags included.

    Never closed: all after the opening tag. No opening tag: the whole text, without a code fence around it.

    >>> extract_checkpoint("well: <checkpoint>## Goal</checkpoint> done")
    '## Goal'
    """
    begin = text.find(_OPEN)
    if begin < 0:
        return _FENCE_END.sub("", _FENCE_START.sub("", text))
    start = begin + len(_OPEN)
    depth = 1
    for tag in _TAG.finditer(text, start):
        depth += 1 if tag[0] == _OPEN else -1
        if depth == 0:
            return text[start : tag.start()]
    return text[start:]


def build_continuation_prompt(continuation_template: str, checkpoint_text: str) -> str:
    """The template with every `{checkpoint}` replaced, other braces untouched; without a template a fixed sentence."""
    if not continuation_template:
        return f"Continue from checkpoint:\n\n{checkpoint_text}"
    return continuation_template.replace("{checkpoint}", checkpoint_text)
