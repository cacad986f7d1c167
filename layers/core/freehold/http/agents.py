"""Agents, versions and aliases over HTTP."""

from __future__ import annotations

from .. import wiring
from ..adapters.lists import PAGE_BYTES, sent_bytes
from ..errors import Invalid
from ..values.agent import Agent
from . import requests, shapes
from .caller import Caller
from .shapes import Json

A_DAY = 86_400


def apply(caller: Caller, name: str, body: str | None) -> Json:
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
    draft = wiring.agents().apply(
        caller.tenant, compiled.agent, compiled.source, compiled.warnings, now=wiring.now()
    )
    return shapes.agent_shape(draft, compiled.agent)


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


def get(caller: Caller, name: str) -> Json:
    tenant = caller.needs("read").tenant
    draft = wiring.agents().draft(tenant, name)
    return shapes.agent_shape(draft, wiring.agents().snapshot(tenant, name, draft.digest))


def listed(caller: Caller) -> Json:
    found = wiring.agents().drafts(caller.needs("read").tenant)
    return {
        "agents": [
            {
                "agentName": each["name"],
                "description": each["description"],
                "foundationModel": each["model"],
                "updatedAt": shapes.iso(each["updated_at"]),
            }
            for each in found
        ]
    }


def delete(caller: Caller, name: str) -> None:
    wiring.agents().delete(caller.needs("admin").tenant, name)


def freeze(caller: Caller, name: str) -> Json:
    return shapes.version_shape(wiring.agents().freeze(caller.needs("admin").tenant, name, now=wiring.now()))


def versions(caller: Caller, name: str) -> Json:
    found = wiring.agents().versions(caller.needs("read").tenant, name)
    return {"versions": [shapes.version_shape(version) for version in found]}


def version(caller: Caller, name: str, number: str) -> Json:
    found, source = wiring.agents().version(caller.needs("read").tenant, name, number)
    return shapes.version_shape(found) | {"agent": source}


def put_alias(caller: Caller, name: str, alias: str, body: str | None) -> Json:
    tenant = caller.needs("admin").tenant
    asked = requests.read(requests.AliasBody, requests.document(body))
    alias = requests.alias_name(alias)
    in_order = sorted(asked.routes, key=lambda route: route.version)
    routes = [(str(route.version), route.weight) for route in in_order]
    wiring.agents().put_alias(tenant, name, alias, routes, now=wiring.now())
    return shapes.alias_shape(alias, routes)


def aliases(caller: Caller, name: str) -> Json:
    found = wiring.agents().aliases(caller.needs("read").tenant, name)
    return {"aliases": [shapes.alias_shape(alias, routes) for alias, routes in found]}


def alias(caller: Caller, name: str, alias_name: str) -> Json:
    routes = wiring.agents().alias(caller.needs("read").tenant, name, alias_name)
    return shapes.alias_shape(alias_name, routes)
