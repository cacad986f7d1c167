"""The stack's event bus on EventBridge."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from ..errors import StoreUnavailable

if TYPE_CHECKING:
    from types_boto3_events import EventBridgeClient


class EventBus:
    """`Events`, with source `freehold`."""

    def __init__(self, client: EventBridgeClient, bus: str) -> None:
        self._client, self._bus = client, bus

    def publish(self, detail_type: str, detail: Mapping[str, Any]) -> None:
        entry = {
            "EventBusName": self._bus,
            "Source": "freehold",
            "DetailType": detail_type,
            "Detail": json.dumps(detail),
        }
        try:
            answer = self._client.put_events(Entries=[entry])  # pyright: ignore[reportArgumentType]
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailable(f"could not publish {detail_type}: {error}") from error
        if answer["FailedEntryCount"]:
            raise StoreUnavailable(f"could not publish {detail_type}: {answer['Entries']}")
