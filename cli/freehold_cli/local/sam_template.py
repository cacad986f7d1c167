"""A SAM template with local paths, as the CloudFormation template that can be deployed."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from freehold_cli.local.endpoint import REGION
from freehold_cli.local.failures import TemplateInvalid
from freehold_cli.local.packaging import archive, installed, made, requirements_of

Upload = Callable[[str, bytes | Path], dict[str, str]]
"""Stores content under a key and returns where: `{"Bucket", "Key"}`."""
_Packed = tuple[str, bytes | Path]

_FUNCTION = "AWS::Serverless::Function"
_MANAGED_POLICIES = {
    "AWSLambdaBasicExecutionRole": "service-role/",
    "AWSLambdaDynamoDBExecutionRole": "service-role/",
    "AWSLambdaSQSQueueExecutionRole": "service-role/",
    "AWSLambdaVPCAccessExecutionRole": "service-role/",
    "AWSXRayDaemonWriteAccess": "",
    "AWSXrayWriteOnlyAccess": "",
}


def load(path: Path) -> dict[str, Any]:
    """Read a template in JSON or YAML, CloudFormation's short forms and the files that it includes among it."""
    from samtranslator import yaml_helper
    from yaml import YAMLError

    yaml_parse = cast("Callable[[str], Any]", yaml_helper.yaml_parse)

    try:
        template: Any = yaml_parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TemplateInvalid(f"{path}: cannot be read ({error.strerror})") from error
    except YAMLError as error:
        raise TemplateInvalid(f"{path}: is no YAML: {error}") from error
    if not isinstance(template, dict) or not isinstance(
        cast("dict[str, Any]", template).get("Resources"), dict
    ):
        raise TemplateInvalid(f"{path}: has no Resources")
    return cast("dict[str, Any]", _included(template, path.parent))


def _included(value: Any, root: Path) -> Any:
    """As the transform AWS::Include does it, which takes a file below `root` by value and knows no short forms."""
    if isinstance(value, list):
        return [_included(inner, root) for inner in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    match cast("dict[str, Any]", value):
        case {"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": str(location)}}}:
            return _content(root / location)
        case given:
            return {key: _included(inner, root) for key, inner in given.items()}


def package(template: dict[str, Any], root: Path, build: Path, upload: Upload) -> None:
    """Upload what the resources name by a path below `root`, and put the uploads' places in the template."""
    resources: dict[str, dict[str, Any]] = template["Resources"]
    shared: Any = template.get("Globals", {}).get("Function")
    described: dict[str, dict[str, Any]] = {"Globals.Function": {"Type": _FUNCTION, "Properties": shared}}
    described |= {f"Resources.{name}.Properties": resource for name, resource in resources.items()}
    for place, resource in described.items():
        name = place.split(".")[1]
        properties: dict[str, Any] = resource.get("Properties") or {}
        for kind, key, pack in _PATHS:
            value = properties.get(key)
            if resource.get("Type") == kind and isinstance(value, str) and "://" not in value:
                path = (root / value).resolve()
                if not path.exists():
                    raise TemplateInvalid(f"{place}.{key}: there is no {path}")
                properties[key] = upload(*pack(path, name, resource, build))


def transform(template: dict[str, Any], parameters: Mapping[str, str]) -> dict[str, Any]:
    """Make CloudFormation of a SAM template; one without SAM's transform stays as it is."""
    if "Transform" not in template:
        return template
    import boto3
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator

    # It warns of its own unfinished features, which nobody here can act on.
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    policies = {name: f"arn:aws:iam::aws:policy/{path}{name}" for name, path in _MANAGED_POLICIES.items()}
    translator = Translator(policies, Parser(), boto_session=boto3.Session(region_name=REGION))
    values = {"AWS::Region": REGION, "AWS::Partition": "aws", **parameters}
    try:
        translated: dict[str, Any] = translator.translate(template, parameter_values=values)
    except InvalidDocumentException as error:
        causes = "\n  ".join(str(cause.message) for cause in error.causes)
        raise TemplateInvalid(f"the template is not valid:\n  {causes}") from error
    return translated


def _function(path: Path, name: str, resource: dict[str, Any], build: Path) -> _Packed:
    if _method(resource) == "makefile":
        return _archived([made(path, name, build)], build)
    needs = requirements_of(path)
    return _archived([installed(needs, build), path] if needs else [path], build)


def _layer(path: Path, name: str, resource: dict[str, Any], build: Path) -> _Packed:
    """As `sam build` does: what is built for Python lies below `python/`, anything else as it is."""
    method = _method(resource)
    if method == "makefile":
        return _archived([made(path, name, build)], build)
    if not method.startswith("python"):
        return _archived([path], build)
    needs = requirements_of(path)
    return _archived([installed(needs, build), path] if needs else [path], build, below="python/")


def _archived(folders: list[Path], build: Path, below: str = "") -> _Packed:
    packed = archive(folders, build, below=below)
    return f"{packed.digest}.zip", packed.path


def _method(resource: dict[str, Any]) -> str:
    return str(resource.get("Metadata", {}).get("BuildMethod", ""))


def _definition(path: Path, name: str, resource: dict[str, Any], build: Path) -> _Packed:
    import hashlib

    content = json.dumps(_content(path)).encode()
    return f"{hashlib.sha256(content).hexdigest()[:32]}.json", content


def _content(path: Path) -> Any:
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TemplateInvalid(f"{path}: cannot be read ({error.strerror})") from error
    except yaml.YAMLError as error:
        raise TemplateInvalid(f"{path}: is no YAML: {error}") from error


_PATHS: tuple[tuple[str, str, Callable[[Path, str, dict[str, Any], Path], _Packed]], ...] = (
    (_FUNCTION, "CodeUri", _function),
    ("AWS::Serverless::LayerVersion", "ContentUri", _layer),
    ("AWS::Serverless::StateMachine", "DefinitionUri", _definition),
)
