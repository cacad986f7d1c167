"""Aliases that lead to several versions, and what a session began with."""

from __future__ import annotations

from collections import Counter
from math import sqrt

import pytest

from freehold.adapters import routes
from freehold.adapters.routes import Routes
from freehold.errors import Conflict, Invalid, NotFound
from freehold.value import replace
from freehold.values.agent import ModelChoice, PinnedAgent
from freehold.values.run import Session
from world import START, TENANT, World, agent, tool


@pytest.fixture(name="versions")
def _versions(world: World) -> World:
    """A world in which the agent has versions 1 to 3, each with a tool of its own."""
    for number in (1, 2, 3):
        world.apply(agent(tool(f"tool_{number}")))
        world.agents.freeze(TENANT, "helper", now=START)
    return world


def lead(world: World, *given: tuple[str, int], alias: str = "live") -> None:
    world.agents.put_alias(TENANT, "helper", alias, given, now=START)


def all_of(world: World) -> list[tuple[str, Routes]]:
    found, _ = world.agents.aliases(TENANT, "helper", limit=100)
    return [(each.alias, each.routes) for each in found]


def pin(
    world: World, alias: str | None, session_id: str = "s1", session: Session | None = None
) -> PinnedAgent:
    return world.agents.pin(TENANT, "helper", alias, session_id, session)


def session_on(pinned: PinnedAgent, session_id: str = "s1") -> Session:
    return Session(
        TENANT,
        session_id,
        conversation="C1",
        agent="helper",
        agent_version=pinned.version,
        agent_digest=pinned.digest,
        alias=pinned.alias,
        next_turn=2,
        rev=0,
        created_at=START,
        expires_at=START,
    )


def shares(given: Routes) -> Counter[str]:
    """How many of 10,000 sessions go to each version."""
    return Counter(
        routes.chosen(given, name="helper", alias="live", session_id=f"session-{i}") for i in range(10_000)
    )


# -- keeping


def test_an_alias_is_read_as_it_was_put_in_order_of_version(versions: World):
    lead(versions, ("3", 10), ("1", 90))
    lead(versions, ("2", 100), alias="beta")

    assert versions.agents.alias(TENANT, "helper", "live").routes == (("1", 90), ("3", 10))
    assert all_of(versions) == [
        ("beta", (("2", 100),)),
        ("live", (("1", 90), ("3", 10))),
    ]


def test_versions_are_in_the_order_of_their_numbers():
    assert routes.checked([("10", 50), ("9", 50)]) == (("9", 50), ("10", 50))


def test_the_release_before_is_sent_to_the_heaviest_version():
    assert routes.attributes((("1", 20), ("2", 50), ("3", 30)))["version"] == 2
    assert routes.attributes((("7", 100),)) == {"version": 7}


def test_an_alias_of_the_release_before_leads_to_its_one_version():
    assert routes.of({"version": 4}) == (("4", 100),)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ([], "sum up to 0; the sum must be 100"),
        ([("1", 90)], "sum up to 90; the sum must be 100"),
        ([("1", 90), ("2", 20)], "sum up to 110"),
        ([("1", 100), ("2", 0)], "weight below 1"),
        ([("1", 150), ("2", -50)], "weight below 1"),
        ([("1", 50), ("2", 20), ("1", 30)], "name version 1 twice"),
        ([("1", 50), ("001", 50)], "name version 1 twice"),
    ],
)
def test_weights_that_do_not_share_out_all_sessions_are_refused(
    versions: World, given: list[tuple[str, int]], fault: str
):
    lead(versions, ("1", 100))

    with pytest.raises(Invalid, match=fault) as refused:
        lead(versions, *given)

    assert [problem.path for problem in refused.value.problems] == ["routes"]
    assert versions.agents.alias(TENANT, "helper", "live").routes == (("1", 100),)


@pytest.mark.parametrize("unknown", ["4", "0", "latest", "-1", "٣"])
def test_every_version_must_be_there(versions: World, unknown: str):
    with pytest.raises(NotFound, match=f"no version {unknown} of agent helper"):
        lead(versions, ("1", 50), (unknown, 50))

    assert all_of(versions) == []


