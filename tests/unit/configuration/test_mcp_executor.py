from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from freehold.adapters.mcp_tools import CHANGED, MOST_LISTED, MOST_LISTED_CHARACTERS, MOST_PAGES
from freehold.configuration import Compiled, compile_agent
from freehold.configuration.mcp_executor import AllowedTool, McpExecutor
from freehold.configuration.part import Part, field_names
from freehold.errors import Invalid, Problem
from freehold.mcp_listing import SECONDS_EACH, SECONDS_IN_ALL
from freehold.mcp_messages import DEFINING, digest
from freehold.values.agent import Auth, Server, Tool

from .conftest import CATALOG, Workbench

URL = "https://docs.example.com/mcp"
PATH = "actionGroups[0].actionGroupExecutor.mcp"
SEARCH = {
    "name": "search",
    "description": "Search the **docs**",
    "inputSchema": {
        "type": "object",
        "properties": {"q": {"type": "string"}, "$top": {"type": "integer"}},
        "required": ["q"],
    },
    "annotations": {"readOnlyHint": True, "idempotentHint": True},
}
PAY = {"name": "pay/now", "title": "Pay", "inputSchema": {"type": "object"}}


@dataclass
class Listed:
    """`McpServers` that lists what it is given, or refuses."""

    definitions: Any = (SEARCH, PAY)
    asked: list[Server] = field(default_factory=list)

    def tools(self, server: Server) -> Sequence[Mapping[str, Any]]:
        self.asked.append(server)
        if isinstance(self.definitions, Exception):
            raise self.definitions
        return self.definitions


def document(bench: Workbench, **executor: Any) -> dict[str, Any]:
    group = {"actionGroupName": "docs", "actionGroupExecutor": {"mcp": {"url": URL} | executor}}
    return bench.document(actionGroups=[group])


def compiled(bench: Workbench, servers: Listed | None = None, **executor: Any) -> Compiled:
    return compile_agent(
        document(bench, **executor),
        name=None,
        schemas=bench.bucket,
        known_model=CATALOG.get,
        mcp=servers or Listed(),
    )


def tools(bench: Workbench, servers: Listed | None = None, **executor: Any) -> dict[str, Tool]:
    return {tool.name: tool for tool in compiled(bench, servers, **executor).agent.tools}


def problems(bench: Workbench, servers: Listed | None = None, **executor: Any) -> list[Problem]:
    with pytest.raises(Invalid) as refused:
        compiled(bench, servers, **executor)
    return list(refused.value.problems)


def test_every_tool_that_the_server_lists_is_offered(bench: Workbench):
    made = tools(bench)

    assert set(made) == {"search", "pay_now"}
    search = made["search"]
    assert (search.description, search.action_group, search.function) == ("Search the docs", "docs", "search")
    assert (search.mcp, search.lambda_arn) == (Server(URL), "")
    assert set(search.input_schema["properties"]) == {"q", "top"}
    assert [(each.key, each.name) for each in search.arguments] == [("q", "q"), ("top", "$top")]
    assert (made["pay_now"].function, made["pay_now"].description) == ("pay/now", "Pay")


def test_each_is_pinned_by_its_definition(bench: Workbench):
    made = tools(bench)

    assert {tool.function: tool.pin for tool in made.values()} == {
        "search": digest(SEARCH),
        "pay/now": digest(PAY),
    }


def test_no_hint_of_a_server_makes_a_tool_repeatable(bench: Workbench):
    assert not tools(bench)["search"].idempotent


def test_an_agent_chooses_tools_and_says_how_they_are_called(bench: Workbench):
    pay = {
        "name": "pay/now",
        "requireApproval": True,
        "requireConfirmation": "ENABLED",
        "timeoutSeconds": 20,
        "maxAttempts": 1,
        "idempotent": True,
        "description": "Pay an invoice",
    }

    made = tools(bench, allowedTools=[pay])

    assert set(made) == {"pay_now"}
    tool = made["pay_now"]
    assert tool.guards == ("confirmation", "approval")
    assert (tool.timeout_seconds, tool.max_attempts, tool.idempotent) == (20, 1, True)
    assert (tool.description, tool.guarded_lambda) == ("Pay an invoice", "")
    assert tool.mcp == Server(URL)


def test_what_is_allowed_by_name_alone_has_the_defaults(bench: Workbench):
    assert set(tools(bench, allowedTools=["search"])) == {"search"}


def test_the_server_is_asked_with_what_the_agent_says_of_it(bench: Workbench):
    servers = Listed()

    tools(bench, servers, auth={"type": "bearer", "secret": "crm"})

    assert servers.asked == [Server(URL, Auth("bearer", "crm"))]


def test_a_disabled_group_offers_disabled_tools(bench: Workbench):
    given = document(bench)
    given["actionGroups"][0]["actionGroupState"] = "DISABLED"

    made = compile_agent(
        given, name=None, schemas=bench.bucket, known_model=CATALOG.get, mcp=Listed()
    ).agent.tools

    assert made
    assert not any(tool.enabled for tool in made)


def test_a_tool_that_the_server_does_not_have_is_a_problem(bench: Workbench):
    found = problems(bench, allowedTools=["serch", "refund"])

    assert found == [
        Problem(
            f"{PATH}.allowedTools[0]",
            'is "serch", which the server does not have; did you mean "search"?',
        ),
        Problem(
            f"{PATH}.allowedTools[1]",
            'is "refund", which the server does not have; it has "search", "pay/now"',
        ),
    ]


def test_a_tool_is_named_once(bench: Workbench):
    (found,) = problems(bench, allowedTools=["search", {"name": "search"}])

    assert found.path == f"{PATH}.allowedTools[1]"


