"""What a release writes, brought about by its own code: each scene leaves a session of its own name behind."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any, NoReturn

from driven import asking, asking_agent, client_tool, escalating, pay
from freehold.adapters.access import AccessEntries
from freehold.adapters.api_keys import ApiKeys
from freehold.adapters.aws_tokens import AwsTokens
from freehold.adapters.claims import Claim, Claims, Kept
from freehold.adapters.scripted import ScriptedModel, reply
from freehold.adapters.table import Table
from freehold.adapters.triggers import DynamoTriggers
from freehold.closing import end_session
from freehold.ending import Ending
from freehold.erasing import erase_session
from freehold.errors import Denied, ModelRejected, ModelThrottled, StoreUnavailable, ToolFailed
from freehold.replaying import ReplayCollaborators, begin_replay
from freehold.triggering import trigger_id
from freehold.value import replace
from freehold.values.access import AccessEntry
from freehold.values.agent import Context, Memory, ModelChoice
from freehold.values.model import Image
from freehold.values.run import Principal, Run, RunError, RunKey
from freehold.values.trigger import Trigger
from world import TENANT, World, agent, answer, tool

LOOK_UP, PAY = tool(), tool("pay", idempotent=False)
HELPER = agent(LOOK_UP, PAY, timeout_seconds=36_000)
PAY_GUARDED = ("pay", {"id": "16"})
ADMIN = Principal("key", "k1")
EXPERT = replace(HELPER, name="expert")
WAITER = replace(
    agent(
        pay("approval"),
        client_tool("ask_client"),
        asking(),
        escalating(),
        asking_agent("expert"),
        timeout_seconds=36_000,
    ),
    name="waiter",
    escalation_target="arn:aws:sqs:us-east-1:123456789012:people.fifo",
)
# More than a table item takes.
LARGE = "All of it, please. " * 1_800


class Died(BaseException):
    """What a process does that is killed: nothing more."""


def die(_: Any) -> NoReturn:
    raise Died


def asking(world: World, session: str, *calls: Any, attempt: int = 0, **said: Any) -> Run:
    """A run whose first lap asks for `calls`."""
    attributes = {"session_attributes": {"customer": "C1"}, "prompt_session_attributes": {"today": "Monday"}}
    world.model = ScriptedModel([reply(calls=calls, **said)])
    run = world.ask(f"Please: {session}", session, **attributes)
    world.invoke_model(run, attempt=attempt)
    return run


def lost(world: World) -> None:
    """Its first execution was lost, and the sweeper gave it the second."""
    run = asking(world, "lost", ("look_up", {"id": "1"}))
    world.executions.states[f"{run.key.run_id}-1"] = "dead"
    world.pass_time(60)
    assert world.sweep().restarted == 1


def begun(world: World) -> None:
    """Nothing has been asked yet, and a second message waits."""
    world.ask("Where is it?", "begun", idempotency_key="begun-1", session_attributes={"customer": "C1"})
    world.ask("And the other?", "begun", when_busy="enqueue", session_attributes={"order": "O2"})


def asked(world: World) -> None:
    """One call has its result, one is open, two were refused."""
    calls = [("look_up", {"id": "7"}), ("pay", {"id": "8"}), ("pay", "no JSON"), ("nothing", {})]
    run = asking(world, "asked", *calls, text="Let me see.", reasoning='[{"opaque": "payload"}]')
    told = {"sessionAttributes": {"seen": "7"}, "promptSessionAttributes": {"mood": "calm"}}
    world.tools.answers["look_up"] = answer("found it", **told)
    world.run_tool(run, call=0)


def marked(world: World) -> None:
    """The worker died in a call that may not be repeated."""
    run = asking(world, "marked", ("pay", {"id": "9"}))
    world.tools.answers["pay"] = die
    try:
        world.run_tool(run)
    except Died:
        return


def failing(world: World) -> None:
    run = asking(world, "failing", ("look_up", {"id": "10"}), attempt=1)
    world.tools.answers["look_up"] = ToolFailed("the shop is closed")
    world.run_tool(run, attempt=2)


def late(world: World) -> None:
    """A true result came after its call had been given up as unknown."""
    run = asking(world, "late", ("pay", {"id": "11"}))

    def slowly(_: Any) -> Any:
        world.pass_time(600)
        world.run_tool(run)
        return answer("paid after all")

    world.tools.answers["pay"] = slowly
    world.run_tool(run)


def discarded(world: World) -> None:
    """Two steps asked the model for the same lap."""
    run = world.ask("Please: discarded", "discarded")
    quick, slow = ScriptedModel([reply("quick")]), ScriptedModel([reply("slow")])

    class Slow:
        def reply(self, request: Any, tell: Any = None) -> Any:
            world.model = quick
            world.invoke_model(run)
            return slow.reply(request, tell)

    world.model = Slow()
    world.invoke_model(run)


def messaged(world: World) -> None:
    """A message asked for it, which wants an answer, and another run's event."""
    asker = {"principal": Principal("event", "freehold/t1"), "request_id": "e1", "hops": 1}
    world.ask("Go on.", "messaged", reply_to="arn:aws:sqs:us-east-1:123456789012:answers", **asker)


