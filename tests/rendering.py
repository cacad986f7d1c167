"""`template.yaml` as CloudFormation sees it: what SAM makes of it, conditions decided and references resolved."""

from __future__ import annotations

import copy
import logging
import re
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from freehold_cli.local import sam_template

Template = dict[str, Any]

ROOT = Path(__file__).parents[1]
REGION, ACCOUNT = "us-east-1", "123456789012"
HERE = f"{REGION}:{ACCOUNT}"
ARN = "arn:aws"
PSEUDO: dict[str, Any] = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackName": "freehold",
    "AWS::URLSuffix": "amazonaws.com",
}
ARNS = {
    "AWS::CloudWatch::Alarm": "cloudwatch:{here}:alarm:{name}",
    "AWS::DynamoDB::Table": "dynamodb:{here}:table/{name}",
    "AWS::Events::EventBus": "events:{here}:event-bus/{name}",
    "AWS::Events::Rule": "events:{here}:rule/{name}",
    "AWS::IAM::Role": "iam::{account}:role/{name}",
    "AWS::KMS::Key": "kms:{here}:key/{name}",
    "AWS::Lambda::Function": "lambda:{here}:function:{name}",
    "AWS::Lambda::LayerVersion": "lambda:{here}:layer:{name}:1",
    "AWS::Logs::LogGroup": "logs:{here}:log-group:{name}:*",
    "AWS::S3::Bucket": "s3:::{name}",
    "AWS::SecretsManager::Secret": "secretsmanager:{here}:secret:{name}",
    "AWS::SNS::Topic": "sns:{here}:{name}",
    "AWS::SQS::Queue": "sqs:{here}:{name}",
    "AWS::StepFunctions::StateMachine": "states:{here}:stateMachine:{name}",
}
# The property that names a resource, where the template sets it.
NAMES = {
    "AWS::Events::EventBus": "Name",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
}
REF_IS_ARN = {
    "AWS::Lambda::LayerVersion",
    "AWS::SecretsManager::Secret",
    "AWS::SNS::Topic",
    "AWS::StepFunctions::StateMachine",
}
NOTHING = object()


def source(path: Path = ROOT / "template.yaml") -> Template:
    """A fresh copy of the file, for tests that change it."""
    return copy.deepcopy(_source(path))


@cache
def _source(path: Path) -> Template:
    # Through a copy that shares nothing: aliases of the YAML text would otherwise change together.
    return unshared(sam_template.load(path))


