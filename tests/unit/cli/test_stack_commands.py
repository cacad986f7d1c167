"""up, down, status, try and deploy, over a local stack that is not really there."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from freehold_cli.local.failures import DeploymentFailed, PortTaken, RunsAlready, StartFailed, StateLost
from freehold_cli.settings import WrongUse

from .conftest import URL, FakeInfo, Terminal
from .fake_api import KEY, run

ARN = "arn:aws:lambda:us-east-1:000000000000:function:tools"
# What every local stack is given.
LOCAL = {"ReplyTargets": "arn:aws:sqs:us-east-1:000000000000:answers"}


@pytest.fixture
def local(terminal: Terminal) -> Terminal:
    """A checkout whose stack does not run, and a person who presses Ctrl-C once there is something to wait for."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    terminal.on_sleep = interrupt
    return terminal.locally()


def runs(terminal: Terminal) -> Terminal:
    """The stack runs already, with a key that it accepts."""
    terminal.stack.info = FakeInfo()
    terminal.home("stack.json").write_text(json.dumps({"url": URL}))
    terminal.home("key").write_text(KEY)
    terminal.on_sleep = lambda: None
    return terminal


def agent_folder(terminal: Terminal) -> Path:
    folder = terminal.folder / "my-agent"
    folder.mkdir()
    group = {"actionGroupName": "orders", "actionGroupExecutor": {"lambda": "${ToolsArn}"}}
    document = {"agentName": "support", "instruction": "Help.", "actionGroups": [group]}
    (folder / "agent.json").write_text(json.dumps(document))
    (folder / "template.yaml").write_text("Resources: {}\n")
    (folder / "ask.txt").write_text("Where is order 1042?\n")
    return folder


def test_up_waits_for_ctrl_c_and_then_stops_what_it_started(local: Terminal):
    result = local.run("up")

    assert URL in result.stdout
    assert (result.exit_code, local.stack.stopped) == (0, 1)


def test_up_ends_the_same_way_on_sigterm(local: Terminal):
    local.on_sleep = lambda: os.kill(os.getpid(), signal.SIGTERM)

    result = local.run("up")

    assert (result.exit_code, local.stack.stopped) == (0, 1)


def test_signals_are_handled_as_before_once_a_command_ended(local: Terminal):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]

    local.run("up")

    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


def test_up_detached_leaves_the_stack_running(local: Terminal):
    result = local.run("up", "--detach", "--port", "9000")

    assert local.stack.started == [
        {
            "parameters": {"ModelSource": "rehearsal", **LOCAL},
            "port": 9000,
            "detached": True,
            "bedrock_region": None,
            "tools_on_loopback": False,
        }
    ]
    assert (result.exit_code, local.stack.stopped) == (0, 0)


def test_parameters_of_the_template_may_be_given(local: Terminal):
    answers, origin = "ReplyTargets=arn:aws:sqs:us-east-1:000000000000:mine", "AllowedOrigins=http://a=b"

    local.run("up", "--detach", "--parameter", answers, "--parameter", origin)

    (started,) = local.stack.started
    assert started["parameters"] == {
        "ModelSource": "rehearsal",
        "ReplyTargets": "arn:aws:sqs:us-east-1:000000000000:mine",
        "AllowedOrigins": "http://a=b",
    }


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["OidcIssuer"], "must be NAME=VALUE"),
        (["=x"], "must be NAME=VALUE"),
        (["ModelSource=catalog"], "which --models sets"),
        (["OidcTenant=a", "OidcTenant=b"], "OidcTenant twice"),
    ],
)
def test_parameters_that_say_nothing_sure_are_refused_before_anything_starts(
    local: Terminal, given: list[str], told: str
):
    result = local.run("up", *(part for each in given for part in ("--parameter", each)))

    assert (result.exit_code, local.stack.started) == (2, [])
    assert told in result.stderr


def test_tools_ask_this_machine_only_where_somebody_says_so(local: Terminal):
    local.run("up", "--detach", "--tools-on-loopback")

    assert [started["tools_on_loopback"] for started in local.stack.started] == [True]


