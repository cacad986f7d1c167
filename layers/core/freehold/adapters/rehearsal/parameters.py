"""Parameters of a tool, and which values of a text fit them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from .reading import Reading, Value
from .words import lexicon, name_parts, stem, stems, words

QUERY_WORDS = lexicon("query q search keyword keywords term terms phrase text topic find looking")
PROSE_WORDS = lexicon(
    """reason note notes comment comments message description details detail body content summary subject
    problem issue symptom symptoms feedback explanation remark remarks text why instructions"""
)
KEY_WORDS = lexicon("id ids key code number no nr ref reference uuid identifier slug token")
_OWN_WORDS = re.compile(
    r"\bown words\b|\bfree text\b|\bin a sentence\b|\bwhat (is|went) wrong\b", re.IGNORECASE
)
_HEADED = re.compile(r"([A-Za-z]+[-_/.]?)(\d+)")
_HEADED_PATTERN = re.compile(r"\^?\(?([A-Za-z]+[-_/.]?)(?:\\d|\[0-9\])(?:\{(\d+)\}|[+*])?")
_LONGEST_CANDIDATE = 120


@dataclass(frozen=True)
class Parameter:
    """One property of a tool's input, with the schema that counts for it."""

    name: str
    schema: dict[str, Any]
    required: bool

    @cached_property
    def parts(self) -> list[str]:
        return name_parts(self.name)

    @cached_property
    def stems(self) -> list[str]:
        """Roots of the name, without `id` and its like."""
        return [stem(part) for part in self.parts if part not in KEY_WORDS]

    @cached_property
    def description(self) -> str:
        return str(self.schema.get("description") or "")

    @cached_property
    def type(self) -> str:
        kind = self.schema.get("type")
        kinds = cast("list[object]", kind) if isinstance(kind, list) else [kind]
        known = [str(one) for one in kinds if one and one != "null"]
        if known:
            return known[0]
        return "object" if "properties" in self.schema else "string"

    @cached_property
    def choices(self) -> list[Any]:
        given = self.schema.get("enum")
        if isinstance(given, list):
            return cast("list[Any]", given)
        return [self.schema["const"]] if "const" in self.schema else []

    @cached_property
    def pattern(self) -> re.Pattern[str] | None:
        try:
            return re.compile(self.schema["pattern"]) if isinstance(self.schema.get("pattern"), str) else None
        except re.error:
            return None

    @cached_property
    def telling(self) -> bool:
        """Whether the pattern tells this parameter's values from any word."""
        return self.pattern is not None and not any(
            self.pattern.search(word) for word in ("Word", "some words")
        )

    @cached_property
    def examples(self) -> list[str]:
        """What the schema shows, and what its description mentions that looks like a code."""
        many = self.schema.get("examples")
        shown: list[object] = [self.schema.get("example"), self.schema.get("default")]
        shown += cast("list[object]", many) if isinstance(many, list) else []
        given = [str(one) for one in shown if isinstance(one, (str, int)) and not isinstance(one, bool)]
        told = [value.text for value in Reading(self.description).values if value.kind == "code"]
        return [*given, *told]

    @cached_property
    def code_shapes(self) -> set[str]:
        return {shape(example) for example in self.examples if any(sign.isdigit() for sign in example)}

    @cached_property
    def keyed(self) -> bool:
        """Called an id or the like."""
        return bool(KEY_WORDS & set(self.parts))

    @cached_property
    def is_key(self) -> bool:
        """Names one thing, so that words never stand for it."""
        known = self.keyed or bool(self.pattern) or bool(self.code_shapes)
        return self.type == "string" and not self.choices and known

    @cached_property
    def is_query(self) -> bool:
        return (
            self.type == "string"
            and not self.choices
            and not self.is_key
            and bool(QUERY_WORDS & set(self.parts))
        )

    @cached_property
    def is_prose(self) -> bool:
        told = _OWN_WORDS.search(self.description) is not None
        prose = (told or bool(PROSE_WORDS & set(self.parts))) and not self.is_query
        return self.type == "string" and not self.choices and not self.is_key and prose

    @cached_property
    def recallable(self) -> bool:
        """Whether a value told earlier in the conversation may be meant again."""
        simple = self.type in ("string", "integer", "number") and not self.choices
        return simple and not self.is_prose and not self.is_query

    @cached_property
    def kinds(self) -> set[str]:
        """Kinds of value that the format asks for, or that name and description speak of."""
        by_format = {"email": "email", "date": "date", "date-time": "moment", "time": "time", "uuid": "uuid"}
        by_format |= {"uri": "url", "url": "url"}
        form = by_format.get(str(self.schema.get("format")))
        if form:
            return {form}
        if self.type != "string" or self.pattern or self.choices:
            return set()
        told = {word.low for word in words(self.description)} | set(self.parts)
        spoken = {"email": {"email", "e-mail", "mail"}, "url": {"url", "link"}, "uuid": {"uuid"}}
        kinds = {kind for kind, names in spoken.items() if names & told}
        timely = {"date": {"date", "day"}, "time": {"time"}}
        return kinds | {kind for kind, names in timely.items() if names & set(self.parts)}

    @cached_property
    def several(self) -> bool:
        return self.type == "array"

    @cached_property
    def element(self) -> Parameter:
        """An array's element under the array's name; anything else is its own element."""
        if not self.several:
            return self
        inner = self.schema.get("items")
        schema = effective(cast("dict[str, Any]", inner)) if isinstance(inner, dict) else dict[str, Any]()
        return Parameter(self.name, {"description": self.description, **schema}, self.required)

    def accepts(self, text: str) -> bool:
        """Whether a value passes the schema's own tests on text."""
        if self.choices:
            return text in map(str, self.choices)
        if self.type in ("integer", "number"):
            return _is_number(text, whole=self.type == "integer") and self._within(float(text))
        long = len(text) > int(self.schema.get("maxLength", _LONGEST_CANDIDATE))
        if long or len(text) < int(self.schema.get("minLength", 1)):
            return False
        return not self.pattern or self.pattern.search(text) is not None

    def _within(self, number: float) -> bool:
        low, high = self.schema.get("minimum"), self.schema.get("maximum")
        return not (
            (isinstance(low, (int, float)) and number < low)
            or (isinstance(high, (int, float)) and number > high)
        )

    @cached_property
    def heads(self) -> list[tuple[str, int]]:
        """What stands before the digits of this parameter's codes, and how many digits there are at least."""
        shown = [(found[1], len(found[2])) for one in self.examples if (found := _HEADED.fullmatch(one))]
        told = _HEADED_PATTERN.match(self.pattern.pattern) if self.pattern else None
        return [*shown, (told[1], int(told[2] or 0))] if told else shown

    def forms(self, value: Value) -> Iterator[str]:
        """The value as it stands and as the schema may want it: other case, or digits under the usual letters."""
        yield value.text
        if value.kind in ("code", "number", "quoted", "name"):
            yield value.text.upper()
            yield value.text.lower()
        if value.kind == "number":
            for head, width in self.heads:
                yield head + value.text
                yield head + value.text.zfill(width)

    def matched(self, value: Value) -> str | None:
        """The value in the form that this parameter certainly means, or None."""
        if value.kind in self.kinds and not self.pattern:
            return value.text
        if value.kind == "date" and "moment" in self.kinds:
            return f"{value.text}T00:00:00Z"
        if self.choices or self.type != "string":
            return None
        if self.pattern:
            fitting = (form for form in self.forms(value) if self.accepts(form))
            return next(fitting, None) if self.telling else None
        if value.kind in ("email", "url", "date", "time", "moment"):
            return None
        return next((form for form in self.forms(value) if shape(form) in self.code_shapes), None)

    def resembles(self, value: Value) -> bool:
        """Whether it may be meant: letters other than the example's, or a key of which nothing is known."""
        if not self.is_key or self.pattern or self.kinds or value.kind not in ("code", "number", "quoted"):
            return False
        if not self.code_shapes:
            return True
        return bool({_outline(form) for form in self.code_shapes} & {_outline(shape(value.text))})


