"""Traces by the X-Ray SDK. Loading it costs a fifth of what boto3 does, so only `traces` imports this."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, cast

from aws_lambda_powertools.tracing import Tracer
from aws_xray_sdk.core import xray_recorder
from aws_xray_sdk.core.emitters.udp_emitter import UDPEmitter


class WordlessEmitter(UDPEmitter):
    """Sends what the SDK recorded, whoever recorded it, without the messages of exceptions: they quote content."""

    def send_entity(self, entity: Any) -> None:
        _silence(entity)
        super().send_entity(entity)


def _silence(entity: Any) -> None:
    # A dict, or the id of a cause that another segment holds.
    if isinstance(entity.cause, dict):
        for thrown in cast("dict[str, list[Any]]", entity.cause).get("exceptions", ()):
            thrown.message = None
    for part in entity.subsegments:
        _silence(part)


class XRay:
    """`Traces`. Calls of AWS are segments of their own, by the SDK's patch of botocore."""

    def __init__(self, service: str) -> None:
        xray_recorder.configure(emitter=WordlessEmitter())
        self._tracer = Tracer(service=service, patch_modules=("botocore",))

    def segment(self, name: str, *, remote: bool = False) -> AbstractContextManager[Any]:
        return xray_recorder.in_subsegment(name, namespace="remote" if remote else "local")

    def annotate(self, **annotations: str | int) -> None:
        for name, value in annotations.items():
            self._tracer.put_annotation(name, str(value))