def test_a_server_that_cannot_be_asked_is_a_problem(bench: Workbench):
    (found,) = problems(bench, Listed(Invalid("could not be asked for its tools: HTTP 401")))

    assert found == Problem(f"{PATH}.url", "could not be asked for its tools: HTTP 401")


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": "string"}, 'inputSchema.type: is "string"'),
        ({"type": "object", "oneOf": [{}]}, "inputSchema: must be of type object"),
        ({"type": "object", "properties": {"a": {"type": "text"}}}, "inputSchema.properties.a.type"),
        ({"type": "object", "properties": {"a": {"$ref": "#/$defs/none"}}}, "inputSchema.properties.a"),
        ({"type": "object", "properties": {"a": {"$ref": "https://elsewhere/"}}}, "properties.a"),
    ],
)
def test_a_schema_that_no_model_takes_is_a_problem(bench: Workbench, schema: dict[str, Any], told: str):
    bad = {"name": "odd", "inputSchema": schema}

    (found,) = problems(bench, Listed([SEARCH, bad]))

    assert found.path == PATH
    assert told in found.message
    assert "allowedTools" in found.message
    assert set(tools(bench, Listed([SEARCH, bad]), allowedTools=["search"])) == {"search"}


@pytest.mark.parametrize(
    ("listed", "told"),
    [
        ([], "no tools"),
        ([SEARCH, SEARCH | {"description": "another"}], "more than one tool of the name"),
        ([SEARCH | {"description": "a\ud800"}], "broken Unicode"),
        ([SEARCH | {"inputSchema": None}], "no object"),
    ],
)
def test_a_list_that_no_agent_can_have_is_a_problem(bench: Workbench, listed: Any, told: str):
    (found,) = problems(bench, Listed(listed))

    assert found.path == f"{PATH}.url"
    assert told in found.message


def test_a_server_lists_no_more_tools_than_an_agent_may_have(bench: Workbench):
    many = [SEARCH | {"name": f"tool-{n}"} for n in range(129)]

    (found,) = problems(bench, Listed(many))

    assert found.path == "actionGroups"
    assert len(tools(bench, Listed(many), allowedTools=["tool-7"])) == 1


def test_tools_of_two_servers_with_one_name_are_told_apart(bench: Workbench):
    given = document(bench)
    other = given["actionGroups"][0] | {"actionGroupName": "wiki"}
    given["actionGroups"].append(other)

    made = compile_agent(
        given, name=None, schemas=bench.bucket, known_model=CATALOG.get, mcp=Listed([SEARCH])
    ).agent.tools

    assert {tool.name for tool in made} == {"docs_search", "wiki_search"}


def test_without_a_stack_the_tools_are_not_known(bench: Workbench):
    made = bench.compile(document(bench))

    assert made.agent.tools == ()
    assert any(
        warning.startswith(PATH) and "when the agent is applied" in warning for warning in made.warnings
    )


def test_a_group_has_no_other_source_of_tools(bench: Workbench):
    given = document(bench)
    given["actionGroups"][0]["functionSchema"] = {"functions": [{"name": "f"}]}

    (found,) = bench.problems(given)

    assert found.path == "actionGroups[0].functionSchema"


@pytest.mark.parametrize(
    "url",
    [
        "http://docs.example.com/mcp",
        "https://user@docs.example.com/mcp",
        "https://docs.example.com/mcp?key=1",
        "ftp://docs.example.com/mcp",
        "docs.example.com",
    ],
)
def test_an_address_that_is_none_is_a_problem(bench: Workbench, url: str):
    (found,) = problems(bench, url=url)

    assert found.path == f"{PATH}.url"


def test_a_key_goes_into_a_header(bench: Workbench):
    (found,) = problems(bench, auth={"type": "apiKey", "secret": "crm", "name": "key", "in": "query"})

    assert found.path == f"{PATH}.auth.in"


def test_a_field_that_is_none_is_a_problem(bench: Workbench):
    (found,) = problems(bench, allowedTool=["search"])

    assert "did you mean `allowedTools`" in found.message


# -- docs/mcp-tools.md

PAGE = (Path(__file__).parents[3] / "docs" / "mcp-tools.md").read_text()


def test_the_example_of_the_page_compiles_without_a_warning(bench: Workbench):
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    servers = Listed([SEARCH, SEARCH | {"name": "publish"}, PAY])

    made = compile_agent(
        bench.document(actionGroups=[json.loads(example)]),
        name=None,
        schemas=bench.bucket,
        known_model=CATALOG.get,
        mcp=servers,
    )

    assert made.warnings == ()
    assert {tool.name: tool.guards for tool in made.agent.tools} == {"search": (), "publish": ("approval",)}


@pytest.mark.parametrize("part", [McpExecutor, AllowedTool])
def test_every_field_is_on_the_page(part: type[Part]):
    assert [name for name in field_names(part) if f"`{name}`" not in PAGE] == []


def test_the_page_names_what_a_tool_is_pinned_by():
    assert all(f"`{name}`" in PAGE for name in DEFINING)


def test_the_page_knows_how_much_is_read_and_how_long_is_waited():
    assert (
        f"At most {MOST_LISTED} tools on {MOST_PAGES} pages are read, of {MOST_LISTED_CHARACTERS:,}" in PAGE
    )
    assert f"within {SECONDS_EACH} s ({SECONDS_IN_ALL} s for all" in PAGE


def test_the_page_quotes_what_a_changed_tool_is_refused_with():
    assert CHANGED in PAGE.replace("\n", " ")
