"""Looking at a run for those who follow it: what is read, how often, and who is told that somebody watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from .errors import NotFound
from .following import Ask, Cursor, Event, View, follow
from .ports import Agents, LiveTexts, Sessions
from .value import Value, replace
from .values.agent import Agent
from .values.decision import Decision
from .values.history import Glance, History
from .values.live import Piece
from .values.run import Lap, Run, RunKey

# Whoever has stopped watching is found for so long at most. An attempt that has found somebody is written to its end.
WATCH_MS = 30_000
QUICK_SECONDS, SLOW_SECONDS = 0.25, 1.0
# Where another run has to come first.
IDLE_SECONDS = 2.0
# Two seconds without news are no reason yet to look less often.
PATIENT_LOOKS = 8
SLOWER = 1.25
# A look reads so many laps, so that those of a long run come as they are read. The first one may be known already.
LAPS_AT_ONCE = 5
# A result is cut here: what is larger is read with the session's items.
LONGEST_RESULT = 16_000


class WatchCollaborators(Value):
    """All that a watcher needs from outside."""

    sessions: Sessions
    agents: Agents
    live: LiveTexts
    now: Callable[[], int]


@dataclass(slots=True)
class Watcher:
    """One reader of one run. All that it has to remember is its `cursor`; `over`: there is no more to come."""

    key: RunKey
    cursor: Cursor
    using: WatchCollaborators
    over: bool = False
    pause_seconds: float = QUICK_SECONDS
    _quiet: int = field(default=0, init=False)
    _seen: View | None = field(default=None, init=False)
    _watched_until: int = field(default=0, init=False)

    def news(self) -> tuple[Event, ...]:
        """What has come since the last look. Raises `NotFound` where the run is gone, and `StoreUnavailable`."""
        view = self._seen = look(self.key, self.cursor, self.using, self._seen)
        events = follow(view, self.cursor, now=self.using.now())
        self.cursor = events[-1].cursor if events else self.cursor
        self.over = view.over
        self._pace(view, told=bool(events))
        if not self.over and not view.more:
            self._watch()
        return events

    def _pace(self, view: View, *, told: bool) -> None:
        """Quick while something happens; whoever looks in vain looks less and less often."""
        self._quiet = 0 if told else self._quiet + 1
        slowest = SLOW_SECONDS if view.run.status == "RUNNING" else IDLE_SECONDS
        slower = QUICK_SECONDS * SLOWER ** max(0, self._quiet - PATIENT_LOOKS)
        self.pause_seconds = 0 if told and view.more else min(slowest, slower)

    def _watch(self) -> None:
        now = self.using.now()
        if self._watched_until - now < WATCH_MS // 2:
            self._watched_until = now + WATCH_MS
            self.using.live.watch(self.key, until=self._watched_until)


def look(key: RunKey, cursor: Cursor, using: WatchCollaborators, seen: View | None = None) -> View:
    """The run from the cursor's lap on. Raises `NotFound`.

    `seen` is what the look before found: what was said is not read again where there is nothing new.
    """
    view = _unless_there_is_news(seen, cursor, using) if seen and not seen.more else None
    view = view or _read(key, cursor, using)
    if view.more:
        return view
    run = view.run
    # While a call is open, no model writes.
    writes = run.status == "RUNNING" and not view.history.unanswered
    pieces = _pieces(key, _upcoming(view.history, cursor), cursor, using.live) if writes else ()
    below = tuple(_below(run, using.sessions))
    return replace(view, pieces=pieces, below=below, blocked=_is_blocked(run, using.sessions))


def _read(key: RunKey, cursor: Cursor, using: WatchCollaborators) -> View:
    history, more = using.sessions.laps_from(key, cursor.lap, most=LAPS_AT_ONCE, longest=LONGEST_RESULT)
    if history is None:
        raise NotFound(f"no run {key.run_id}")
    agent = _agent(history.run, using.agents)
    decisions = _decisions(history, agent, using.sessions)
    return View(replace(history, decisions=decisions), agent, more=more)


def _unless_there_is_news(seen: View, cursor: Cursor, using: WatchCollaborators) -> View | None:
    """The same view from the cursor's lap on; None where something was written since."""
    laps = tuple(lap for lap in seen.history.laps if lap.lap >= cursor.lap)
    history = replace(seen.history, laps=laps)
    now = using.sessions.glance(seen.run.key, _upcoming(history, cursor), history.unanswered)
    # Whatever else is written of a run, decisions among it, changes its item too.
    unchanged = now == Glance(seen.run.rev, lap=False, results=frozenset())
    return replace(seen, history=history) if unchanged else None


def _upcoming(history: History, cursor: Cursor) -> int:
    """The lap that is not written yet."""
    return history.last.lap + 1 if history.last else max(cursor.lap, 1)


def _pieces(key: RunKey, lap: int, cursor: Cursor, live: LiveTexts) -> Sequence[Piece]:
    """What the reader lacks of a lap's text, so that a look at a long one costs no more than at a short one."""
    there = cursor if cursor.lap == lap else Cursor()
    return live.pieces(key, lap, there.began_at, there.attempt, there.offset)


def _agent(run: Run, agents: Agents) -> Agent | None:
    """None where it was deleted since: the record tells enough."""
    try:
        return agents.snapshot(run.tenant, run.agent, run.agent_digest)
    except NotFound:
        return None


def _decisions(history: History, agent: Agent | None, sessions: Sessions) -> tuple[Decision, ...]:
    """Of the laps about which somebody may have decided."""
    laps = [lap for lap in history.laps if agent is None or _may_wait(lap, agent)]
    return tuple(each for lap in laps for each in sessions.decisions(history.run.key, lap.lap))


def _may_wait(lap: Lap, agent: Agent) -> bool:
    tools = [agent.tool(call.name) for call in lap.calls]
    return bool(tools) and (agent.on_unknown_outcome == "ask" or any(tool and tool.waits for tool in tools))


def _below(run: Run, sessions: Sessions) -> list[Ask]:
    """What people have to decide for runs of other agents that this one waits for, however far down."""
    children = _awaited(run, sessions)
    return [ask for child in children for ask in (*_own(child, sessions), *_below(child, sessions))]


def _awaited(run: Run, sessions: Sessions) -> Iterator[Run]:
    """The runs of other agents whose answers it lacks. They are among its newest, but others may be newer."""
    calls = {(each.lap, each.call) for each in run.pending if each.kind == "agent"}
    names = reversed(run.children)
    while calls and (name := next(names, None)):
        key = RunKey.parse(run.tenant, name)
        child = sessions.run(key) if key else None
        answers = (child.parent.lap, child.parent.call) if child and child.parent else None
        if child and answers in calls:
            calls.remove(answers)
            yield child


def _own(run: Run, sessions: Sessions) -> list[Ask]:
    people = [each for each in run.pending if each.kind != "agent"]
    lap = sessions.lap(run.key, people[0].lap) if people else None
    return [Ask(run, lap, each) for each in people] if lap else []


def _is_blocked(run: Run, sessions: Sessions) -> bool:
    if run.status != "QUEUED":
        return False
    session = sessions.session(run.tenant, run.session_id)
    turn = session.active_turn if session and session.conversation == run.conversation else None
    ahead = sessions.run(replace(run.key, turn=turn)) if turn else None
    return ahead is not None and bool(_own(ahead, sessions) or _below(ahead, sessions))