def cancelling(world: World) -> None:
    world.cancel(asking(world, "cancelling", ("pay", {"id": "12"})), by="key:k1")


def answered(world: World) -> None:
    """On version 1 by an alias, and told to the bus."""
    world.agents.freeze(TENANT, "helper", now=world.clock, by=ADMIN)
    world.agents.put_alias(TENANT, "helper", "live", [("1", 100)], now=world.clock, by=ADMIN)
    world.model = ScriptedModel([reply("Good morning.")])
    run = world.ask("Hello.", "answered", alias="live")
    world.invoke_model(run)
    world.finish(run)


def undelivered(world: World) -> None:
    """It has ended, and the bus does not know."""
    world.model = ScriptedModel([reply("Good evening.")])
    run = world.ask("Hello.", "undelivered")
    world.invoke_model(run)
    world.events.error = StoreUnavailable("the bus is gone")
    try:
        world.finish(run)
    except StoreUnavailable:
        world.events.error = None


def failed(world: World) -> None:
    run = asking(world, "failed", ("look_up", {"id": "13"}))
    world.finish(run, Ending("FAILED", error=RunError("ModelRejected", "the model does not exist")))


def stopped(world: World) -> None:
    """One open call was marked by then, so its outcome is unknown; the other was never made."""
    run = asking(world, "stopped", ("pay", {"id": "14"}), ("look_up", {"id": "15"}))
    world.tools.answers["pay"] = die
    try:
        world.run_tool(run)
    except Died:
        world.finish(run, Ending("STOPPED", "maxLaps"))


def cancelled(world: World) -> None:
    """While it waited for its turn."""
    world.ask("One.", "cancelled")
    world.cancel(world.ask("Two.", "cancelled", when_busy="enqueue"))


def second_choice(world: World) -> None:
    """The agent's first model was busy."""
    second = replace(HELPER, name="second", fallback_models=(ModelChoice("other"),))
    world.agents.apply(TENANT, second, {"agentName": "second"}, (), now=world.clock)
    world.model = ScriptedModel([ModelThrottled("busy"), reply("Instead.")])
    world.invoke_model(world.ask("Hello.", "second choice", agent="second"))


def refused(world: World) -> None:
    """The run's end has not been written yet."""
    world.model = ScriptedModel([ModelRejected("the server answered 400", words="no such model")])
    run = world.ask("Hello.", "refused")
    try:
        world.invoke_model(run)
    except ModelRejected:
        world.pass_time(1)


def pictured(world: World) -> None:
    picture = Image("png", b64encode(b"\x89PNG and more").decode())
    world.ask("What is this?", "pictured", images=(picture,))


def large(world: World) -> None:
    world.ask(LARGE, "large")


def compacted(world: World) -> None:
    """Its first laps have given way to a compaction, at the second attempt."""
    small = replace(HELPER, name="small", context=Context(window_tokens=8_000))
    world.agents.apply(TENANT, small, {"agentName": "small"}, (), now=world.clock)
    laps = [reply(f"{n}. {'Now the next. ' * 300}", [("look_up", {"id": str(n)})]) for n in range(1, 6)]
    world.model = ScriptedModel(laps)
    run = world.ask("All of them, please.", "compacted", agent="small")
    for lap in range(1, 6):
        world.invoke_model(run, compact=False)
        world.run_tool(run, lap)
    world.model = ScriptedModel([reply("The first ones were found.")])
    world.summarize(run, "compact", attempt=1)


