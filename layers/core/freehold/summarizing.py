"""States CompactHistory and SummarizeMemory: what was said, in fewer words, for this session or for later ones.

Neither changes what becomes of a run: what could not be summed up stays as it is, and is summed up later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Literal

from . import compacting, context
from .asking import Answer, ask
from .conversation import gathered, ratio
from .decide import COMPACTION_SECONDS
from .digest import Digest, portion
from .errors import StaleWrite, SummaryUnusable
from .ports import Agents, Memories, Models, Sessions
from .reading import Reading, read
from .state import run_of
from .tokens import first_tokens
from .value import Value, replace
from .values.agent import Agent
from .values.conversation import Compaction, Place
from .values.history import History
from .values.memory import Notes, Summary
from .values.run import Run, RunKey, Spent, added
from .values.text import well_formed

TIMEOUT_MARGIN_SECONDS = 5
WRITE_ATTEMPTS = 20
NOTES_TOKENS = 4_000
# Of a session's turns, in one step, as long as there is so much time; so many turns are read at once.
PORTIONS, LEAST_SECONDS, MOST_TURNS = 5, 20, 50


class SummaryInvocation(Value):
    """What the state machine passes on. `remaining_ms` is what is left of this Lambda invocation."""

    key: RunKey
    execution: int
    step: Literal["compact", "memory"]
    attempt: int
    remaining_ms: int

    @classmethod
    def of(cls, event: Mapping[str, Any], remaining_ms: int) -> SummaryInvocation:
        """From `{run, step, attempt}`, as the state machine sends it."""
        key, execution = run_of(event)
        return cls(key, execution, event["step"], event["attempt"], remaining_ms)


class SummaryCollaborators(Value):
    sessions: Sessions
    memories: Memories
    agents: Agents
    models: Models
    now: Callable[[], int]
    new_id: Callable[[], str]


def summarize(invocation: SummaryInvocation, using: SummaryCollaborators) -> bool:
    """Write the compaction or the notes that the step asks for; False where there was nothing to write.

    Safe to repeat and to overlap. Raises what the models raise, and `SummaryUnusable`.
    """
    until = using.now() + invocation.remaining_ms - TIMEOUT_MARGIN_SECONDS * 1000
    return (compact if invocation.step == "compact" else remember)(invocation, using, until=until)


# -- the same session


def compact(invocation: SummaryInvocation, using: SummaryCollaborators, *, until: int) -> bool:
    """Put a compaction in the place of the conversation's oldest part; False where nothing can give way."""
    reading = read(invocation.key, using.sessions)
    if reading is None or not _is_current(reading.run, invocation):
        return False
    agent, began = _agent(reading.run, using), using.now()
    conversation = gathered(reading, agent, sessions=using.sessions, memories=using.memories, now=began)
    if compacting.is_made(conversation):
        # By an attempt of this step whose answer was lost.
        return True
    _, entry = using.models.choose(agent.model)
    begins = compacting.place(conversation, entry)
    if begins is None:
        return False
    most = min(compacting.MOST_TOKENS, int(conversation.budget(entry).window * compacting.SHARE))
    earlier = reading.compaction.text if reading.compaction else None
    part = compacting.part_before(begins, conversation)
    question = Digest(agent, "compaction", compacting.INSTRUCTION, earlier, part, most, conversation.ratio)
    answer = _ask(question, using, until=min(until, _patience(reading.run, now=began)))
    try:
        text = first_tokens(well_formed(_text(answer)).strip(), most)
    except SummaryUnusable:
        _write(None, answer, invocation, using)
        raise
    _write(_compaction(reading, begins, text, answer, invocation, using, began), answer, invocation, using)
    return True