def test_up_says_what_the_running_stack_has_on(local: Terminal):
    local.stack.info = FakeInfo(tools_on_loopback=True)

    shown = local.run("up").stdout

    assert "models: rehearsal" in shown
    assert "tools may ask servers of this machine" in shown


def test_up_as_json_prints_where_the_stack_is(local: Terminal):
    printed = json.loads(local.run("up", "--detach", "--json").stdout)

    assert (printed["url"], printed["outputs"]["AgentsTable"]) == (URL, "agents")


def test_up_makes_a_key_that_only_its_owner_can_read(local: Terminal):
    local.run("up", "--detach")

    file = local.home("key")
    assert file.read_text().strip() == KEY
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert local.aws.keys_made == [("agents", "local admin")]


def test_up_keeps_a_key_that_the_stack_still_accepts(local: Terminal):
    local.home("key").write_text(KEY)

    local.run("up", "--detach")

    assert local.aws.keys_made == []


def test_up_replaces_a_key_that_the_stack_does_not_know(local: Terminal):
    local.home("key").write_text("fh_of_another_life")

    local.run("up", "--detach")

    assert local.home("key").read_text().strip() == KEY


def test_up_brings_a_running_stack_up_to_date_and_leaves_it_running(local: Terminal):
    result = runs(local).run("up")

    assert (len(local.stack.started), local.stack.stopped, result.exit_code) == (1, 0, 0)


def test_up_on_another_port_than_the_running_stacks_is_refused(local: Terminal):
    result = runs(local).run("up", "--port", "9000")

    assert (result.exit_code, local.stack.started) == (2, [])


def test_models_may_come_from_a_server_of_ones_own(local: Terminal):
    local.environ = {"FREEHOLD_MODEL_URL": "http://127.0.0.1:11434/v1", "FREEHOLD_MODEL_NAME": "qwen3"}
    local.environ["FREEHOLD_MODEL_KEY"] = "sk-1"

    local.run("up", "--detach")

    expected = {
        "ModelSource": "openai_compatible",
        "ModelUrl": "http://127.0.0.1:11434/v1",
        "ModelName": "qwen3",
        **LOCAL,
    }
    assert local.stack.started[0]["parameters"] == expected
    assert local.aws.secrets == {"secret": "sk-1"}


def test_a_server_without_a_key_does_not_get_the_key_of_the_one_before(local: Terminal):
    local.environ = {"FREEHOLD_MODEL_URL": "http://127.0.0.1:11434/v1", "FREEHOLD_MODEL_KEY": "sk-1"}
    local.run("up", "--detach")

    local.environ = {"FREEHOLD_MODEL_URL": "http://127.0.0.1:1234/v1"}
    local.run("up", "--detach")

    assert local.aws.secrets == {"secret": " "}


def test_the_option_counts_more_than_the_environment(local: Terminal):
    local.environ = {"FREEHOLD_MODEL_URL": "http://127.0.0.1:11434/v1"}

    local.run("up", "--detach", "--models", "rehearsal")

    assert local.stack.started[0]["parameters"] == {"ModelSource": "rehearsal", **LOCAL}


def test_models_on_aws_are_those_of_the_users_region(local: Terminal):
    local.region_with_access = lambda: "eu-west-1"

    result = local.run("up", "--detach", "--models", "aws")

    (started,) = local.stack.started
    assert started["parameters"] == {"ModelSource": "catalog", "ModelRegion": "eu-west-1", **LOCAL}
    assert started["bedrock_region"] == "eu-west-1"
    assert "Amazon Bedrock in eu-west-1" in result.stderr


def test_a_user_without_a_region_is_told_which_one_is_taken(local: Terminal):
    result = local.run("up", "--detach", "--models", "aws")

    assert local.stack.started[0]["bedrock_region"] == "us-east-1"
    assert "AWS_REGION" in result.stderr


def test_try_takes_models_on_aws_from_the_environment(local: Terminal):
    local.environ = {"FREEHOLD_MODEL_URL": "aws"}
    local.region_with_access = lambda: "eu-west-1"
    local.on_sleep = lambda: None

    local.run("try", str(agent_folder(local)))

    assert local.stack.started[0]["bedrock_region"] == "eu-west-1"


