"""Tools of a real MCP server, from applying the agent to the result of a call."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.responses import Response

from freehold.errors import ToolUnavailable
from freehold.mcp_messages import digest
from freehold.values.run import Call
from mcp_server import text, tool

from .deployed import Deployed
from .lambdas import invoke
from .mcp import agent, call, serving
from .state_machine import called, items, payload

ECHO = Call("echo", '{"text": "hello"}')


def results(product: Deployed, run_id: str) -> list[tuple[str, str]]:
    session = product.admin.call("GET", f"/runs/{run_id}").body["sessionId"]
    found = product.admin.call("GET", f"/sessions/{session}/items").body["items"]
    return [(each["outcome"], each["result"]) for each in found if each["kind"] == "call"]


def started(product: Deployed, *calls: Call) -> str:
    run_id = product.start("go", agent="reader")["runId"]
    product.add_lap(run_id, "", calls=calls or (ECHO,), stop="tools")
    return run_id


def test_an_agent_is_offered_what_its_server_lists_and_calls_it(product: Deployed):
    with serving(product) as server:
        server.tools = [tool(), tool("other")]
        applied = product.admin.call("PUT", "/agents/reader", agent(server, allowedTools=["echo"]))
        run_id = started(product)
        call(run_id)

        assert applied.status == 200
        assert [(each["name"], each["definition"]) for each in applied.body["tools"]] == [
            ("echo", digest(tool()))
        ]
        assert applied.body["agent"]["actionGroups"][0]["actionGroupExecutor"]["mcp"]["allowedTools"] == [
            "echo"
        ]
        assert results(product, run_id) == [("success", "you said hello")]
        assert {heard.headers["authorization"] for heard in server.heard} == {"Bearer t-1"}
        (given,) = server.calls
        assert given["_meta"]["freehold/idempotencyKey"] == f"{run_id}-1-0"


def test_a_changed_definition_is_refused_until_the_agent_is_applied_again(product: Deployed):
    with serving(product) as server:
        product.admin.call("PUT", "/agents/reader", agent(server))
        server.tools = [tool(description="echo a text, and more")]
        refused = started(product)
        call(refused)

        product.admin.call("PUT", "/agents/reader", agent(server))
        taken = started(product)
        call(taken)

        ((outcome, told),) = results(product, refused)
        assert outcome == "error"
        assert "apply the agent again" in told
        assert results(product, taken) == [("success", "you said hello")]
        assert len(server.calls) == 1


@pytest.mark.parametrize(
    ("status", "told"),
    [(401, "HTTP 401"), (404, "HTTP 404"), (503, "could not be asked"), (307, "redirects")],
)
def test_an_agent_whose_server_does_not_tell_its_tools_is_not_stored(
    product: Deployed, status: int, told: str
):
    with serving(product) as server:
        server.instead = lambda _: Response(status_code=status, headers={"location": "/elsewhere"})

        answer = product.admin.call("PUT", "/agents/reader", agent(server))

        assert answer.status == 400
        (problem,) = answer.body["problems"]
        assert problem["path"] == "actionGroups[0].actionGroupExecutor.mcp.url"
        assert told in problem["message"]
        assert product.admin.call("GET", "/agents/reader").status == 404


def test_a_secret_that_is_not_there_is_named(product: Deployed):
    with serving(product) as server:
        given = agent(server, auth={"type": "bearer", "secret": "other"})

        answer = product.admin.call("PUT", "/agents/reader", given)

        assert "freehold/tools/acme/other does not exist" in answer.body["problems"][0]["message"]
        assert server.heard == []


def test_without_the_switch_this_machine_is_not_asked(product: Deployed):
    with serving(product, TOOLS_MAY_USE_LOOPBACK="false") as server:
        answer = product.admin.call("PUT", "/agents/reader", agent(server))

        assert answer.status == 400
        assert server.heard == []


def test_a_call_that_surely_was_not_made_is_made_again(product: Deployed):
    with serving(product) as server:
        product.admin.call("PUT", "/agents/reader", agent(server))
        run_id = started(product)
        server.instead = lambda _: Response(status_code=503)
        with pytest.raises(ToolUnavailable):
            call(run_id)

        server.instead = lambda _: None
        call(run_id, attempt=1)

        assert results(product, run_id) == [("success", "you said hello")]


def test_a_call_whose_answer_was_lost_is_not_made_again(product: Deployed):
    with serving(product) as server:
        product.admin.call("PUT", "/agents/reader", agent(server))
        run_id = started(product)
        server.instead = lambda heard: Response(status_code=502) if heard.says == "tools/call" else None
        call(run_id)
        server.instead = lambda _: None
        call(run_id, attempt=1)

        ((outcome, _),) = results(product, run_id)
        assert outcome == "unknown"
        assert len(server.calls) == 1


def test_a_tool_that_may_be_repeated_is(product: Deployed):
    with serving(product) as server:
        again = {"name": "echo", "idempotent": True}
        product.admin.call("PUT", "/agents/reader", agent(server, allowedTools=[again]))
        run_id = started(product)
        server.instead = lambda heard: Response(status_code=502) if heard.says == "tools/call" else None
        with pytest.raises(ToolUnavailable):
            call(run_id)
        server.instead = lambda _: None
        call(run_id, attempt=1)

        assert results(product, run_id) == [("success", "you said hello")]


def test_several_servers_are_asked_for_one_agent(product: Deployed):
    with serving(product) as server:
        given = agent(server)
        wiki = given["actionGroups"][0] | {"actionGroupName": "wiki"}
        given["actionGroups"] = [*given["actionGroups"], wiki]

        applied = product.admin.call("PUT", "/agents/reader", given)

        assert {each["name"] for each in applied.body["tools"]} == {"docs_echo", "wiki_echo"}


def test_the_loop_sends_a_call_to_the_function_that_can_make_it():
    given = {"run": {"id": "C-1"}, "lap": 2, "calls": [0, 1, 3], "mcp": [1, 3]}

    sent = [(each["call"], called("RunTool", each)) for each in items(given)]

    assert sent == [(0, "${RunToolFunction}"), (1, "${RunMcpToolFunction}"), (3, "${RunMcpToolFunction}")]
    assert payload("RunTool", items(given)[0]) == {"run": {"id": "C-1"}, "lap": 2, "call": 0, "attempt": 0}


@pytest.mark.parametrize("mcp", [{}, {"mcp": []}])
def test_a_step_that_names_no_such_calls_has_none(mcp: dict[str, Any]):
    """A version of InvokeModel that knows no MCP servers may have answered it."""
    (only,) = items({"run": {"id": "C-1"}, "lap": 2, "calls": [0]} | mcp)

    assert called("RunTool", only) == "${RunToolFunction}"


def test_invoke_model_names_the_calls_that_go_there(product: Deployed):
    with serving(product) as server:
        product.admin.call("PUT", "/agents/reader", agent(server))
        run_id = started(product, ECHO, ECHO)
        run = {"tenant": "acme", "id": run_id, "execution": 1}

        step = invoke("invoke_model", {"run": run, "failed": [], "attempt": 0, "events": 0, "compact": True})

        assert (step["step"], step["calls"], step["mcp"]) == ("tools", [0, 1], [0, 1])


def test_other_functions_do_not_make_such_calls(product: Deployed):
    with serving(product) as server:
        product.admin.call("PUT", "/agents/reader", agent(server))
        run_id = started(product)
        run = {"tenant": "acme", "id": run_id, "execution": 1}

        invoke("run_tool", {"run": run, "lap": 1, "call": 0, "attempt": 0})

        ((outcome, told),) = results(product, run_id)
        assert (outcome, server.calls) == ("error", [])
        assert "not called by this function" in told


def test_an_image_is_told_and_not_shown(product: Deployed):
    with serving(product) as server:
        image = {"type": "image", "mimeType": "image/png", "data": "QUJDRA=="}
        server.answer = lambda *_: text("see") | {"content": [{"type": "text", "text": "see"}, image]}
        product.admin.call("PUT", "/agents/reader", agent(server))
        run_id = started(product)

        call(run_id)

        assert results(product, run_id) == [("success", "see\n[left out: image, image/png, 6 bytes]")]
