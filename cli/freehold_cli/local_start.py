"""Starting the local stack so that it can be used at once: running, with a key that it accepts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from freehold_client import Unauthorized

from .settings import Down, Target, WrongUse
from .world import Stack, StackInfo, World

KEY_NAME = "local admin"
# A secret cannot be empty.
NO_MODEL_KEY = " "


def model_parameters(models: str | None, environ: Mapping[str, str]) -> dict[str, str]:
    """The template's parameters for `--models`; where it is not given FREEHOLD_MODEL_URL decides."""
    choice = models or environ.get("FREEHOLD_MODEL_URL") or "rehearsal"
    if choice == "rehearsal":
        return {"ModelSource": "rehearsal"}
    if choice.startswith(("http://", "https://")):
        name = environ.get("FREEHOLD_MODEL_NAME", "")
        return {"ModelSource": "openai_compatible", "ModelUrl": choice, "ModelName": name}
    if choice == "aws":
        raise WrongUse(
            "--models aws is not supported in this version",
            "Use `rehearsal`, or the address of an OpenAI-compatible server such as http://127.0.0.1:11434/v1.",
        )
    raise WrongUse(f"--models is {choice!r}; it must be `rehearsal` or an address that begins with http")


def begin(
    world: World,
    stack: Stack,
    *,
    parameters: Mapping[str, str],
    progress: Callable[[str], None],
    port: int | None = None,
    detached: bool = False,
) -> tuple[StackInfo, Target]:
    """Start the stack, or bring it up to date, and see to it that models and commands have their keys."""
    info = stack.start(port=port, detached=detached, parameters=parameters, progress=progress)
    if secret := info.outputs.get("ModelKeySecret"):
        # Blank where there is none: the key of an earlier server is no business of this one.
        model_key = world.environ.get("FREEHOLD_MODEL_KEY") or NO_MODEL_KEY
        world.account(stack.aws.environment()).put_secret(secret, model_key)
    progress("checking the key")
    return info, make_sure_of_key(world, stack, info)


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