def _patience(run: Run, *, now: int) -> int:
    """Until when the run waits for a compaction: it can do without, and needs its time for the answer."""
    left = (run.deadline_at or now + COMPACTION_SECONDS * 4000) - now
    return now + min(COMPACTION_SECONDS * 1000, left // 4)


def _is_current(run: Run, invocation: SummaryInvocation) -> bool:
    return run.status == "RUNNING" and run.execution == invocation.execution


def _compaction(
    reading: Reading,
    begins: Place,
    text: str,
    answer: Answer,
    invocation: SummaryInvocation,
    using: SummaryCollaborators,
    began: int,
) -> Compaction:
    current, now = reading.current, using.now()
    laps = begins.laps if begins.turn == current.run.turn else 0
    covered = replace(
        current,
        run=replace(current.run, compacting=Spent()),
        laps=tuple(lap for lap in current.laps if lap.lap <= laps),
        discarded=tuple(reply for reply in current.discarded if reply.lap <= laps),
    )
    return Compaction(
        turn=current.run.turn,
        lap=current.last.lap if current.last else 0,
        id=using.new_id(),
        at=now,
        begins=begins,
        text=text,
        model=answer.reply.model,
        usage=answer.reply.usage,
        duration_ms=now - began,
        cost_usd=_cost(answer).cost_usd,
        attempt=invocation.attempt,
        covered=covered.totals,
    )


def _write(
    made: Compaction | None, answer: Answer, invocation: SummaryInvocation, using: SummaryCollaborators
) -> None:
    """With what it took added to the run. It was billed, so it counts, also where it is not needed any more."""
    for _ in range(WRITE_ATTEMPTS):
        run = using.sessions.run(invocation.key)
        if run is None:
            return
        needed = made
        if made is not None:
            there = using.sessions.compaction(invocation.key)
            if there is not None and there.id == made.id:
                return
            forestalled = there is not None and (there.turn, there.lap) == (made.turn, made.lap)
            needed = None if forestalled or not _is_current(run, invocation) else made
        try:
            using.sessions.add_compaction(needed, _with_spent(run, _cost(answer)), before=run)
        except StaleWrite:
            continue
        return
    raise StaleWrite(
        f"run {invocation.key.run_id} changed at each of {WRITE_ATTEMPTS} attempts to compact it"
    )


def _with_spent(run: Run, spent: Spent) -> Run:
    """Also in the totals of a run that has ended meanwhile."""
    totals = run.totals
    if totals is not None:
        cost = added(totals.cost_usd, spent.cost_usd)
        totals = replace(totals, usage=totals.usage + spent.usage, cost_usd=cost)
    return replace(run, rev=run.rev + 1, compacting=run.compacting + spent, totals=totals)


# -- later sessions


def remember(invocation: SummaryInvocation, using: SummaryCollaborators, *, until: int) -> bool:
    """Fold what the session's notes lack into them, up to this run. What is no longer to be remembered is left.

    Much is folded in portions, oldest first. What time does not suffice for stays due.
    """
    run = using.sessions.run(invocation.key)
    if run is None or not run.summary_due:
        return False
    for _ in range(PORTIONS):
        summary = using.memories.summary(run)
        if summary is None or summary.through_turn >= run.turn:
            break
        if using.now() > until - LEAST_SECONDS * 1000:
            return False
        last = min(run.turn, summary.through_turn + MOST_TURNS)
        up_to = replace(run.key, turn=last + 1)
        lacking = list(using.sessions.past(up_to, Place(summary.through_turn + 1)))
        through = _fold(summary, run, lacking, last, using, until=until)
        for turn in lacking:
            if turn.run.summary_due and turn.run.turn <= min(through, run.turn - 1):
                using.sessions.summarized(turn.run)
    summary = using.memories.summary(run)
    if summary is not None and summary.through_turn < run.turn:
        return False
    using.sessions.summarized(run)
    return True


def _fold(
    before: Summary,
    run: Run,
    lacking: list[History],
    last: int,
    using: SummaryCollaborators,
    *,
    until: int,
) -> int:
    """The turn that the notes reach now: `last`, that of the last of the `lacking`, or less."""
    # Their patterns take as long to load as all the rest, and a compaction needs none of them.
    from . import note_taking
    from .redaction import redacted

    agent = _agent(run, using)
    earlier = None if before.notes.empty else context.told_notes(before.notes)
    question = Digest(
        agent, "memory", note_taking.INSTRUCTION, earlier, lacking, NOTES_TOKENS, ratio(lacking), redacted
    )
    _, entry = using.models.choose(agent.model)
    told = portion(lacking, question.room(entry), redacted)
    answer = _ask(replace(question, turns=told), using, until=until)
    through = told[-1].run.turn if len(told) < len(lacking) else last
    try:
        most = answer.request.inference.maximum_length or NOTES_TOKENS
        notes = note_taking.read_notes(_text(answer), before.notes, answer_tokens=most)
        using.memories.fold(_folded(before, run, agent, through, notes, answer, using), before=before)
    except (SummaryUnusable, StaleWrite):
        _count(answer, run, using)
        raise
    return through


def _folded(
    before: Summary,
    run: Run,
    agent: Agent,
    through: int,
    notes: Notes,
    answer: Answer,
    using: SummaryCollaborators,
) -> Summary:
    now, days = using.now(), agent.memory.storage_days if agent.memory else 0
    return replace(
        before,
        agent_version=run.agent_version,
        updated_at=now,
        expires_at=max(before.expires_at, now // 1000 + days * 86_400),
        through_turn=through,
        notes=notes,
        spent=before.spent + _cost(answer),
    )


def _count(answer: Answer, run: Run, using: SummaryCollaborators) -> None:
    """What an answer took that became no notes, as far as there is a summary to count it in."""
    there = using.memories.summary(run)
    if there is not None:
        with suppress(StaleWrite):
            using.memories.fold(replace(there, spent=there.spent + _cost(answer)), before=there)


# -- both


def _agent(run: Run, using: SummaryCollaborators) -> Agent:
    return using.agents.snapshot(run.tenant, run.agent, run.agent_digest)


def _ask(question: Digest, using: SummaryCollaborators, *, until: int) -> Answer:
    return ask(question, using.models, now=using.now, until=until)


def _text(answer: Answer) -> str:
    """Raises `SummaryUnusable` where the model did something else than to write."""
    reply = answer.reply
    if reply.stop in ("filtered", "tools") or not reply.text.strip():
        raise SummaryUnusable(f"{reply.model} summed nothing up (it stopped by {reply.stop})")
    return reply.text


def _cost(answer: Answer) -> Spent:
    usage, price = answer.reply.usage, answer.entry.price
    return Spent(usage, price.cost(usage) if price else None)
