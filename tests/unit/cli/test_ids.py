"""Names that a path would take for other places are refused, and nothing is sent or asked."""

from __future__ import annotations

import pytest

from .conftest import Terminal


@pytest.mark.parametrize("name", ["", ".", ".."])
@pytest.mark.parametrize(
    "command",
    [
        ["agents", "NAME"],
        ["ask", "NAME", "hi"],
        ["chat", "NAME"],
        ["show", "NAME"],
        ["cancel", "NAME"],
        ["replay", "NAME"],
        ["replay", "NAME", "--model", "m"],
        ["sessions", "show", "NAME"],
        ["sessions", "end", "NAME"],
        ["sessions", "delete", "NAME", "--yes"],
        ["memory", "list", "NAME"],
        ["memory", "show", "support", "NAME"],
        ["memory", "show", "NAME", "customer-7"],
        ["memory", "delete", "support", "NAME", "--yes"],
        ["memory", "delete", "NAME", "customer-7", "--yes"],
        ["keys", "revoke", "NAME"],
    ],
    ids=" ".join,
)
def test_a_name_that_is_another_place_is_wrong_use(terminal: Terminal, command: list[str], name: str):
    terminal.piped = ["hi"]

    result = terminal.run(*(name if word == "NAME" else word for word in command))

    # A chat from a pipe goes on with the next message, and tells at its end that one failed.
    assert result.exit_code == (1 if command[0] == "chat" else 2)
    assert f"id: is {name!r}; 1 to 100 characters are allowed" in result.stderr
    assert terminal.api.seen == []
