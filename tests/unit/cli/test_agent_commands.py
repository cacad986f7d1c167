"""apply, validate, agents and keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from freehold_cli.agent_commands import changes
from freehold_client import Agent

from .conftest import ANN, URL, FakeInfo, Terminal
from .fake_api import KEY, problem


def agent(**more: Any) -> dict[str, Any]:
    function = {
        "name": "get_order",
        "description": "Look up an order.",
        "parameters": {"order": {"type": "string", "description": "Its number", "required": True}},
    }
    group = {
        "actionGroupName": "orders",
        "functionSchema": {"functions": [function]},
        "actionGroupExecutor": {"lambda": "${ToolsArn}"},
    }
    named = {"agentName": "support", "foundationModel": "rehearsal", "instruction": "Help people."}
    return {**named, "actionGroups": [group], **more}


def written(terminal: Terminal, document: object, name: str = "agent.json") -> str:
    path = terminal.folder / name
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return str(path)


def lambda_of(stored: dict[str, Any]) -> str:
    return stored["actionGroups"][0]["actionGroupExecutor"]["lambda"]


def test_apply_stores_the_file_and_names_its_tools_and_warnings(terminal: Terminal):
    result = terminal.run("apply", written(terminal, agent()))

    assert "support is stored with 1 tool: getOrder" in result.stdout
    assert "warning: memory is not there yet" in result.stdout
    assert terminal.api.agents["support"]["instruction"] == "Help people."


def test_apply_as_json_is_the_apis_answer(terminal: Terminal):
    one = json.loads(terminal.run("apply", written(terminal, agent()), "--json").stdout)
    files = [written(terminal, agent(agentName=name), f"{name}.json") for name in ("a", "b")]
    both = json.loads(terminal.run("apply", *files, "--json").stdout)

    assert one["agentName"] == "support"
    assert [each["agentName"] for each in both["agents"]] == ["a", "b"]


def test_apply_stores_nothing_when_one_file_cannot_be_read(terminal: Terminal):
    result = terminal.run("apply", written(terminal, agent()), str(terminal.folder / "absent.json"))

    assert result.exit_code == 2
    assert "absent.json" in result.stderr
    assert terminal.api.agents == {}


def test_of_several_files_a_refused_one_is_named_and_the_others_are_stored(terminal: Terminal):
    problems = [{"path": "limits", "message": "too low"}]
    terminal.api.refused["b"] = (400, problem(400, "Invalid", "broken", problems=problems))
    files = [written(terminal, agent(agentName=name), f"{name}.json") for name in ("a", "b", "c")]

    result = terminal.run("apply", *files)
    as_json = json.loads(terminal.run("apply", *files, "--json").stdout)

    assert result.exit_code == 2
    assert "a is stored" in result.stdout
    assert "c is stored" in result.stdout
    assert f"{files[1]}: limits: too low" in result.stderr
    assert as_json["problems"] == [{"path": f"{files[1]}: limits", "message": "too low"}]
    assert as_json["stored"] == ["a", "c"]


def test_what_is_stored_is_known_although_a_later_file_is_not_reached(terminal: Terminal):
    terminal.api.refused["b"] = (500, problem(500, "InternalError", "broken"))
    files = [written(terminal, agent(agentName=name), f"{name}.json") for name in ("a", "b")]

    result = terminal.run("apply", *files)

    assert (result.exit_code, "a is stored" in result.stdout) == (3, True)


def test_tools_that_came_and_went_and_have_other_definitions_are_named():
    def stored(**definitions: str) -> Agent:
        tools = [{"name": name, "definition": digest} for name, digest in definitions.items()]
        return Agent.read({"agentName": "a", "tools": tools})

    before, after = stored(search="d1", publish="d2", old=""), stored(search="d9", publish="d2", added="d4")

    assert changes(before, after) == "new: added; gone: old; with another definition: search"
    assert changes(before, before) == ""


def test_apply_tells_which_tools_are_other_than_in_the_draft_before(terminal: Terminal):
    file, shown = written(terminal, agent()), list[bool]()
    for definition in ("d1", "d1", "d2"):
        terminal.api.definition = definition
        shown.append("with another definition: getOrder" in terminal.run("apply", file).stdout)

    assert shown == [False, False, True]


def test_apply_fills_in_the_outputs_of_a_stack_of_the_account(terminal: Terminal):
    terminal.aws.stacks["tools"] = {"ToolsArn": "arn:aws:lambda:eu-west-1:123456789012:function:t"}

    terminal.run("apply", written(terminal, agent()), "--stack", "tools")

    assert lambda_of(terminal.api.agents["support"]).endswith(":t")
    assert terminal.accounts == [{}]


def test_apply_fills_in_the_outputs_of_a_stack_of_the_local_stack(terminal: Terminal):
    terminal.locally().stack.info = FakeInfo()
    terminal.home("stack.json").write_text(json.dumps({"url": URL}))
    terminal.home("key").write_text(KEY)
    terminal.aws.stacks["tools"] = {"ToolsArn": "arn:aws:lambda:us-east-1:000000000000:function:t"}

    terminal.run("apply", written(terminal, agent()), "--stack", "tools")

    assert terminal.accounts == [terminal.aws.environment()]
    assert lambda_of(terminal.api.agents["support"]).endswith(":t")


def test_an_output_that_the_stack_does_not_have_is_refused_with_those_that_it_has(terminal: Terminal):
    terminal.aws.stacks["tools"] = {"Other": "x"}

    result = terminal.run("apply", written(terminal, agent()), "--stack", "tools")

    assert result.exit_code == 2
    assert "${ToolsArn} is no output of the stack tools" in result.stderr
    assert "Its outputs: Other." in result.stderr


def test_a_placeholder_that_nothing_fills_in_is_pointed_out(terminal: Terminal):
    result = terminal.run("apply", written(terminal, agent()))

    assert "names ${ToolsArn}, which `--stack NAME` fills in" in result.stderr


def test_placeholders_in_a_schema_are_none_of_ours(terminal: Terminal):
    from freehold_cli.documents import filled

    document = {"apiSchema": {"payload": "${NotOurs}"}, "lambda": "${ToolsArn}"}

    assert filled(document, {"ToolsArn": "arn"}, "it") == {
        "apiSchema": {"payload": "${NotOurs}"},
        "lambda": "arn",
    }


def test_validate_needs_no_stack_and_lists_each_tool_with_what_it_calls_and_costs(terminal: Terminal):
    terminal.environ = {}

    result = terminal.run("validate", written(terminal, agent()))

    assert result.exit_code == 0
    assert "support is valid, with 1 tool" in result.stdout
    (row,) = [line for line in result.stdout.splitlines() if line.startswith("get_order")]
    name, calls, arguments, tokens = row.split()
    assert (name, calls, arguments) == ("get_order", "get_order", "order*")
    assert f"about {tokens} tokens of tools and " in result.stdout


def test_validate_in_full_shows_the_tools_as_the_model_sees_them(terminal: Terminal):
    printed = terminal.run("validate", written(terminal, agent()), "--full").stdout

    for told in ("get_order", "orders", "Look up an order.", "order string, required"):
        assert told in printed


def test_validate_lists_built_in_tools_by_their_names(terminal: Terminal):
    file = written(terminal, agent(builtInTools=["read_more"]))

    tools = json.loads(terminal.run("validate", file, "--json").stdout)["tools"]

    assert (tools[-1]["name"], tools[-1]["calls"]) == ("read_more", "read_more")


def test_validate_says_what_calls_wait_for_and_which_agents_are_asked(terminal: Terminal):
    other = {"agent": "billing", "alias": "live", "collaborationInstruction": "Knows invoices"}
    document = agent(agentCollaborators=[other])
    document["actionGroups"][0]["functionSchema"]["functions"][0]["requireApproval"] = True
    file = written(terminal, document)

    printed, full = terminal.run("validate", file).stdout, terminal.run("validate", file, "--full").stdout
    guarded, asked = json.loads(terminal.run("validate", file, "--json").stdout)["tools"]

    assert "waits for" in printed
    assert "agent billing:live" in printed
    assert "waits for approval" in full
    assert (guarded["executor"], guarded["waitsFor"]) == ("lambda", ["approval"])
    assert (asked["executor"], asked["waitsFor"]) == ("agent", ["agent"])


def test_validate_as_json_holds_each_tools_schema_and_its_tokens(terminal: Terminal):
    printed = json.loads(terminal.run("validate", written(terminal, agent()), "--json").stdout)

    (tool,) = printed["tools"]
    sent = {"name": tool["name"], "description": tool["description"], "parameters": tool["inputSchema"]}
    characters = len(json.dumps(sent, separators=(",", ":")))
    assert printed["agentName"] == "support"
    assert tool["inputSchema"]["required"] == ["order"]
    assert characters / 4 <= tool["estimatedTokens"] < characters / 4 + 1
    assert printed["estimatedTokens"]["tools"] == tool["estimatedTokens"]
    assert printed["estimatedTokens"]["instruction"] > 0


def test_validate_says_that_tools_of_mcp_servers_are_not_counted(terminal: Terminal):
    group = {
        "actionGroupName": "docs",
        "actionGroupExecutor": {"mcp": {"url": "https://docs.example.com/mcp"}},
    }

    shown = terminal.run("validate", written(terminal, agent(actionGroups=[group]))).stdout

    assert "with 0 tools, and with those of its MCP servers, which are not counted" in shown


def test_a_disabled_tool_costs_nothing(terminal: Terminal):
    document = agent()
    document["actionGroups"][0]["actionGroupState"] = "DISABLED"
    file = written(terminal, document)

    assert json.loads(terminal.run("validate", file, "--json").stdout)["estimatedTokens"]["tools"] == 0
    assert "disabled" in terminal.run("validate", file).stdout


def _in_s3(**more: Any) -> dict[str, Any]:
    document = agent()
    schema = {"s3": {"s3BucketName": "apis", "s3ObjectKey": "shop.json"}} | more
    executor = document["actionGroups"][0]["actionGroupExecutor"]
    document["actionGroups"].insert(
        0, {"actionGroupName": "shop", "apiSchema": schema, "actionGroupExecutor": executor}
    )
    return document


SHOP = {
    "openapi": "3.1.0",
    "info": {"title": "Shop", "version": "1"},
    "paths": {
        f"/{name}": {"get": {"operationId": name, "responses": {"200": {"description": "ok"}}}}
        for name in ("open", "close")
    },
}


@pytest.mark.parametrize("more", [{}, {"operations": ["close"]}])
def test_a_document_in_s3_is_not_read_offline_and_that_is_said(terminal: Terminal, more: dict[str, Any]):
    result = terminal.run("validate", written(terminal, _in_s3(**more)))

    assert result.exit_code == 0
    assert "support is valid, with 1 tool" in result.stdout
    assert "warning: actionGroups[0].apiSchema: s3://apis/shop.json was not read" in result.stdout
    assert "--s3 reads it" in result.stdout
    assert terminal.accounts == []


def test_other_faults_are_told_even_where_a_document_in_s3_was_not_read(terminal: Terminal):
    result = terminal.run("validate", written(terminal, _in_s3() | {"limits": {"maxLaps": 0}}))

    assert result.exit_code == 2
    assert "limits.maxLaps: " in result.stderr


def test_a_document_in_s3_is_read_with_the_users_own_credentials_where_asked_for(terminal: Terminal):
    terminal.aws.objects["apis", "shop.json"] = json.dumps(SHOP)

    result = terminal.run("validate", written(terminal, _in_s3(operations=["close"])), "--s3")

    assert "support is valid, with 2 tools" in result.stdout
    assert "GET /close" in result.stdout
    assert terminal.accounts == [{}]


def test_several_files_are_checked_at_once_and_every_problem_named_with_its_file(terminal: Terminal):
    good, bad, worse = (str(terminal.folder / name) for name in ("good.json", "bad.json", "worse.json"))
    Path(good).write_text(json.dumps(agent()))
    Path(bad).write_text(json.dumps(agent(limits={"maxLaps": 0})))
    Path(worse).write_text("{")

    result = terminal.run("validate", bad, good, worse)
    as_json = json.loads(terminal.run("validate", bad, good, worse, "--json").stdout)

    assert result.exit_code == 2
    assert "support is valid" in result.stdout
    assert f"{bad}: limits.maxLaps: " in result.stderr
    assert f"{worse}: is not valid JSON" in result.stderr
    assert [problem["path"] for problem in as_json["problems"]] == [f"{bad}: limits.maxLaps", worse]


def test_several_valid_files_are_one_list_as_json(terminal: Terminal):
    file = written(terminal, agent())

    printed = json.loads(terminal.run("validate", file, file, "--json").stdout)

    assert [one["agentName"] for one in printed["agents"]] == ["support", "support"]


def test_validate_names_every_problem_with_its_path(terminal: Terminal):
    broken = agent(limits={"maxLaps": 0}, instruktion="x")

    result = terminal.run("validate", written(terminal, broken), "--json")

    paths = {problem["path"] for problem in json.loads(result.stdout)["problems"]}
    assert {"limits.maxLaps", "instruktion"} <= paths
    assert result.exit_code == 2
    assert "limits.maxLaps: " in result.stderr


@pytest.mark.parametrize(
    ("environ", "options", "warned"),
    [
        ({}, [], None),
        ({}, ["--region", "eu-west-1"], "eu-west-1"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-1"}, [], "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-1"}, [], "eu-west-1"),
        ({"AWS_REGION": "eu-west-1"}, ["--region", "us-east-1"], None),
    ],
)
def test_validate_warns_of_a_model_that_the_region_does_not_offer(
    terminal: Terminal, environ: dict[str, str], options: list[str], warned: str | None
):
    terminal.environ = environ
    model = "us.anthropic.claude-opus-4-7"

    result = terminal.run("validate", written(terminal, agent(foundationModel=model)), *options)

    assert result.exit_code == 0
    said = f"warning: foundationModel: {model} is not offered in {warned} (offered: us-east-1, "
    assert (said in result.stdout) == bool(warned)
    assert ("not offered" in result.stdout) == bool(warned)


@pytest.mark.parametrize("content", ["", "{", "- a\n- b\n", "[]", '"text"'])
def test_a_file_that_is_no_configuration_is_refused(terminal: Terminal, content: str):
    assert terminal.run("validate", written(terminal, content)).exit_code == 2


@pytest.mark.parametrize("path", ["absent.json", "."])
def test_a_file_that_cannot_be_read_is_refused(terminal: Terminal, path: str):
    result = terminal.run("validate", str(terminal.folder / path))

    assert result.exit_code == 2
    assert str(terminal.folder / path) in result.stderr


def test_agents_lists_them_or_says_how_to_make_one(terminal: Terminal):
    empty = terminal.run("agents").stdout
    terminal.api.agents["support"] = {
        "agentName": "support",
        "foundationModel": {"model": "m-1", "api": "converse"},
    }

    assert "freehold apply" in empty
    assert "m-1" in terminal.run("agents").stdout


def test_one_agent_is_shown_with_tools_versions_and_aliases(terminal: Terminal):
    terminal.api.agents["support"] = {"agentName": "support", "foundationModel": "rehearsal"}

    printed = terminal.run("agents", "support").stdout

    for told in ("rehearsal", "versions: 3", "live → 3", "getOrder", "approval", "Look up an order"):
        assert told in printed


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("rehearsal", "support  rehearsal\n"),
        ({"model": "any", "api": "rehearsal"}, "support  any (rehearsal)\n"),
        ({"model": "any"}, "support  any\n"),
    ],
)
def test_an_agents_model_is_named_in_words(terminal: Terminal, model: object, told: str):
    terminal.api.agents["support"] = {"agentName": "support", "foundationModel": model}

    assert told in terminal.run("agents", "support").stdout


def test_a_new_key_is_all_that_stands_on_standard_output(terminal: Terminal):
    result = terminal.run("keys", "create", "ci", "--scope", "run", "--expires-in-days", "7")

    assert result.stdout == "fh_secret\n"
    assert ("POST", "keys", {"name": "ci", "scopes": ["run"], "expiresInDays": 7}) in terminal.api.seen


def test_keys_are_listed_and_revoked(terminal: Terminal):
    assert "k-9" in terminal.run("keys", "list").stdout
    assert terminal.run("keys", "revoke", "k-9").exit_code == 0
    assert terminal.api.seen[-1][:2] == ("DELETE", "keys/k-9")


FREEHOLD = {"AgentsTable": "agents-of-dev", "ApiUrl": "https://api.example/v1"}


def test_the_first_key_of_a_stack_in_an_account_needs_no_key(terminal: Terminal):
    terminal.environ = {}
    terminal.aws.stacks["freehold-dev"] = FREEHOLD

    arguments = ("keys", "create", "me", "--stack", "freehold-dev", "--scope", "admin")
    result = terminal.run(*arguments)
    as_json = terminal.run(*arguments, "--json")

    assert (result.exit_code, result.stdout) == (0, f"{KEY}\n")
    assert FREEHOLD["ApiUrl"] in result.stderr
    assert terminal.accounts[0] == {}
    assert terminal.aws.keys_made[0] == ("agents-of-dev", "me")
    given = {"tenant": "main", "scopes": ["admin"], "expires_in_days": None, "by": ANN}
    assert terminal.aws.keys_given[0] == given
    wanted = {"key": KEY, "tenant": "main", "scopes": ["admin"], "url": FREEHOLD["ApiUrl"]}
    assert json.loads(as_json.stdout) == wanted


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--stack", "tools"], "none of Freehold"), (["--tenant", "acme"], "--tenant goes with --stack")],
)
def test_a_first_key_that_cannot_be_is_refused(terminal: Terminal, arguments: list[str], said: str):
    terminal.aws.stacks["tools"] = {"ToolsArn": "arn"}

    result = terminal.run("keys", "create", "me", *arguments)

    assert result.exit_code == 2
    assert said in result.stderr
    assert terminal.aws.keys_made == []
    assert terminal.api.seen == []


def test_a_folder_of_any_name_makes_a_name_that_cloudformation_takes():
    from freehold_cli.agent_commands import stack_name

    names = [stack_name(Path(each)) for each in ("/x/customer-support", "/x/my agent_2", "/x/2nd", "/x/a")]

    assert names == ["customer-support", "my-agent-2", "stack-2nd", "a"]


def test_models_are_a_table_in_which_an_unknown_price_is_called_so(terminal: Terminal):
    lines = terminal.run("models").stdout.splitlines()

    assert all(told in lines[1] for told in ("openai.gpt-5.5", "gpt", "400,000", "$1.25", "$10.00"))
    assert "unknown" in lines[2]
    assert "$" not in lines[2]


def test_models_as_json_are_the_apis_shape(terminal: Terminal):
    told = json.loads(terminal.run("models", "--json").stdout)

    assert [each["model"] for each in told["models"]] == ["openai.gpt-5.5", "rehearsal"]
