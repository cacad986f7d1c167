"""Agents, versions and aliases over HTTP."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from freehold.configuration.reading import MAX_BYTES

from .caller import Caller
from .deployed import Deployed, agent
from .lambdas import environment

EXAMPLE = Path(__file__).parents[2] / "examples" / "customer-support"


def test_an_agent_is_stored_and_read_back_as_it_was_sent(product: Deployed):
    sent = agent("clerk", description="Füllt Formulare aus", tags={"team": "désk"})

    stored = product.admin.call("PUT", "/agents/clerk", sent)
    read = product.admin.call("GET", "/agents/clerk")

    assert (stored.status, read.status) == (200, 200)
    assert read.body == stored.body
    assert read.body["agent"] == sent
    assert read.body["tools"] == [
        {
            "name": "look_up",
            "description": "Look something up",
            "actionGroup": "desk",
            "executor": "lambda",
            "waitsFor": [],
        }
    ]
    assert set(read.body) == {"agentName", "digest", "updatedAt", "updatedBy", "tools", "warnings", "agent"}


def test_the_example_agent_is_accepted(product: Deployed):
    given = json.loads(re.sub(r"\$\{\w+\}", agent_arn(), (EXAMPLE / "agent.json").read_text()))
    for group in given["actionGroups"]:
        group["apiSchema"] = {"payload": (EXAMPLE / group["apiSchema"]["file"]).read_text()}

    answer = product.admin.call("PUT", f"/agents/{given['agentName']}", given)

    assert answer.status == 200, answer.text
    assert len(answer.body["tools"]) >= 5


def agent_arn() -> str:
    return "arn:aws:lambda:us-east-1:123456789012:function:desk"


def test_the_same_draft_again_has_the_same_digest_and_another_one_another(product: Deployed):
    first, again = (product.admin.call("PUT", "/agents/helper", agent()).body["digest"] for _ in range(2))
    changed = product.admin.call("PUT", "/agents/helper", agent(instruction="Help more.")).body["digest"]

    assert first == again != changed


def test_agents_are_listed_in_order_of_name(product: Deployed):
    for name in ("zoe", "adam"):
        product.admin.call("PUT", f"/agents/{name}", agent(name, description=f"This is {name}"))

    listed = product.admin.call("GET", "/agents").body["agents"]

    assert [each["agentName"] for each in listed] == ["adam", "helper", "zoe"]
    assert listed[0]["description"] == "This is adam"
    assert listed[0]["foundationModel"] == "openai.gpt-5.5-v1"


def test_a_schema_is_read_from_a_bucket_that_the_stack_lists(product: Deployed):
    schema = (EXAMPLE / "orders-api.yaml").read_text()
    product.s3.put_object(Bucket="schemas", Key="orders.yaml", Body=schema.encode())
    given = with_schema("s3://schemas/orders.yaml")

    stored = product.admin.call("PUT", "/agents/helper", given)

    assert stored.status == 200, stored.text
    assert len(stored.body["tools"]) >= 5
    # The document is kept with the agent, so that a version never changes with the bucket.
    assert stored.body["agent"]["actionGroups"][0]["apiSchema"] == {"payload": schema}


def with_schema(uri: str) -> dict[str, Any]:
    group = {"actionGroupName": "orders", "apiSchema": uri, "actionGroupExecutor": {"lambda": agent_arn()}}
    return agent(actionGroups=[group])


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("s3://private/orders.yaml", "SchemaBuckets (schemas)"),
        ("s3://schemas/absent.yaml", "NoSuchKey"),
        ("s3://schemas/binary.yaml", "UTF-8"),
        ("s3://schemas/huge.yaml", f"{MAX_BYTES + 1:,}"),
    ],
)
def test_a_schema_that_cannot_be_had_is_a_problem_with_its_path(product: Deployed, uri: str, told: str):
    product.s3.put_object(Bucket="private", Key="orders.yaml", Body=b"openapi: 3.0.0")
    product.s3.put_object(Bucket="schemas", Key="binary.yaml", Body=b"\xff\xfe\x00")
    product.s3.put_object(Bucket="schemas", Key="huge.yaml", Body=b" " * (MAX_BYTES + 1))

    answer = product.admin.call("PUT", "/agents/helper", with_schema(uri))

    assert answer.status == 400
    (problem,) = answer.body["problems"]
    assert problem["path"] == "actionGroups[0].apiSchema"
    assert told in problem["message"]


def test_every_problem_of_a_configuration_is_told_and_nothing_is_stored(product: Deployed):
    before = product.items("agents")
    wrong = agent(
        "somebody-else",
        instruktion="typo",
        idleSessionTTLInSeconds=1,
        actionGroups=[{"actionGroupName": "no tools", "functionSchema": {"functions": [{"name": "a b"}]}}],
    )

    answer = product.admin.call("PUT", "/agents/helper", wrong)

    assert answer.status == 400
    told = {problem["path"]: problem["message"] for problem in answer.body["problems"]}
    assert "instruction" in told["instruktion"]
    assert {"instruktion", "idleSessionTTLInSeconds"} <= set(told)
    assert any(path.startswith("actionGroups[0]") for path in told)
    assert product.items("agents") == before


def test_an_agent_whose_name_is_not_the_address_is_refused(product: Deployed):
    before = product.items("agents")

    answer = product.admin.call("PUT", "/agents/helper", agent("impostor"))

    assert answer.status == 400
    assert [problem["path"] for problem in answer.body["problems"]] == ["agentName"]
    assert product.items("agents") == before


def test_a_feature_that_is_not_built_is_refused_and_not_stored(product: Deployed):
    before = product.items("agents")

    answer = product.admin.call(
        "PUT", "/agents/helper", agent(guardrailConfiguration={"guardrailIdentifier": "g"})
    )

    assert answer.status == 400
    assert "not supported in this version" in answer.text
    assert product.items("agents") == before


# -- versions


def test_a_version_keeps_what_the_draft_was(product: Deployed):
    made = product.admin.call("POST", "/agents/helper/versions")
    product.admin.call("PUT", "/agents/helper", agent(instruction="Changed."))
    second = product.admin.call("POST", "/agents/helper/versions")

    first = product.admin.call("GET", "/agents/helper/versions/1").body

    assert (made.status, made.body["version"], second.body["version"]) == (201, "1", "2")
    assert first["agent"]["instruction"] == "Help."
    assert first["digest"] == made.body["digest"] != second.body["digest"]
    listed = product.admin.call("GET", "/agents/helper/versions").body["versions"]
    assert [each["version"] for each in listed] == ["1", "2"]


def test_drafts_versions_and_aliases_say_who_wrote_them(product: Deployed):
    ann, bob = Caller(key_id="a" * 12), Caller(key_id="b" * 12)
    path, routes = "/agents/helper", {"routes": [{"version": "1"}]}

    drafts = [caller.call("PUT", path, agent()).body for caller in (ann, bob)]
    made = ann.call("POST", f"{path}/versions").body
    aliases = [caller.call("PUT", f"{path}/aliases/live", routes).body for caller in (ann, bob)]

    told = [{"type": "key", "id": each.key_id} for each in (ann, bob)]
    assert [each["updatedBy"] for each in drafts] == [each["updatedBy"] for each in aliases] == told
    # Who wrote it is no part of it, and a version is no change of the draft.
    assert drafts[0]["digest"] == drafts[1]["digest"] == made["digest"]
    assert bob.call("GET", path).body == drafts[1]
    assert made["createdBy"] == told[0]
    assert bob.call("GET", f"{path}/versions").body == {"versions": [made]}
    assert bob.call("GET", f"{path}/versions/1").body == made | {"agent": drafts[0]["agent"]}
    assert bob.call("GET", f"{path}/aliases/live").body == aliases[1]


def test_what_does_not_say_who_wrote_it_is_told_without(product: Deployed):
    """As release 0.1.0 wrote it, and as that puts it back."""
    product.admin.call("POST", "/agents/helper/versions")
    product.admin.call("PUT", "/agents/helper/aliases/live", {"routes": [{"version": "1"}]})
    product.admin.call("POST", "/keys", {"name": "ci", "scopes": ["run"]})
    for item in product.items("agents"):
        kept = {name: value for name, value in item.items() if name not in ("created_by", "updated_by")}
        product.client.put_item(TableName="agents", Item=kept)

    paths = ["/agents/helper", "/agents/helper/versions/1", "/agents/helper/aliases/live", "/keys"]
    answers = [product.admin.call("GET", path) for path in paths]

    assert [answer.status for answer in answers] == [200] * 4
    assert not any("createdBy" in answer.text or "updatedBy" in answer.text for answer in answers)


def test_a_deleted_agent_is_gone_with_its_versions_and_aliases(product: Deployed):
    product.admin.call("POST", "/agents/helper/versions")
    product.admin.call("PUT", "/agents/helper/aliases/live", {"routes": [{"version": "1"}]})

    deleted = product.admin.call("DELETE", "/agents/helper")

    assert (deleted.status, deleted.text) == (204, "")
    gone = ["", "/versions", "/versions/1", "/aliases", "/aliases/live"]
    assert {product.admin.call("GET", f"/agents/helper{path}").status for path in gone} == {404}
    assert product.admin.call("POST", "/agents/helper/runs", {"input": "hi"}).status == 404
    assert product.admin.call("DELETE", "/agents/helper").status == 404
    assert product.admin.call("GET", "/agents").body == {"agents": []}


def test_a_version_number_never_means_two_things(product: Deployed):
    for _ in range(2):
        product.admin.call("POST", "/agents/helper/versions")
    product.admin.call("DELETE", "/agents/helper")
    product.admin.call("PUT", "/agents/helper", agent(instruction="Somebody new."))

    made = product.admin.call("POST", "/agents/helper/versions")

    assert made.body["version"] == "3"
    assert product.admin.call("GET", "/agents/helper/versions/1").status == 404


# -- aliases


def test_an_alias_leads_to_one_version_and_can_be_moved(product: Deployed):
    for _ in range(2):
        product.admin.call("POST", "/agents/helper/versions")

    first = product.admin.call(
        "PUT", "/agents/helper/aliases/live", {"routes": [{"version": 1, "weight": 100}]}
    )
    moved = product.admin.call("PUT", "/agents/helper/aliases/live", {"routes": [{"version": "2"}]})

    assert (first.status, first.body["alias"], first.body["routes"]) == (
        200,
        "live",
        [{"version": "1", "weight": 100}],
    )
    assert product.admin.call("GET", "/agents/helper/aliases/live").body == moved.body
    assert product.admin.call("GET", "/agents/helper/aliases").body == {"aliases": [moved.body]}
    assert moved.body["routes"] == [{"version": "2", "weight": 100}]


def test_an_alias_shares_out_new_sessions_and_each_keeps_its_version(product: Deployed):
    for _ in range(2):
        product.admin.call("POST", "/agents/helper/versions")
    routes = [{"version": "2", "weight": 40}, {"version": "1", "weight": 60}]
    put = product.admin.call("PUT", "/agents/helper/aliases/live", {"routes": routes})

    began: dict[str, str] = {}
    for session_id in (f"s{n}" for n in range(12)):
        product.finish(product.start(sessionId=session_id, alias="live")["runId"])
        began[session_id] = product.admin.call("GET", f"/sessions/{session_id}").body["agentVersion"]
    product.admin.call("PUT", "/agents/helper/aliases/live", {"routes": [{"version": 1}]})
    later = [product.start(sessionId=session_id)["runId"] for session_id in began]

    assert put.body["routes"] == routes[::-1]
    assert set(began.values()) == {"1", "2"}
    kept = [product.admin.call("GET", f"/runs/{run_id}").body["agentVersion"] for run_id in later]
    assert kept == list(began.values())


def test_an_alias_of_an_unknown_version_is_not_found(product: Deployed):
    answer = product.admin.call("PUT", "/agents/helper/aliases/live", {"routes": [{"version": 7}]})

    assert answer.status == 404
    assert "version 7" in answer.body["detail"]


def test_a_run_on_an_alias_keeps_its_version_though_draft_and_alias_move(product: Deployed):
    product.admin.call("POST", "/agents/helper/versions")
    product.admin.call("PUT", "/agents/helper/aliases/live", {"routes": [{"version": 1}]})
    first = product.start(sessionId="s1", alias="live")
    product.finish(first["runId"])
    product.admin.call("PUT", "/agents/helper", agent(instruction="Changed."))
    product.admin.call("POST", "/agents/helper/versions")
    product.admin.call("PUT", "/agents/helper/aliases/live", {"routes": [{"version": 2}]})

    same_session, new_session = product.start(sessionId="s1"), product.start(sessionId="s2", alias="live")

    runs = [product.admin.call("GET", f"/runs/{run['runId']}").body for run in (same_session, new_session)]
    assert [(run["alias"], run["agentVersion"]) for run in runs] == [("live", "1"), ("live", "2")]


def test_no_agent_waits_for_longer_than_its_conversations_are_kept(product: Deployed):
    waiting = agent()
    waiting["actionGroups"][0]["functionSchema"]["functions"][0]["requireApproval"] = True

    with environment(RETENTION_DAYS="3"):
        refused = product.admin.call("PUT", "/agents/helper", waiting)
        short = waiting | {"approvals": {"expireAfterSeconds": 172_800}}
        taken = product.admin.call("PUT", "/agents/helper", short)

    assert (refused.status, taken.status) == (400, 200)
    (problem,) = refused.body["problems"]
    assert problem["path"] == "approvals.expireAfterSeconds"
    assert "172,800 are allowed" in problem["message"]