def properties(schema: dict[str, Any]) -> list[Parameter]:
    """The properties of an object's schema, as they are listed there."""
    listed = schema.get("properties")
    required = schema.get("required")
    needed = set(cast("list[str]", required)) if isinstance(required, list) else set[str]()
    if not isinstance(listed, dict):
        return []
    known = cast("dict[str, Any]", listed)
    return [Parameter(name, effective(inner), name in needed) for name, inner in known.items()]


def effective(schema: object) -> dict[str, Any]:
    """The schema with the first real alternative of `anyOf`, `oneOf` and all of `allOf` folded in."""
    if not isinstance(schema, dict):
        return {}
    folded: dict[str, Any] = dict(cast("dict[str, Any]", schema))
    for word in ("allOf", "anyOf", "oneOf"):
        inner = folded.get(word)
        parts = cast("list[Any]", inner) if isinstance(inner, list) else []
        real = [part for part in map(effective, parts) if part and part.get("type") != "null"]
        for part in real if word == "allOf" else real[:1]:
            folded = {**part, **folded}
    return folded


def shape(text: str) -> str:
    """`AB-123` is `AB-9`: every run of digits is one 9."""
    return re.sub(r"\d+", "9", text)


def _outline(form: str) -> str:
    """`AB-9` is `A-9`: every run of letters is one A."""
    return re.sub(r"[A-Za-z]+", "A", form)


def vocabulary(parameter: Parameter) -> list[str]:
    return [*parameter.stems, *stems(parameter.description)]


def _is_number(text: str, *, whole: bool) -> bool:
    return re.fullmatch(r"-?\d+" if whole else r"-?\d+(\.\d+)?", text) is not None
