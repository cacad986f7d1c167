"""YAML as plain data by YAML 1.2's core rules: `no`, dates and keys are text, and no tag makes objects.

Built from the parser's events, so that depth, aliases and repeated keys are judged before memory is spent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from freehold.configuration.paths import show
from freehold.errors import Invalid

_INTEGER = re.compile(r"[-+]?[0-9]+")
_PREFIXED = re.compile(r"0x[0-9a-fA-F]+|0o[0-7]+")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NAN = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_TEXT_TAG = "tag:yaml.org,2002:str"


def read_yaml(text: str, path: str, *, max_depth: int, max_nodes: int) -> object:
    """The one document in `text`; raises `Invalid` with the line of what is wrong."""
    builder = _Builder(path, max_depth, max_nodes)
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise Invalid(f"is not valid YAML: {error.problem or error.context}{where}", path=path) from None
    except yaml.YAMLError as error:
        raise Invalid(f"is not valid YAML: {str(error).splitlines()[0]}", path=path) from None
    return builder.root


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not been read. `nodes` counts what it holds, aliases expanded."""

    value: list[Any] | dict[str, Any]
    anchor: str | None
    key: str | None = None
    nodes: int = 1


@dataclass(slots=True)
class _Builder:
    path: str
    max_depth: int
    max_nodes: int
    root: Any = None
    documents: int = 0
    open: list[_Open] = field(default_factory=list[_Open])
    anchors: dict[str, tuple[Any, int]] = field(default_factory=dict[str, "tuple[Any, int]"])

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                self._refuse(event, "holds a second document; one is allowed")
        elif isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event)
            self._add(event, value, 1)
            self._remember(event.anchor, value, 1)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._start(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            done = self.open.pop()
            self._remember(done.anchor, done.value, done.nodes)
            self._add(event, done.value, done.nodes)

    def _start(self, event: yaml.CollectionStartEvent) -> None:
        if len(self.open) >= self.max_depth:
            self._refuse(event, f"is nested more than {self.max_depth} levels deep")
        if event.tag and not event.implicit:
            self._refuse(event, f"has the tag {event.tag}; tags are not allowed")
        if self.open and isinstance(self.open[-1].value, dict) and self.open[-1].key is None:
            self._refuse(event, "has a list or mapping as a key; keys must be text")
        value: list[Any] | dict[str, Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
        self.open.append(_Open(value, event.anchor))

    def _alias(self, event: yaml.AliasEvent) -> None:
        if event.anchor not in self.anchors:
            self._refuse(event, f"uses *{event.anchor}, which is not (or not yet completely) defined")
        self._add(event, *self.anchors[event.anchor])

    def _remember(self, anchor: str | None, value: object, nodes: int) -> None:
        if anchor:
            self.anchors[anchor] = (value, nodes)

    def _add(self, event: yaml.Event, value: object, nodes: int) -> None:
        if not self.open:
            self.root = value
            return
        holder = self.open[-1]
        holder.nodes += nodes
        if holder.nodes > self.max_nodes:
            self._refuse(
                event, f"grows to more than {self.max_nodes:,} values when its aliases are filled in"
            )
        if isinstance(holder.value, list):
            holder.value.append(value)
        elif holder.key is None:
            holder.key = self._key(event, value, holder.value)
        else:
            holder.value[holder.key] = value
            holder.key = None

    def _key(self, event: yaml.Event, value: object, taken: dict[str, Any]) -> str:
        # `200:` among responses is the text "200" for everyone who reads the same document as JSON.
        key = event.value if isinstance(event, yaml.ScalarEvent) else value
        if not isinstance(key, str):
            self._refuse(event, "has a key that is no text")
        if key == "<<" and isinstance(event, yaml.ScalarEvent) and not event.style:
            self._refuse(event, "uses a merge key (<<), which YAML 1.2 does not have; write the fields out")
        if key in taken:
            self._refuse(event, f"holds the key {show(key)} twice in one mapping")
        return key

    def _scalar(self, event: yaml.ScalarEvent) -> object:
        if event.tag and event.tag != "!" and not any(event.implicit):
            if event.tag == _TEXT_TAG:
                return event.value
            self._refuse(event, f"has the tag {event.tag}; tags are not allowed")
        text = str(event.value)
        if event.style or event.tag == "!":
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _NAN.fullmatch(text):
            self._refuse(event, f"holds {text}; numbers must be finite")
        return self._number(event, text)

    def _number(self, event: yaml.Event, text: str) -> object:
        try:
            if _INTEGER.fullmatch(text):
                return int(text)
            if _PREFIXED.fullmatch(text):
                return int(text, 0)
        except ValueError:
            self._refuse(event, "holds a number with more digits than can be read")
        return float(text) if _NUMBER.fullmatch(text) else text

    def _refuse(self, event: yaml.Event, message: str) -> NoReturn:
        mark = event.start_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise Invalid(f"{message}{where}", path=self.path)