def remembering(world: World, session: str, memory: str | None = "ana") -> Run:
    """A run of an agent that remembers; it has ended, and its session's notes lack it."""
    world.model = ScriptedModel([reply("Gladly.")])
    run = world.ask(f"Please: {session}", session, agent="rememberer", memory_id=memory)
    world.invoke_model(run)
    world.finish(run)
    return run


def remembered(world: World) -> None:
    rememberer = replace(HELPER, name="rememberer", memory=Memory(7, 5))
    world.agents.apply(TENANT, rememberer, {"agentName": "rememberer"}, (), now=world.clock)
    run = remembering(world, "remembered")
    notes = {"topics": ["an order"], "openPoints": ["whether it came"], "preferences": ["no calls"]}
    world.model = ScriptedModel([reply(json.dumps(notes))])
    world.summarize(run, "memory")


def begun_anew(world: World) -> None:
    """Its id has gone on to a second conversation."""
    world.finish(world.ask("Once.", "begun-anew"))
    end_session(TENANT, "begun-anew", world.endings())
    world.ask("Once more.", "begun-anew")


def closed(world: World) -> None:
    """Its notes lack its run, and another attempt at them was begun."""
    remembering(world, "closed")
    end_session(TENANT, "closed", world.endings())


def erased(world: World) -> None:
    """Its conversation waits for what a late step may still write."""
    world.finish(world.ask("Forget it.", "erased"))
    erase_session(TENANT, "erased", world.erasing())


def replayed(world: World) -> None:
    """What `answered` said once more; it has not been asked yet."""
    session = world.sessions.session(TENANT, "answered")
    assert session is not None
    using = ReplayCollaborators(
        world.sessions,
        world.agents,
        pin=lambda run: run.agent_digest,
        now=world.now,
        new_conversation=lambda: f"C{next(world.ids):025d}",
        new_session_id=lambda: "replayed",
    )
    begin_replay(RunKey(TENANT, session.conversation, 1), Principal("key", "k1"), using)


# -- runs that wait


def waiting(world: World, session: str, *calls: Any) -> Run:
    """A run that was parked for its first lap's calls, as far as it went by itself."""
    for each in (WAITER, EXPERT):
        world.agents.apply(TENANT, each, {"agentName": each.name}, (), now=world.clock)
    world.model = ScriptedModel([reply(calls=calls)])
    run = world.ask(f"Please: {session}", session, agent="waiter")
    world.invoke_model(run)
    world.park(run)
    return run


def awaiting(world: World) -> None:
    """It waits for an approval, and who asked for it may not give that."""
    run = waiting(world, "awaiting", PAY_GUARDED)
    try:
        world.decide(run, "approve", by="k1")
    except Denied:
        return


def unannounced(world: World) -> None:
    """It waits, and whoever is to approve does not know."""
    world.events.error = StoreUnavailable("the bus is gone")
    try:
        waiting(world, "unannounced", PAY_GUARDED)
    except StoreUnavailable:
        world.events.error = None


def approved(world: World) -> None:
    """It goes on, and the call has not been made yet."""
    run = waiting(world, "approved", PAY_GUARDED)
    world.pass_time(60)
    world.decide(run, "approve", comment="for this once")


def denied(world: World) -> None:
    world.decide(waiting(world, "denied", PAY_GUARDED), "deny", comment="too much")


def returned(world: World) -> None:
    """One of two results came back."""
    run = waiting(world, "returned", ("ask_client", {"id": "17"}), ("ask_client", {"id": "18"}))
    attributes = {"session_attributes": {"seen": "17"}, "prompt_session_attributes": {"mood": "calm"}}
    world.decide(run, "result", by="k1", content="it is there", **attributes)


def questioned(world: World) -> None:
    """The user has not answered."""
    waiting(world, "questioned", ("ask_user", {"question": "Which order?"}))


def escalated(world: World) -> None:
    """A person has it, and has been sent one of the user's messages."""
    waiting(world, "escalated", ("escalate_to_human", {"reason": "a dispute", "summary": "a refund of 900"}))
    world.write("Is anybody there?", "escalated", agent="waiter")
    world.notices.error = StoreUnavailable("the queue is gone")
    try:
        world.write("Hello?", "escalated", agent="waiter")
    except StoreUnavailable:
        world.notices.error = None