def without_credentials() -> str:
    raise WrongUse("no models on AWS: there are no AWS credentials", "Log in with `aws sso login`.")


@pytest.mark.parametrize(
    ("models", "region", "told"),
    [
        ("gpt-5", lambda: None, "--models is 'gpt-5'"),
        ("aws", without_credentials, "aws sso login"),
        ("aws", lambda: "eu-west-1.example.com/", "must be a name such as us-east-1"),
    ],
    ids=["unknown", "no credentials", "no Region"],
)
def test_models_that_cannot_be_had_are_refused_before_anything_starts(
    local: Terminal, models: str, region: Callable[[], str | None], told: str
):
    local.region_with_access = region

    result = local.run("up", "--models", models)

    assert (result.exit_code, local.stack.started) == (2, [])
    assert told in result.stderr


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        (StartFailed("MiniStack did not come up", ["boom"]), 3),
        (PortTaken("another program listens on 8080"), 2),
        (RunsAlready("the stack runs already, without Bedrock"), 2),
        (DeploymentFailed("freehold", "ROLLBACK_COMPLETE", ["Table: no"]), 2),
        (KeyboardInterrupt(), 130),
    ],
)
def test_a_start_that_fails_is_explained_and_leaves_nothing_running(
    local: Terminal, trouble: BaseException, code: int
):
    local.stack.trouble["start"] = trouble

    result = local.run("up", "--detach")

    assert (result.exit_code, local.stack.stopped) == (code, 1)
    assert str(trouble).splitlines()[:1] == [] or str(trouble).splitlines()[0] in result.stderr


def test_a_stack_that_ends_by_itself_ends_up_with_exit_code_3(local: Terminal):
    def die() -> None:
        local.stack.info = None

    local.on_sleep = die
    result = local.run("up")

    assert result.exit_code == 3
    assert "ended by itself" in result.stderr


def test_down_stops_the_stack_and_may_be_repeated(local: Terminal):
    runs(local)

    assert "Stopped" in local.run("down").stdout
    assert json.loads(local.run("down", "--json").stdout) == {"stopped": False}


@pytest.mark.parametrize("command", ["up", "down"])
def test_a_stop_that_lost_state_is_not_called_done(local: Terminal, command: str):
    local.stack.trouble["stop"] = StateLost(
        "the local AWS was killed; what it had saved by 12:00:00 was kept"
    )

    result = local.run(command)

    assert result.exit_code == 1
    assert "by 12:00:00" in result.stderr
    assert "Stopped" not in result.stdout


def test_status_names_the_agents(local: Terminal):
    local.api.agents["support"] = {"agentName": "support"}

    printed = json.loads(runs(local).run("status", "--json").stdout)

    assert printed == {"url": URL, "local": True, "agents": ["support"]}


def test_blank_settings_are_none(local: Terminal):
    terminal = runs(local)
    terminal.environ = {"FREEHOLD_URL": "", "FREEHOLD_KEY": ""}

    assert json.loads(terminal.run("status", "--json").stdout)["local"] is True


