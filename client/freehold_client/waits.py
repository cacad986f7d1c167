"""What a run waits for, what is decided about it, and the items that tell of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .reading import text, text_or_none, whole

Wire = dict[str, Any]
LAP = re.compile("-l([0-9]+)-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What `Runs.decide` sends about one call; made by an `Awaited`, of which it repeats what was shown."""

    call_id: str
    decision: Literal["approve", "deny", "result"]
    arguments_digest: str
    comment: str = ""
    result: Wire | None = None

    @property
    def wire(self) -> Wire:
        named = {"callId": self.call_id, "argumentsDigest": self.arguments_digest}
        comment = {"comment": self.comment} if self.comment else {}
        result = {"result": self.result} if self.result is not None else {}
        return {**named, "decision": self.decision, **comment, **result}


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """A call that waits: for whom says `kind`, why the model asks for it `reason`.

    `arguments` is the model's own text; `question` is there where the user is asked something.
    """

    call_id: str
    kind: str
    tool: str = ""
    arguments: str = ""
    arguments_digest: str = ""
    reason: str = ""
    question: str | None = None
    expires_at: str = ""
    wire: Wire = field(default_factory=Wire, repr=False, compare=False)

    @classmethod
    def read(cls, wire: Mapping[str, Any]) -> Awaited:
        return cls(
            call_id=text(wire, "callId"),
            kind=text(wire, "kind"),
            tool=text(wire, "tool"),
            arguments=text(wire, "arguments"),
            arguments_digest=text(wire, "argumentsDigest"),
            reason=text(wire, "reason"),
            question=text_or_none(wire, "question"),
            expires_at=text(wire, "expiresAt"),
            wire=dict(wire),
        )

    def approve(self, comment: str = "") -> Decision:
        return self._decision("approve", comment)

    def deny(self, comment: str = "") -> Decision:
        return self._decision("deny", comment)

    def result(
        self,
        body: object = None,
        *,
        upload_id: str | None = None,
        failure: bool = False,
        session_attributes: Mapping[str, str] | None = None,
        prompt_session_attributes: Mapping[str, str] | None = None,
        comment: str = "",
    ) -> Decision:
        """What the call came to: text, anything that is JSON, or what `Runs.upload` gave the id of."""
        given: Wire = {"body": body} if upload_id is None else {"uploadId": upload_id}
        if failure:
            given["state"] = "failure"
        if session_attributes is not None:
            given["sessionAttributes"] = dict(session_attributes)
        if prompt_session_attributes is not None:
            given["promptSessionAttributes"] = dict(prompt_session_attributes)
        return self._decision("result", comment, given)

    def _decision(
        self, decision: Literal["approve", "deny", "result"], comment: str, result: Wire | None = None
    ) -> Decision:
        return Decision(
            call_id=self.call_id,
            decision=decision,
            arguments_digest=self.arguments_digest,
            comment=comment,
            result=result,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionItem:
    """What was decided about a call, and by whom: a principal as `type:id`, or the run of another agent."""

    run_id: str
    turn: int
    at: str
    by: str
    lap: int
    call: int
    call_id: str
    waited_for: str
    decision: str
    comment: str = ""
    wire: Wire = field(default_factory=Wire, repr=False, compare=False)

    @classmethod
    def read(cls, wire: Mapping[str, Any], place: Mapping[str, Any]) -> DecisionItem:
        return cls(
            **place,
            by=text(wire, "by"),
            lap=whole(wire, "lap"),
            call=whole(wire, "call"),
            call_id=text(wire, "callId"),
            waited_for=text(wire, "waitedFor"),
            decision=text(wire, "decision"),
            comment=text(wire, "comment"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalItem:
    """A decision that was not taken, and why not."""

    run_id: str
    turn: int
    at: str
    by: str
    call_id: str
    decision: str
    reason: str
    wire: Wire = field(default_factory=Wire, repr=False, compare=False)

    @classmethod
    def read(cls, wire: Mapping[str, Any], place: Mapping[str, Any]) -> RefusalItem:
        return cls(
            **place,
            by=text(wire, "by"),
            call_id=text(wire, "callId"),
            decision=text(wire, "decision"),
            reason=text(wire, "reason"),
        )

    @property
    def lap(self) -> int:
        """That of the call, as it was named; 0 where the name tells none."""
        found = LAP.search(self.call_id)
        return int(found[1]) if found else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageItem:
    """What a user wrote while a person had the conversation."""

    run_id: str
    turn: int
    at: str
    by: str
    text: str
    wire: Wire = field(default_factory=Wire, repr=False, compare=False)

    @classmethod
    def read(cls, wire: Mapping[str, Any], place: Mapping[str, Any]) -> MessageItem:
        return cls(**place, by=text(wire, "by"), text=text(wire, "text"))