def delegated(world: World) -> None:
    """It waits for another agent, which has not been asked anything by its model yet."""
    waiting(world, "delegated", ("expert", {"message": "What is 7?"}))


def agents(world: World) -> None:
    """An agent with a version and an alias is there since `answered`; this one was deleted."""
    world.agents.apply(
        TENANT, agent(LOOK_UP), {"agentName": "helper", "draft": 2}, ("a warning",), now=world.clock
    )
    world.agents.apply(TENANT, HELPER, {"agentName": "helper"}, (), now=world.clock)
    world.agents.apply(TENANT, replace(HELPER, name="gone"), {"agentName": "gone"}, (), now=world.clock)
    world.agents.freeze(TENANT, "gone", now=world.clock)
    world.agents.delete(TENANT, "gone", now=world.clock)


def let_in(world: World) -> None:
    """A role has access to the tenant, and one of its sessions a token."""
    table, now = Table(world.client, "agents"), world.clock // 1000
    entries = AccessEntries(table)
    role = "arn:aws:iam::123456789012:role/support"
    entries.grant(AccessEntry("iam", role, TENANT, now, ("run", "read"), created_by=ADMIN))
    session = "arn:aws:sts::123456789012:assumed-role/support/ann"
    AwsTokens(table, entries).create(session, now=now)


def claimed(world: World) -> None:
    """One request under an idempotency key is at work, another has been answered."""
    claims = Claims(world.table)
    claims.take(TENANT, "at-work", "digest", world.new_id(), now=world.clock)
    made = claims.take(TENANT, "made", "digest", world.new_id(), now=world.clock)
    assert isinstance(made, Claim)
    version = world.agents.freeze(TENANT, "helper", now=world.clock, request=made.id)
    answer = Kept(201, {"version": str(version.version)})
    claims.keep(made, answer, now=world.clock)


def triggered(world: World) -> None:
    """A schedule was added, and an agent waits for events."""
    triggers = DynamoTriggers(Table(world.client, "agents"), world.contents)
    made = Trigger(
        tenant=TENANT,
        trigger_id=trigger_id(TENANT, "helper", "once"),
        agent="helper",
        input="Close the books of {{scheduledTime}}.",
        set_by="api",
        created_by=Principal("key", "k1"),
        created_at=world.clock,
        schedule="at(2099-01-31T18:00:00)",
        armed="0123456789abcdef",
        time_zone="Europe/Berlin",
        alias="live",
        session_id="books",
        memory_id="books",
        once_at=4_073_562_000_000,
    )
    pattern = {"source": ["shop.orders"], "detail": {"total": [{"numeric": [">", 0.5]}]}}
    waiting = {"trigger_id": trigger_id(TENANT, "helper", "paid"), "set_by": "agent", "once_at": None}
    triggers.put(made)
    triggers.put(replace(made, **waiting, input=LARGE, schedule=None, event_pattern=pattern))


SCENES: tuple[Callable[[World], None], ...] = (
    # The sweeper looks at every open run, so this one comes first.
    lost,
    late,
    begun,
    asked,
    marked,
    failing,
    discarded,
    messaged,
    cancelling,
    answered,
    undelivered,
    failed,
    stopped,
    cancelled,
    second_choice,
    refused,
    pictured,
    large,
    compacted,
    remembered,
    begun_anew,
    closed,
    erased,
    replayed,
    awaiting,
    unannounced,
    approved,
    denied,
    returned,
    questioned,
    escalated,
    delegated,
    agents,
    claimed,
    let_in,
    triggered,
)


def play(world: World) -> dict[str, str]:
    """Bring it all about. Returns the texts of two API keys by name; one of them ends after a day."""
    world.agents.apply(TENANT, HELPER, {"agentName": "helper"}, (), now=world.clock, by=ADMIN)
    for scene in SCENES:
        scene(world)
    keys, now = ApiKeys(Table(world.client, "agents")), world.clock // 1000
    given: dict[str, Any] = {"tenant": TENANT, "scopes": ("run", "read"), "now": now, "by": ADMIN}
    return {
        name: keys.create(name=name, expires_at=ends, **given).text
        for name, ends in (("everlasting", None), ("one-day", now + 86_400))
    }
