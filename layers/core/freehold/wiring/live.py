"""What the function that follows runs is given."""

from __future__ import annotations

from ..adapters.contents import KeptContents
from ..adapters.records import Records
from ..adapters.sessions import DynamoSessions
from ..watching import WatchCollaborators
from . import agents, live_texts, now, retention_seconds, sessions_table
from .clients import OBJECTS, client, setting


def watching() -> WatchCollaborators:
    """For one stream, which keeps what it has read of the run and nothing longer than itself."""
    contents = KeptContents(client("s3", OBJECTS), setting("CONTENT_BUCKET"))
    sessions = DynamoSessions(sessions_table(), Records(contents, retention_seconds()))
    return WatchCollaborators(sessions, agents(), live_texts(), now)
