"""Parts of a rendered template."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from rendering import ARNS, References, Template

Rule = Callable[[Template], Iterator[str]]
# Tables of what nobody needs an hour later: not restored, not protected, gone with the stack.
PASSING = {"EventsTable"}


@dataclass(frozen=True)
class Statement:
    """One statement of a policy. `where` is the resource that holds it."""

    where: str
    given: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.where}.{self.given.get('Sid', '?')}"

    @property
    def allows(self) -> bool:
        return self.given["Effect"] == "Allow"

    @property
    def actions(self) -> list[str]:
        return listed(self.given.get("Action"))

    @property
    def resources(self) -> list[str]:
        return listed(self.given.get("Resource"))

    @property
    def conditions(self) -> dict[str, list[str]]:
        """Values by condition key, whatever the operator."""
        found: dict[str, list[str]] = {}
        for keys in self.given.get("Condition", {}).values():
            for key, value in keys.items():
                found.setdefault(key, []).extend(listed(value))
        return found


def listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def resources(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    """Properties of the resources of one type, by logical id."""
    return {
        name: resource.get("Properties", {})
        for name, resource in template["Resources"].items()
        if resource["Type"] == kind
    }


def arns(template: Template) -> set[str]:
    """Of the stack's resources; a log group's without the `:*` that CloudFormation ends it with."""
    references = References(template, {}, {})
    return {
        references.getatt([name, "Arn"]).removesuffix(":*")
        for name, resource in template["Resources"].items()
        if resource["Type"] in ARNS
    }


def documents(template: Template, *, kinds: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Policy documents in resources of these types, with the resource's name; trust policies are none of them."""
    for name, resource in template["Resources"].items():
        if resource["Type"] in kinds:
            properties = resource["Properties"]
            for policy in properties.get("Policies", []):
                yield name, policy["PolicyDocument"]
            for key in ("PolicyDocument", "KeyPolicy"):
                if key in properties:
                    yield name, properties[key]


IDENTITY = ("AWS::IAM::Role", "AWS::IAM::Policy")
RESOURCE = ("AWS::KMS::Key", "AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy")


def statements(template: Template, *, kinds: tuple[str, ...] = IDENTITY) -> Iterator[Statement]:
    for name, document in documents(template, kinds=kinds):
        for given in document["Statement"]:
            yield Statement(name, given)


def mentions(value: Any) -> str:
    """All of a value as one text, to look names up in."""
    return repr(value)
