"""Starting the local stack so that it can be used at once: running, with a key that it accepts."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from freehold.values.access import SCOPES, AccessEntry, EntryKind
from freehold_client import Unauthorized

from .local.endpoint import ACCOUNT
from .local.endpoint import REGION as LOCAL_REGION
from .screen import Screen
from .settings import LOCAL_TENANT, Down, Target, WrongUse
from .world import Stack, StackInfo, World

if TYPE_CHECKING:
    from freehold.adapters.access import AccessEntries

KEY_NAME = "local admin"
# Who signs with the local account's only credentials.
LOCAL_PRINCIPAL = f"arn:aws:iam::{ACCOUNT}:root"
# Where answers to messages may go: a queue of this name, once somebody makes it.
LOCAL_ANSWERS = f"arn:aws:sqs:{LOCAL_REGION}:{ACCOUNT}:answers"
DEFAULT_REGION = "us-east-1"
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]+")
# The template's parameters that follow from `--models`.
OF_MODELS = ("ModelSource", "ModelUrl", "ModelName", "ModelRegion")
# A secret cannot be empty.
NO_MODEL_KEY = " "


@dataclass(frozen=True, slots=True)
class Models:
    """What answers in the local stack: the template's parameters, and the Region where it is Bedrock.

    Other parameters that were asked for are among them.
    """

    parameters: Mapping[str, str]
    bedrock_region: str | None = None

    @property
    def told(self) -> str:
        """In words."""
        if self.bedrock_region:
            return f"Amazon Bedrock in {self.bedrock_region}"
        return self.parameters.get("ModelUrl") or "rehearsal (built in, offline)"

    def beside(self, given: Sequence[str]) -> Models:
        """With what `--parameter` says, each as NAME=VALUE."""
        return replace(self, parameters={**chosen_parameters(given), **self.parameters})


def chosen_models(world: World, screen: Screen, models: str | None) -> Models:
    """What `--models` says; where it is not given FREEHOLD_MODEL_URL decides."""
    choice = models or world.environ.get("FREEHOLD_MODEL_URL") or "rehearsal"
    if choice == "rehearsal":
        return Models({"ModelSource": "rehearsal"})
    if choice.startswith(("http://", "https://")):
        name = world.environ.get("FREEHOLD_MODEL_NAME", "")
        return Models({"ModelSource": "openai_compatible", "ModelUrl": choice, "ModelName": name})
    if choice == "aws":
        region = _bedrock_region(world, screen)
        return Models({"ModelSource": "catalog", "ModelRegion": region}, region)
    raise WrongUse(
        f"--models is {choice!r}; it must be `rehearsal`, `aws` or an address that begins with http"
    )


def chosen_parameters(given: Sequence[str]) -> dict[str, str]:
    """What `--parameter` says, each as NAME=VALUE. The template decides about names and values."""
    chosen: dict[str, str] = {}
    for each in given:
        name, sign, value = each.partition("=")
        if not name or not sign:
            raise WrongUse(f"--parameter is {each!r}; it must be NAME=VALUE")
        if name in OF_MODELS:
            raise WrongUse(f"--parameter names {name}, which --models sets")
        if name in chosen:
            raise WrongUse(f"--parameter names {name} twice")
        chosen[name] = value
    return chosen


def _bedrock_region(world: World, screen: Screen) -> str:
    """The user's Region, once it is sure that there are credentials too."""
    with screen.progress("looking for AWS credentials"):
        region = world.region_with_access()
    if region is not None and not REGION.fullmatch(region):
        raise WrongUse(f"the AWS Region is {region!r}; it must be a name such as {DEFAULT_REGION}")
    told = "" if region else " (no Region is set; AWS_REGION chooses another)"
    region = region or DEFAULT_REGION
    screen.note(f"models run on Amazon Bedrock in {region}{told}, at your AWS account's expense")
    return region


def begin(
    world: World,
    stack: Stack,
    *,
    models: Models,
    progress: Callable[[str], None],
    port: int | None = None,
    detached: bool = False,
    tools_on_loopback: bool = False,
) -> tuple[StackInfo, Target]:
    """Start the stack, or bring it up to date, and see to it that models and commands have their keys."""
    info = stack.start(
        port=port,
        detached=detached,
        parameters={"ReplyTargets": LOCAL_ANSWERS, **models.parameters},
        bedrock_region=models.bedrock_region,
        tools_on_loopback=tools_on_loopback,
        progress=progress,
    )
    if secret := info.outputs.get("ModelKeySecret"):
        # Blank where there is none: the key of an earlier server is no business of this one.
        model_key = world.environ.get("FREEHOLD_MODEL_KEY") or NO_MODEL_KEY
        world.account(stack.aws.environment()).put_secret(secret, model_key)
    progress("checking the key")
    target = make_sure_of_key(world, stack, info)
    let_in(world.account(stack.aws.environment()).access(info.outputs["AgentsTable"]), info.outputs)
    return info, target


def let_in(entries: AccessEntries, outputs: Mapping[str, str]) -> None:
    """The local tenant comes in by every door of the local account that leads to nobody yet."""
    doors: dict[EntryKind, str | None] = {
        "iam": LOCAL_PRINCIPAL,
        "queue": outputs.get("RequestsArn"),
        "rule": outputs.get("RunRequestedRule"),
        "source": "*",
    }
    for kind, name in doors.items():
        if name is None or any(entry.name == name for entry in entries.list(kind)):
            continue
        scopes = SCOPES if kind == "iam" else ()
        entries.grant(AccessEntry(kind, name, LOCAL_TENANT, int(time.time()), scopes))


def make_sure_of_key(world: World, stack: Stack, info: StackInfo) -> Target:
    """The local key, made anew where there is none or the stack does not know it any more."""
    home = world.home()
    key = home.key()
    if key is None or not _accepted(world, Target(info.url, key, local=True)):
        table = info.outputs.get("AgentsTable")
        if table is None:
            raise Down("the local stack has no output AgentsTable, so no key can be made", "")
        key = world.account(stack.aws.environment()).make_key(table, KEY_NAME)
        home.keep_key(key)
    return Target(info.url, key, local=True)


def _accepted(world: World, target: Target) -> bool:
    with world.client(target) as client:
        try:
            next(client.agents.list(), None)
        except Unauthorized:
            return False
    return True
