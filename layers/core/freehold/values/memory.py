"""What an agent remembers of earlier sessions."""

from __future__ import annotations

from ..value import Value
from .run import RunKey, Spent


class Notes(Value):
    """What a session came to: data that a model wrote, never an instruction."""

    topics: tuple[str, ...] = ()
    open_points: tuple[str, ...] = ()
    preferences: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        return not (self.topics or self.open_points or self.preferences)


class Summary(Value):
    """One session in a memory, through turn `through_turn`. Times are epoch ms, `expires_at` is epoch seconds.

    It is there, empty, from the session's beginning: what is no longer there is not to be remembered.
    """

    tenant: str
    agent: str
    memory_id: str
    session_id: str
    conversation: str
    agent_version: str
    started_at: int
    updated_at: int
    expires_at: int
    through_turn: int = 0
    notes: Notes = Notes()
    spent: Spent = Spent()

    @property
    def key(self) -> RunKey:
        """Of the last turn that it has."""
        return RunKey(self.tenant, self.conversation, self.through_turn)
