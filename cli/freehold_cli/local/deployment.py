"""Deploying a SAM template to the local AWS, without the SAM CLI."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from freehold_cli.local import sam_template
from freehold_cli.local.endpoint import AwsEndpoint
from freehold_cli.local.failures import DeploymentFailed, TemplateInvalid
from freehold_cli.local.parameters import check

_BUCKET = "freehold-deployments"
_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
_DONE = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
_NEVER_MADE = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED", "REVIEW_IN_PROGRESS")
_POLL_SECONDS = 0.05


def deploy(
    template: Path, stack_name: str, aws: AwsEndpoint, parameters: Mapping[str, str], build: Path
) -> dict[str, str]:
    """Create or update the stack, wait for it, and return its outputs; one that is up to date stays as it is.

    `parameters` are the template's: on update, one that is left out keeps its value. `build` keeps what was
    built.
    """
    content = sam_template.load(template)
    check(content.get("Parameters", {}), parameters)
    storage = _Storage(aws)
    sam_template.package(content, template.parent, build, storage.upload)
    body = json.dumps(sam_template.transform(content, parameters), default=str, sort_keys=True).encode()
    stored = storage.upload(f"{stack_name}.template.json", body)
    stack = _Stack(aws.client("cloudformation"), stack_name)
    return stack.bring_to(f"{aws.url}/{stored['Bucket']}/{stored['Key']}", parameters)


class _Storage:
    """The bucket that uploads go to. What is named by its digest is uploaded once."""

    def __init__(self, aws: AwsEndpoint) -> None:
        self._s3 = aws.client("s3")
        self._s3.create_bucket(Bucket=_BUCKET)
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=_BUCKET)
        self._present = {entry["Key"] for page in pages for entry in page.get("Contents", [])}

    def upload(self, key: str, content: bytes | Path) -> dict[str, str]:
        if key not in self._present or key.endswith(".template.json"):
            body = content if isinstance(content, bytes) else content.read_bytes()
            self._s3.put_object(Bucket=_BUCKET, Key=key, Body=body)
        return {"Bucket": _BUCKET, "Key": key}


class _Stack:
    def __init__(self, cloudformation: Any, name: str) -> None:
        self._cloudformation = cloudformation
        self._name = name

    def bring_to(self, template_url: str, parameters: Mapping[str, str]) -> dict[str, str]:
        before = self._describe()
        if before and before["StackStatus"] in _NEVER_MADE:
            self._cloudformation.delete_stack(StackName=self._name)
            self._settled()
            before = None
        request: dict[str, Any] = {
            "StackName": self._name,
            "TemplateURL": template_url,
            "Capabilities": _CAPABILITIES,
            "Parameters": [
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
        }
        if not self._accepted(request, before, parameters):
            return _outputs(before or {})
        after = self._settled()
        status = after["StackStatus"] if after else "gone"
        if after is None or status not in _DONE:
            raise DeploymentFailed(self._name, status, self._reasons(after))
        return _outputs(after)

    def _accepted(
        self, request: dict[str, Any], before: dict[str, Any] | None, parameters: Mapping[str, str]
    ) -> bool:
        """Ask for the change; False if there is nothing to change."""
        try:
            if before is None:
                self._cloudformation.create_stack(**request)
            else:
                self._keep_parameters(request, before, parameters)
                self._cloudformation.update_stack(**request)
        except self._cloudformation.exceptions.ClientError as error:
            if "No updates are to be performed" in str(error):
                return False
            if error.response["Error"]["Code"] == "ValidationError":
                raise TemplateInvalid(f"stack {self._name}: {error.response['Error']['Message']}") from error
            raise
        return True

    def _keep_parameters(
        self, request: dict[str, Any], before: dict[str, Any], parameters: Mapping[str, str]
    ) -> None:
        summary = self._cloudformation.get_template_summary(TemplateURL=request["TemplateURL"])
        declared = {parameter["ParameterKey"] for parameter in summary["Parameters"]}
        known = {parameter["ParameterKey"] for parameter in before.get("Parameters", [])}
        kept = (known & declared) - set(parameters)
        request["Parameters"] += [{"ParameterKey": key, "UsePreviousValue": True} for key in sorted(kept)]

    def _settled(self) -> dict[str, Any] | None:
        while (stack := self._describe()) and stack["StackStatus"].endswith("IN_PROGRESS"):
            time.sleep(_POLL_SECONDS)
        return stack

    def _describe(self) -> dict[str, Any] | None:
        try:
            return self._cloudformation.describe_stacks(StackName=self._name)["Stacks"][0]
        except self._cloudformation.exceptions.ClientError as error:
            if "does not exist" in str(error):
                return None
            raise

    def _reasons(self, stack: dict[str, Any] | None) -> list[str]:
        if stack is None:
            return []
        events = self._cloudformation.describe_stack_events(StackName=stack["StackId"])["StackEvents"]
        started = next(
            (at for at, event in enumerate(events) if _begins(event, self._name)),
            len(events),
        )
        failed = [event for event in events[: started + 1] if event["ResourceStatus"].endswith("_FAILED")]
        return [
            f"{event['LogicalResourceId']} ({event['ResourceType']}): {event.get('ResourceStatusReason')}"
            for event in reversed(failed)
        ]


def _begins(event: Mapping[str, Any], stack: str) -> bool:
    """Whether this event is the beginning of the stack's latest operation (events come newest first)."""
    states = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS")
    return event["LogicalResourceId"] == stack and event["ResourceStatus"] in states


def _outputs(stack: Mapping[str, Any]) -> dict[str, str]:
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