# -- choosing


@pytest.mark.parametrize("given", [(("1", 90), ("2", 10)), (("1", 1), ("2", 33), ("3", 66)), (("1", 100),)])
def test_new_sessions_are_shared_out_by_weight(given: Routes):
    found = shares(given)

    for version, weight in given:
        deviation = sqrt(10_000 * weight / 100 * (1 - weight / 100))
        assert abs(found[version] - weight * 100) <= 3 * deviation


def test_aliases_of_the_same_weights_share_out_each_in_its_own_way():
    half = (("1", 50), ("2", 50))

    chosen = [
        [routes.chosen(half, name="helper", alias=alias, session_id=str(i)) for i in range(100)]
        for alias in ("live", "beta")
    ]

    assert chosen[0] != chosen[1]


def test_more_weight_for_a_later_version_moves_sessions_to_it_alone():
    ids = [f"session-{i}" for i in range(1_000)]
    before, after = (
        [routes.chosen(given, name="helper", alias="live", session_id=one) for one in ids]
        for given in ((("1", 90), ("2", 10)), (("1", 70), ("2", 30)))
    )

    assert {moved for moved in zip(before, after, strict=True) if moved[0] != moved[1]} == {("1", "2")}


def test_beginning_a_session_again_chooses_the_same_version(versions: World):
    lead(versions, ("1", 50), ("2", 50))

    pinned = [[pin(versions, "live", f"s{i}").version for i in range(20)] for _ in range(2)]

    assert pinned[0] == pinned[1]
    assert set(pinned[0]) == {"1", "2"}


def test_a_new_session_runs_on_the_tools_of_the_version_that_was_chosen(versions: World):
    lead(versions, ("2", 100))

    pinned = pin(versions, "live")

    assert (pinned.version, pinned.alias) == ("2", "live")
    assert [each.name for each in pinned.agent.tools] == ["tool_2"]


# -- staying


def test_a_session_stays_with_its_version_when_the_alias_moves(versions: World):
    lead(versions, ("1", 50), ("2", 50))
    began = {f"s{i}": pin(versions, "live", f"s{i}") for i in range(20)}
    lead(versions, ("3", 100))

    for session_id, pinned in began.items():
        for alias in (None, "live"):
            assert pin(versions, alias, session_id, session_on(pinned, session_id)) == pinned
    assert pin(versions, "live", "s1").version == "3"


def test_a_session_cannot_change_its_alias(versions: World):
    lead(versions, ("1", 100))
    lead(versions, ("2", 100), alias="beta")

    with pytest.raises(Conflict, match="pinned to alias live"):
        pin(versions, "beta", "s1", session_on(pin(versions, "live")))


def test_a_session_on_the_draft_follows_the_draft(versions: World):
    began = pin(versions, None)
    versions.apply(agent(tool("newest")))

    now = pin(versions, None, "s1", session_on(began))

    assert (now.version, now.alias) == ("DRAFT", "DRAFT")
    assert now.digest != began.digest
    assert [each.name for each in now.agent.tools] == ["newest"]


# -- replaying


def test_a_replay_runs_the_same_agent_on_another_model_alone(world: World):
    given = replace(agent(), fallback_models=(ModelChoice("second"),), instruction="Help well.")
    world.apply(given)
    digest = pin(world, None).digest
    other = ModelChoice("mine", "openai_compatible")

    replayed = world.agents.replay_snapshot(TENANT, "helper", digest, other)

    assert world.agents.snapshot(TENANT, "helper", replayed) == replace(
        given, model=other, fallback_models=()
    )
    assert world.agents.snapshot(TENANT, "helper", digest) == given
    assert world.agents.replay_snapshot(TENANT, "helper", digest, other) == replayed


def test_a_replay_of_what_is_not_there_is_not_found(world: World):
    with pytest.raises(NotFound):
        world.agents.replay_snapshot(TENANT, "helper", "0" * 32, ModelChoice("mine"))