def unshared(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: unshared(inner) for key, inner in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [unshared(inner) for inner in cast("list[Any]", value)]
    return value


@cache
def configuration(name: str) -> Mapping[str, str]:
    """The parameters of one environment in samconfig.toml."""
    settings = tomllib.loads((ROOT / "samconfig.toml").read_text())
    overrides: list[str] = settings[name]["deploy"]["parameters"].get("parameter_overrides", [])
    return dict(each.split("=", 1) for each in overrides)


def transformed(template: Template, parameters: Mapping[str, str]) -> Template:
    """CloudFormation's own resources, only those that the parameters ask for; references stay references."""
    given = copy.deepcopy(template)
    for resource in given["Resources"].values():
        for key in ("CodeUri", "ContentUri", "DefinitionUri"):
            if key in resource.get("Properties", {}):
                resource["Properties"][key] = f"s3://uploads/{Path(resource['Properties'][key]).name}"
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    session = boto3.Session(region_name=REGION)
    made: Template = Translator({}, Parser(), boto_session=session).translate(
        given, parameter_values=PSEUDO | dict(parameters), passthrough_metadata=True
    )
    decisions = Decisions(made, parameters)
    resources = {
        name: decisions.of(resource)
        for name, resource in made["Resources"].items()
        if "Condition" not in resource or decisions.condition(resource.pop("Condition"))
    }
    kept = {
        key: value
        for key, value in made.items()
        if key not in ("Conditions", "Mappings", "Metadata", "Outputs")
    }
    return kept | {"Resources": resources}


def rendered(
    template: Template, parameters: Mapping[str, str], names: Mapping[str, str] | None = None
) -> Template:
    """The same in plain values: `names` are the physical ones, else they are made of the logical ones."""
    made = transformed(template, parameters)
    references = References(made, parameters, names or {})
    return {"Resources": {name: references.of(each) for name, each in made["Resources"].items()}}


class Values:
    """A walk through a value that replaces each intrinsic function that a subclass knows: a method named like it."""

    def of(self, value: Any) -> Any:
        if isinstance(value, list):
            made = [self.of(inner) for inner in cast("list[Any]", value)]
            return [inner for inner in made if inner is not NOTHING]
        if not isinstance(value, dict):
            return value
        given = cast("dict[str, Any]", value)
        if len(given) == 1:
            ((name, argument),) = given.items()
            function: Callable[[Any], Any] | None = getattr(self, name.removeprefix("Fn::").lower(), None)
            if function and (name.startswith("Fn::") or name in ("Ref", "Condition")):
                return function(argument)
        made = {key: self.of(inner) for key, inner in given.items()}
        return {key: inner for key, inner in made.items() if inner is not NOTHING}


class Decisions(Values):
    """Conditions, and `If` with the branch that is taken."""

    def __init__(self, template: Template, parameters: Mapping[str, str]) -> None:
        self._template = template
        declared: dict[str, Any] = template.get("Parameters", {})
        self._parameters = {name: each.get("Default") for name, each in declared.items()} | dict(parameters)
        self._conditions = template.get("Conditions", {})

    def condition(self, name: str) -> bool:
        return self._evaluated(self._conditions[name])

    def _evaluated(self, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        ((name, argument),) = cast("dict[str, Any]", given).items()
        match name:
            case "Condition":
                return self.condition(argument)
            case "Fn::Equals":
                return len({str(self._evaluated(each)) for each in argument}) == 1
            case "Fn::Not":
                return not self._evaluated(argument[0])
            case "Fn::And":
                return all(self._evaluated(each) for each in argument)
            case "Fn::Join":
                return self._evaluated(argument[1])
            case "Fn::FindInMap":
                mapping, first, second = (self._evaluated(each) for each in argument)
                return self._template["Mappings"][mapping][first][second]
            case _:
                return self._parameters[argument]

    def __getattr__(self, name: str) -> Any:
        if name == "if":
            return self._branch
        raise AttributeError(name)

    def _branch(self, argument: Any) -> Any:
        chosen = self.of(argument[1] if self.condition(argument[0]) else argument[2])
        return NOTHING if chosen == {"Ref": "AWS::NoValue"} else chosen


class References(Values):
    """Parameters and resources in plain values."""

    def __init__(self, template: Template, parameters: Mapping[str, str], names: Mapping[str, str]) -> None:
        self._resources: dict[str, Any] = template["Resources"]
        self._names = names
        declared: dict[str, Any] = template.get("Parameters", {})
        self._parameters: dict[str, Any] = {
            name: _typed(each, parameters.get(name, each.get("Default"))) for name, each in declared.items()
        }

    def ref(self, name: str) -> Any:
        if name in PSEUDO or name in self._parameters:
            return (PSEUDO | self._parameters)[name]
        resource = self._resources[name]
        match resource["Type"]:
            case "AWS::Lambda::Alias" | "AWS::Lambda::Version" as kind:
                function = self.of(resource["Properties"]["FunctionName"])
                qualifier = resource["Properties"]["Name"] if kind.endswith("Alias") else "1"
                return f"{ARN}:lambda:{HERE}:function:{function}:{qualifier}"
            case kind:
                return self._arn(name) if kind in REF_IS_ARN else self._name(name)

    def getatt(self, argument: Any) -> str:
        name, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
        match attribute:
            case "Arn" | "Id":
                return self._arn(name)
            case "QueueName":
                return self._name(name)
            case _:
                return f"{self._name(name)}.{attribute}"

    def sub(self, argument: Any) -> str:
        text, given = (argument, {}) if isinstance(argument, str) else argument
        values = {name: self.of(value) for name, value in given.items()}

        def value(found: re.Match[str]) -> str:
            name = found[1]
            return str(
                values[name] if name in values else self.getatt(name) if "." in name else self.ref(name)
            )

        return re.sub(r"\$\{([^}!]+)\}", value, text)

    def join(self, argument: Any) -> str:
        return argument[0].join(str(each) for each in self.of(argument[1]))

    def split(self, argument: Any) -> list[str]:
        return self.of(argument[1]).split(argument[0])

    def select(self, argument: Any) -> Any:
        return self.of(argument[1])[int(argument[0])]

    def _name(self, name: str) -> str:
        resource = self._resources[name]
        given = self.of(resource.get("Properties", {}).get(NAMES.get(resource["Type"], "")))
        return self._names.get(name) or given or f"{PSEUDO['AWS::StackName']}-{name}"

    def _arn(self, name: str) -> str:
        form = ARNS[self._resources[name]["Type"]]
        return f"{ARN}:{form.format(here=HERE, account=ACCOUNT, name=self._name(name))}"


def _typed(parameter: Mapping[str, Any], value: Any) -> Any:
    match parameter["Type"]:
        case "CommaDelimitedList":
            return str(value).split(",")
        case "Number":
            return float(value) if "." in str(value) else int(value)
        case _:
            return value
