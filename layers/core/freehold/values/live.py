"""What is told of a reply while the model still writes it."""

from __future__ import annotations

from ..value import Value


class Piece(Value):
    """Part of the text of one attempt at a lap: what follows its first `offset` characters.

    `attempt` names the attempt, and the lap that comes of it (`Lap.id`); it began at `began_at` (epoch ms).
    The pieces of an attempt, one behind the other, are the beginning of its text without a gap.
    """

    lap: int
    began_at: int
    attempt: str
    offset: int
    text: str
