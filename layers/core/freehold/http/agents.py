"""Agents, versions and aliases over HTTP."""

from __future__ import annotations

from .. import wiring
from ..adapters.claims import Claim
from ..adapters.lists import PAGE_BYTES, sent_bytes
from ..errors import Invalid, NotFound
from ..values.agent import Agent
from ..values.precondition import Precondition
from . import requests, shapes, triggers
from .call import Answer
from .caller import Caller
from .preconditions import etag
from .shapes import Json

A_DAY = 86_400


def apply(caller: Caller, name: str, body: str | None, expected: Precondition) -> Answer:
    """Validate, compile and store the draft. Raises `Invalid` with every problem; nothing is stored then."""
    # pydantic and the OpenAPI libraries are for this call alone.
    from ..configuration import compile_agent

    caller.needs("admin")
    document = requests.document(body)
    compiled = compile_agent(
        document,
        name=name,
        schemas=wiring.schemas(),
        known_model=wiring.catalog().find,
        region=wiring.model_region(),
        mcp=wiring.mcp_listings(caller.tenant),
    )
    if sent_bytes(compiled.source) > PAGE_BYTES:
        raise Invalid(
            f"the agent with its schemas is larger than an answer may be ({PAGE_BYTES:,} bytes as JSON);"
            " choose `operations` of its documents"
        )
    _check_waits(compiled.agent)
    triggers.check_sources(caller, compiled.source)
    draft = wiring.agents().apply(
        caller.tenant,
        compiled.agent,
        compiled.source,
        compiled.warnings,
        now=wiring.now(),
        by=caller.principal,
        expected=expected,
    )
    triggers.follow(caller, name, draft)
    return Answer(shapes.agent_shape(draft, compiled.agent), headers=etag(draft.tag))


def _check_waits(agent: Agent) -> None:
    """Raises `Invalid` where a run of it could wait for longer than its conversation is kept."""
    waits = agent.on_unknown_outcome == "ask" or any(tool.waits for tool in agent.tools)
    most, asked = wiring.retention_seconds() - A_DAY, agent.approvals.expire_after_seconds
    if waits and asked > most:
        raise Invalid(
            f"is {asked:,}; this stack keeps conversations for {(most + A_DAY) // A_DAY} days, so that at most"
            f" {max(most, 0):,} are allowed (the parameter RetentionDays)",
            path="approvals.expireAfterSeconds",
        )


def get(caller: Caller, name: str) -> Answer:
    tenant = caller.needs("read").tenant
    draft = wiring.agents().draft(tenant, name)
    agent = wiring.agents().snapshot(tenant, name, draft.digest)
    return Answer(shapes.agent_shape(draft, agent), headers=etag(draft.tag))


def listed(caller: Caller, query: dict[str, str] | None) -> Json:
    tenant = caller.needs("read").tenant
    asked = requests.read_list_query(query)
    found, token = wiring.agents().drafts(tenant, limit=asked.limit, token=asked.nextToken)
    told = [
        {
            "agentName": each["name"],
            "description": each["description"],
            "foundationModel": each["model"],
            "updatedAt": shapes.iso(each["updated_at"]),
        }
        for each in found
    ]
    return shapes.page({"agents": told}, token)


def delete(caller: Caller, name: str, expected: Precondition) -> None:
    """With what begins runs of it. Where that failed for an agent that is gone, the same request again mends it."""
    tenant = caller.needs("admin").tenant
    try:
        wiring.agents().delete(tenant, name, now=wiring.now(), expected=expected)
    except NotFound:
        triggers.follow(caller, name, None)
        raise
    triggers.follow(caller, name, None)


def freeze(caller: Caller, name: str, claim: Claim) -> Json:
    """The version bears the claim, so that the same request has one at most."""
    tenant, agents = caller.needs("admin").tenant, wiring.agents()
    made = agents.frozen_by(tenant, name, claim.id) if claim.again else None
    if made is None:
        made = agents.freeze(tenant, name, now=wiring.now(), by=caller.principal, request=claim.id)
    return shapes.version_shape(made)


def versions(caller: Caller, name: str, query: dict[str, str] | None) -> Json:
    tenant = caller.needs("read").tenant
    asked = requests.read_list_query(query)
    found, token = wiring.agents().versions(tenant, name, limit=asked.limit, token=asked.nextToken)
    return shapes.page({"versions": [shapes.version_shape(version) for version in found]}, token)


def version(caller: Caller, name: str, number: str) -> Json:
    found, source = wiring.agents().version(caller.needs("read").tenant, name, number)
    return shapes.version_shape(found) | {"agent": source}


def put_alias(caller: Caller, name: str, alias: str, body: str | None, expected: Precondition) -> Answer:
    tenant = caller.needs("admin").tenant
    asked = requests.read(requests.AliasBody, requests.document(body))
    alias = requests.alias_name(alias)
    in_order = sorted(asked.routes, key=lambda route: route.version)
    routes = [(str(route.version), route.weight) for route in in_order]
    put = wiring.agents().put_alias(
        tenant, name, alias, routes, now=wiring.now(), by=caller.principal, expected=expected
    )
    return Answer(shapes.alias_shape(put), headers=etag(put.tag))


def aliases(caller: Caller, name: str, query: dict[str, str] | None) -> Json:
    tenant = caller.needs("read").tenant
    asked = requests.read_list_query(query)
    found, token = wiring.agents().aliases(tenant, name, limit=asked.limit, token=asked.nextToken)
    return shapes.page({"aliases": [shapes.alias_shape(alias) for alias in found]}, token)


def alias(caller: Caller, name: str, alias_name: str) -> Answer:
    found = wiring.agents().alias(caller.needs("read").tenant, name, alias_name)
    return Answer(shapes.alias_shape(found), headers=etag(found.tag))
