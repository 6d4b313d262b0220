"""What of the SDK's options a cassette remembers: every field that differs from its default and shapes the agent.

A custom transport never sees the options (sdk.md 1.1), so a changed model or tool list would go unnoticed on
replay: they are compared as text. Left out: the environment (secrets, paths of this machine), callbacks, and what
the initialize request already says (hooks).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

__all__ = ["options_text", "secret_options"]

_SECRET_KEYS = frozenset({"env", "headers"})  # of MCP servers: names are kept, values never (sdk.md 6)
_LEFT_OUT = frozenset(
    {"env", "hooks", "stderr", "debug_stderr", "cli_path", "session_store", "user", "max_buffer_size"}
)


def options_text(options: Any) -> str:
    """The options as sorted lines `name: JSON`; empty when `options` is not the SDK's dataclass (a look-alike of a
    test).
    """
    if not dataclasses.is_dataclass(options) or isinstance(options, type):
        return ""
    lines = [
        f"{field.name}: {json.dumps(_plain(value), sort_keys=True, ensure_ascii=False)}"
        for field in dataclasses.fields(options)
        if field.name not in _LEFT_OUT and (value := getattr(options, field.name)) != _default(field)
    ]
    return "\n".join(sorted(lines))


def secret_options(options: Any) -> list[dict[str, str]]:
    """The variables and headers that the options hand to the CLI and to MCP servers: their values may be secrets."""
    servers = getattr(options, "mcp_servers", None)
    found = [getattr(options, "env", None)]
    for server in servers.values() if isinstance(servers, Mapping) else ():
        found += [server.get(key) for key in sorted(_SECRET_KEYS)] if isinstance(server, Mapping) else []
    return [
        {str(name): value for name, value in one.items() if isinstance(value, str)}
        for one in found
        if isinstance(one, Mapping)
    ]


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return None if field.default is dataclasses.MISSING else field.default


def _plain(value: Any) -> Any:
    """JSON of what an option holds; objects that only live in this process are named by their kind."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Mapping):
        if "instance" in value:  # an in-process MCP server
            return {"type": value.get("type"), "name": value.get("name")}
        return {str(key): sorted(item) if key in _SECRET_KEYS else _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in (sorted(value, key=str) if isinstance(value, set | frozenset) else value)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return f"<{type(value).__name__}>"
