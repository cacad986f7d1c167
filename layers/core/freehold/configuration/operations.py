"""Tools of an OpenAPI 3.0 or 3.1 document: one for each operation."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from freehold.configuration.bodies import NoTool
from freehold.configuration.document import ToolOptions
from freehold.configuration.group import MOST_NAMED, MOST_TOOLS
from freehold.configuration.http_executor import can_be_sent, kept_from_the_model, server_of
from freehold.configuration.inlining import MAX_LEVELS, Inliner, TooLarge
from freehold.configuration.naming import plain_name
from freehold.configuration.openapi import MOST_PROBLEMS, faults_in, read_openapi
from freehold.configuration.parameters import OperationArguments
from freehold.configuration.part import field_names
from freehold.configuration.paths import at, close_to
from freehold.configuration.references import References
from freehold.configuration.selection import (
    Operation,
    api_key_parameters,
    chosen,
    examples_of,
    excerpt,
    operations_of,
)
from freehold.configuration.validation import parse
from freehold.configuration.wording import for_tool
from freehold.errors import Invalid, Problem
from freehold.value import replace
from freehold.values.agent import Tool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freehold.configuration.group import Group
    from freehold.configuration.references import Schema
    from freehold.values.agent import Argument

# About 5,000 tokens; docs/openapi.md says how many operations of real documents take more. What is longer is cut
# to the most levels of values that fit, at least one.
LONGEST_SCHEMA = 20_000
MOST_CUT_LEVELS = 6
# What one level takes may be twice as long. Of 91,000 real operations none takes more.
LONGEST_CUT_SCHEMA = 40_000
MOST_SCHEMAS = 500


class _Extensions(ToolOptions):
    model_config = ConfigDict(alias_generator=lambda name: f"x-{to_camel(name)}")


def openapi_tools(text: str, wanted: Sequence[str] | None, group: Group, path: str) -> list[Tool]:
    """A tool for each operation of the document in `text`, or for each of those that `wanted` names.

    What is wrong goes to `group.problems`.
    """
    try:
        document = read_openapi(text, path)
        references = References(document)
        operations, faulty = _selected(document, references, wanted, path)
        faults, passed_over = faults_in(excerpt(document, operations), references, path)
    except Invalid as error:
        group.problems.extend(error.problems)
        return []
    group.warn(path, "is no valid OpenAPI, in what makes no difference to a tool", [*map(str, passed_over)])
    return _Tools(document, References(document, faults), group, path, faulty).made_of(operations)


def _selected(
    document: Schema, references: References, wanted: Sequence[str] | None, path: str
) -> tuple[list[Operation], list[Problem]]:
    """The operations that are asked for and, where all of them are, what should have been one."""
    found = list(operations_of(document, references, path))
    operations = [one for one in found if isinstance(one, Operation)]
    faulty = [one for one in found if isinstance(one, Problem)]
    where = at(path, "paths")
    if wanted is not None:
        operations, faulty, where = chosen(operations, wanted, path), [], at(path, "operations")
    if not operations and faulty:
        raise Invalid(faulty[:MOST_PROBLEMS])
    if not operations:
        raise Invalid("has no operations, so there is nothing to call", path=where)
    if len(operations) > MOST_TOOLS:
        examples = examples_of({one.name for one in operations})
        message = (
            f"{'names' if wanted else 'has'} {len(operations):,} operations; at most {MOST_TOOLS} tools are allowed"
            ' in one agent. Choose by operations beside the document: a list of operationIds or "GET /path",'
            f" with * at the end for all that begin so. There are {examples}"
        )
        raise Invalid(message, path=where)
    return operations, faulty


@dataclass
class _Tools:
    """Makes the tools of one document, and remembers what it had to leave out of them.

    `faulty` are the faults for which operations nobody asked for by name are left out.
    """

    document: Schema
    references: References
    group: Group
    path: str
    faulty: list[Problem] = field(default_factory=list[Problem])

    def __post_init__(self) -> None:
        self.version_30 = self.document["openapi"].startswith("3.0")
        schemes = api_key_parameters(self.document).values()
        self.keys = {(scheme["in"], scheme["name"].lower()) for scheme in schemes}
        self.keys |= kept_from_the_model(self.group.http) if self.group.http else set[tuple[str, str]]()
        self.ids: set[str] = set()
        self.left_out = [str(problem) for problem in self.faulty]
        self.cut: list[str] = []
        self.uncut: list[str] = []
        self.unlisted: list[str] = []
        self.unread: list[str] = []
        self.repeated: list[str] = []
        self.mended: list[str] = []

    def made_of(self, operations: Sequence[Operation]) -> list[Tool]:
        tools: list[Tool] = []
        wrong: list[Problem] = []
        before = len(self.group.problems)
        for operation in operations:
            try:
                tools += self._tool(operation)
            except NoTool as reason:
                if operation.named:
                    wrong.append(Problem(operation.path, f"can be no tool: {reason}"))
                self.left_out.append(f"{operation.name} ({reason})")
            except Invalid as error:
                (wrong if operation.named else self.faulty).extend(error.problems)
                self.left_out.append(f"{operation.name} ({error.problems[0]})")
        self._warn()
        if not tools and not wrong and len(self.group.problems) == before:
            message = f"has no operation that can be a tool: {'; '.join(self.left_out[:MOST_NAMED])}"
            wrong = self.faulty or [Problem(at(self.path, "paths"), message)]
        # Operations may share what is wrong.
        self.group.problems.extend(islice(dict.fromkeys(wrong), MOST_PROBLEMS))
        return tools

    def _warn(self) -> None:
        warn = self.group.warn
        warn(self.path, "has operations that can be no tools", self.left_out)
        warn(self.path, f"has schemas of over {LONGEST_SCHEMA:,} characters, cut inside", self.cut)
        warn(
            self.path,
            f"has schemas of over {LONGEST_SCHEMA:,} characters, with nothing inside to cut",
            self.uncut,
        )
        warn(self.path, "has choices of too many values to be listed", self.unlisted)
        warn(
            self.path,
            "has patterns that are not checked, for they are too long or cannot be read",
            self.unread,
        )
        warn(self.path, "uses an operationId twice; the second is named by its path", self.repeated)
        warn(self.path, "declares path parameters other than those in the path", self.mended)

    def _tool(self, operation: Operation) -> list[Tool]:
        options = _options(operation, self.group)
        # A path may stand elsewhere; then what is wrong there is wrong here.
        self.references.follow(self.document["paths"][operation.url], operation.path)
        self.references.check(("paths", operation.url, operation.method))
        schema, places, media_type = self._largest(operation)
        if options is None:
            return []
        repeatable = operation.method in ("get", "head")
        tool = Tool(
            name=self._name(operation),
            description=_description(operation),
            input_schema=schema,
            action_group=self.group.name,
            arguments=places,
            lambda_arn="",
            idempotent=repeatable if options.idempotent is None else options.idempotent,
            enabled=self.group.enabled,
            api_path=operation.url,
            http_method=operation.method.upper(),
            body_content_type=media_type,
            timeout_seconds=options.timeout_seconds,
            max_attempts=options.max_attempts,
        )
        tool = self.group.with_executor(tool, options)
        return [replace(tool, http=server_of(operation, tool.http)) if tool.http else tool]

    def _name(self, operation: Operation) -> str:
        given = plain_name(operation.operation_id)
        if given and operation.operation_id in self.ids:
            self.repeated.append(f"{operation.operation_id} ({operation.route})")
            given = ""
        self.ids.add(operation.operation_id)
        return given or plain_name(f"{operation.method} {operation.url}")

    def _largest(self, operation: Operation) -> tuple[Schema, tuple[Argument, ...], str | None]:
        """The arguments with all their levels or, where that is too much, with as many as fit."""
        try:
            asked, inliner = self._asked(operation, MAX_LEVELS, LONGEST_SCHEMA)
            schema, places = asked.arguments.done()
        except TooLarge:
            asked, inliner = self._with_fewer_levels(operation)
            schema, places = asked.arguments.done()
            (self.cut if inliner.is_cut else self.uncut).append(operation.name)
        self.unread += inliner.unread_patterns
        self.unlisted += inliner.unlisted
        self.mended += [f"{name} ({operation.route})" for name in asked.mended]
        return schema, places, asked.media_type

    def _with_fewer_levels(self, operation: Operation) -> tuple[OperationArguments, Inliner]:
        fewest, most = 1, MOST_CUT_LEVELS
        while fewest < most:
            middle = (fewest + most + 1) // 2
            try:
                self._asked(operation, middle, LONGEST_SCHEMA)
                fewest = middle
            except TooLarge:
                most = middle - 1
        try:
            return self._asked(operation, fewest, LONGEST_CUT_SCHEMA)
        except TooLarge as size:
            raise NoTool(f"its arguments take {size}") from None

    def _asked(self, operation: Operation, deepest: int, longest: int) -> tuple[OperationArguments, Inliner]:
        inliner = Inliner(self.references, self.version_30, deepest, most=MOST_SCHEMAS, terse=True)
        sendable = can_be_sent if self.group.http else None
        asked = OperationArguments(operation, inliner, self.keys, sendable)
        characters = len(json.dumps(asked.arguments.done()[0], ensure_ascii=False))
        if characters > longest:
            raise TooLarge(f"{characters:,} characters; at most {longest:,} are allowed")
        return asked, inliner


def _options(operation: Operation, group: Group) -> ToolOptions | None:
    """What the operation's `x-…` extensions say; None where they are wrong."""
    known = field_names(_Extensions)
    given: Schema = {}
    for key, value in operation.node.items():
        if key in known:
            given[key] = value
        elif key.startswith("x-") and (close := close_to(key, known, alike=0.85)):
            group.warnings.append(f"{at(operation.path, key)} has no effect; did you mean {close}?")
    return parse(_Extensions, given, operation.path, group.problems)


def _description(operation: Operation) -> str:
    summary, more = (str(operation.node.get(word) or "").strip() for word in ("summary", "description"))
    text = more if more.startswith(summary) else f"{summary}\n{more}".strip()
    return for_tool(text) or for_tool(operation.route)
