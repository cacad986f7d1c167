"""The agent configuration: read, checked and compiled into what the loop runs."""

from __future__ import annotations

from freehold.configuration.compilation import Compiled, Schemas, compile_agent
from freehold.configuration.files import load_file

__all__ = ["Compiled", "Schemas", "compile_agent", "load_file"]
