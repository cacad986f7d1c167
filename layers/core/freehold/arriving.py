"""Messages of queues: which run each of them begins, and what becomes of one that begins none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from .beginning import Request, start_run
from .errors import (
    Conflict,
    Denied,
    FreeholdError,
    IdempotencyKeyReused,
    Invalid,
    NotFound,
    RunErased,
    SessionBusy,
    StaleWrite,
    StoreUnavailable,
)
from .ports.arrivals import DeadLetters
from .receiving import ReceiveCollaborators, receive
from .value import Value
from .values.arrival import Arrival
from .values.run import Principal, Run
from .ways_in import ForNobody, Way, WayCollaborators, way_of

# Well below what the queues have (`maxReceiveCount`): they count a message, too, that only waited behind another.
MOST_RECEIVES = 15
LONGEST_REASON = 2_000


class ArriveCollaborators(Value):
    """`reply_targets` are the ARNs that answers may go to.

    `has_time` is False once what is left of the invocation may be too short for a message.
    """

    ways: WayCollaborators
    receives: ReceiveCollaborators
    dead_letters: DeadLetters
    reply_targets: frozenset[str]
    has_time: Callable[[], bool] = lambda: True


class Outcome(Value):
    """What became of a message: it has a run, went to the dead letters for `error`, or was for nobody (`dropped`).

    `why` it was dropped is for the log.
    """

    kind: Literal["taken", "refused", "dropped"]
    tenant: str | None = None
    principal: Principal | None = None
    run: Run | None = None
    error: Exception | None = None
    why: str | None = None


def arrive(message: Arrival, using: ArriveCollaborators) -> Outcome:
    """Begin the run that it asks for, once however often it comes, and start it.

    What can never be taken goes to the dead letters at once, and what cannot be taken for a while once it was received
    so often. Whatever is raised: it has to come again.
    """
    if not using.has_time():
        raise TimeoutError("the invocation has no time left for this message")
    tenant = principal = None
    try:
        way = way_of(message, using.ways)
        tenant, principal = way.tenant, way.principal
        run = _begun(way, using)
    except ForNobody as nobody:
        return Outcome("dropped", nobody.tenant, nobody.principal, why=nobody.why)
    except Exception as error:
        if not (_is_final(error) or message.received >= MOST_RECEIVES):
            raise
        using.dead_letters.put(
            message, reason=_reason(error, message), error=type(error).__name__, tenant=tenant
        )
        return Outcome("refused", tenant, principal, error=error)
    return Outcome("taken", tenant, principal, _started(run, message, using))


def _begun(way: Way, using: ArriveCollaborators) -> Run:
    asked = way.asked()
    if asked.reply_to is not None:
        _check_target(asked.reply_to, using)
    request = Request(
        tenant=way.tenant,
        agent=asked.agent,
        session_id=asked.session_id or using.receives.new_id(),
        session_named=asked.session_id is not None,
        input=asked.input,
        principal=way.principal,
        trigger=way.trigger,
        alias=asked.alias,
        session_attributes=asked.session_attributes,
        prompt_session_attributes=asked.prompt_session_attributes,
        when_busy=asked.when_busy,
        idempotency_key=way.key,
        images=asked.images,
        memory_id=asked.memory_id,
        reply_to=asked.reply_to,
        request_id=way.request_id,
        hops=way.hops,
        answers=way.answers,
    )
    try:
        return receive(request, using.receives)
    except RunErased:
        # A dead letter would keep the words that were erased with it.
        raise ForNobody(way.tenant, way.principal, "the run that it began has been erased") from None
    except IdempotencyKeyReused:
        if way.trigger == "sqs":
            raise
        # AWS names each event and each time once: it is the same one, and the trigger says otherwise by now.
        raise ForNobody(way.tenant, way.principal, "it has begun a run before") from None
    except SessionBusy as busy:
        if request.when_busy == "reject":
            raise
        asks = ", which waits for its user's word" if busy.asks_user else ""
        raise StaleWrite(f"session {request.session_id} is busy with run {busy.run_id}{asks}") from busy


def _check_target(target: str, using: ArriveCollaborators) -> None:
    if target not in using.reply_targets:
        raise Invalid("is none of the targets that the stack's ReplyTargets lists", path="replyTo")
    if target.split(":")[3] != using.ways.incoming_events.split(":")[3]:
        # The sweeper would try for three days.
        raise Invalid("is in another Region than the stack, which cannot answer there", path="replyTo")


def _started(run: Run, message: Arrival, using: ArriveCollaborators) -> Run:
    ends = using.receives.parks.ends
    try:
        return start_run(run, ends.sessions, ends.executions, now=ends.now())
    except FreeholdError:
        if message.received < MOST_RECEIVES:
            raise
        # It is begun, so that the sweeper starts it.
        return run


def _is_final(error: Exception) -> bool:
    """Whether it would come to the same however often the message came."""
    return isinstance(error, Invalid | NotFound | Denied | Conflict) and not isinstance(error, StaleWrite)


def _reason(error: Exception, message: Arrival) -> str:
    told = error.message if isinstance(error, FreeholdError) else ""
    if isinstance(error, StoreUnavailable):
        # In the words of AWS it would name what is none of the tenant's.
        told = "a table, bucket or queue did not answer; the log says more"
    told = told or "it could not be taken; the log says why"
    if not _is_final(error):
        told = f"not taken although it was handed over {message.received} times, also where it only waited: {told}"
    return told[:LONGEST_REASON]
