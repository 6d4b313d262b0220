"""The scripted model: a loopback Messages API that answers the CLI from `<issue id>.model.yaml`."""

from __future__ import annotations

from pytest_mala.model.answers import Script
from pytest_mala.model.document import ModelScriptError
from pytest_mala.model.script import load_script
from pytest_mala.model.server import Server, serve
from pytest_mala.model.used import used_answers

__all__ = ["ModelScriptError", "Script", "Server", "load_script", "serve", "used_answers"]