def test_the_local_settings_may_be_made_again_in_the_same_shell(tmp_path: Path):
    page = (Path(__file__).parents[3] / "docs" / "local-run.md").read_text()
    (settings,) = (
        block for block in re.findall(r"```bash\n(.*?)```", page, re.DOTALL) if "AWS_ENDPOINT_URL" in block
    )
    for name in ("aws-port", "key"):
        (tmp_path / name).write_text("4566\n")
    freehold = tmp_path / ".venv" / "bin" / "freehold"
    freehold.parent.mkdir(parents=True)
    freehold.write_text(f'#!/bin/sh\necho "\\"url\\": \\"${{FREEHOLD_URL:-{URL}}}\\","\n')
    freehold.chmod(0o755)

    made = subprocess.run(
        ["bash", "-euc", f'{settings}{settings}echo "$FREEHOLD_URL"'],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "FREEHOLD_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert made.stdout == f"{URL}/v1\n"


def test_status_says_which_of_the_stacks_processes_do_not_answer(local: Terminal):
    terminal = runs(local)
    local.stack.quiet = ["live-events", "bedrock-relay"]

    result = terminal.run("status")

    assert result.exit_code == 3
    assert "live-events and bedrock-relay do not answer" in " ".join(result.stderr.split())


def test_deploy_deploys_the_tools_and_then_the_agent_that_names_them(local: Terminal):
    result = runs(local).run("deploy", str(agent_folder(local)))

    stored = local.api.agents["support"]
    assert (result.exit_code, local.stack.deployed) == (0, ["my-agent"])
    assert stored["actionGroups"][0]["actionGroupExecutor"]["lambda"] == ARN


def test_deploy_needs_a_running_stack(local: Terminal):
    local.home("stack.json").write_text(json.dumps({"url": URL}))
    local.home("key").write_text(KEY)

    assert local.run("deploy", str(agent_folder(local))).exit_code == 3


def test_deploy_is_for_the_local_stack_only(terminal: Terminal):
    result = terminal.run("deploy", str(agent_folder(terminal)))

    assert result.exit_code == 2
    assert "apply" in result.stderr


def test_a_folder_without_an_agent_is_refused_before_anything_is_deployed(local: Terminal):
    (local.folder / "empty").mkdir()

    result = runs(local).run("deploy", str(local.folder / "empty"))

    assert (result.exit_code, local.stack.deployed) == (2, [])


def test_try_starts_deploys_asks_and_stops(local: Terminal):
    local.on_sleep = lambda: None

    result = local.run("try", str(agent_folder(local)))

    assert "Where is order 1042?" in result.stdout
    assert "It was shipped." in result.stdout
    assert (result.exit_code, local.stack.deployed, local.stack.stopped) == (0, ["my-agent"], 1)


def test_try_uses_the_stack_that_runs_and_leaves_it_running(local: Terminal):
    result = runs(local).run("try", str(agent_folder(local)), "--ask", "Something else?")

    assert (result.exit_code, local.stack.started, local.stack.stopped) == (0, [], 0)
    assert ("POST", "agents/support/runs", {"input": "Something else?"}) in local.api.seen


def test_try_goes_on_as_a_chat_in_a_terminal(local: Terminal):
    runs(local).typed = ["And 1043?"]

    result = local.run("try", str(agent_folder(local)))

    assert ("POST", "agents/support/runs", {"input": "And 1043?", "sessionId": "s-1"}) in local.api.seen
    assert result.exit_code == 0


def test_try_is_exit_code_1_when_the_run_failed(local: Terminal):
    runs(local).api.ended = run("FAILED")

    assert local.run("try", str(agent_folder(local))).exit_code == 1


def test_ctrl_c_during_the_answer_cancels_the_run_and_stops_the_stack(local: Terminal):
    result = local.run("try", str(agent_folder(local)))

    assert (result.exit_code, local.stack.stopped) == (130, 1)
    assert ("POST", "runs/01JZFAKE-1/cancel") in [request[:2] for request in local.api.seen]


def test_sigterm_during_the_answer_stops_the_stack_too(local: Terminal):
    local.on_sleep = lambda: os.kill(os.getpid(), signal.SIGTERM)

    result = local.run("try", str(agent_folder(local)))

    assert (result.exit_code, local.stack.stopped) == (143, 1)


def test_ctrl_c_in_the_chat_stops_the_stack(local: Terminal):
    local.on_sleep = lambda: None
    local.typed = [KeyboardInterrupt()]

    result = local.run("try", str(agent_folder(local)))

    assert (result.exit_code, local.stack.stopped) == (130, 1)


def test_a_deployment_that_fails_stops_the_stack_that_was_started_for_it(local: Terminal):
    local.stack.trouble["deploy"] = DeploymentFailed("my-agent", "ROLLBACK_COMPLETE", ["Table: no"])

    result = local.run("try", str(agent_folder(local)))

    assert (result.exit_code, local.stack.stopped) == (2, 1)
    assert "Table: no" in result.stderr


def test_try_without_a_question_is_refused_before_anything_starts(local: Terminal):
    folder = agent_folder(local)
    (folder / "ask.txt").unlink()

    result = local.run("try", str(folder))

    assert (result.exit_code, local.stack.started) == (2, [])
    assert "--ask" in result.stderr
