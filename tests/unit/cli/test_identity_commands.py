"""Who comes in without a key: `access` and `auth` on the command line, and FREEHOLD_AUTH=aws."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from freehold.values.access import AccessEntry
from freehold_cli.account import AwsAccount
from freehold_cli.local_start import LOCAL_PRINCIPAL
from freehold_cli.settings import WrongUse

from .conftest import ANN, URL, FakeInfo, Terminal
from .fake_api import AWS_TOKEN, problem

ROLE = "arn:aws:iam::123456789012:role/support"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:orders.fifo"
RULE = "arn:aws:events:us-east-1:123456789012:rule/freehold/orders"
ROOT = Path(__file__).parents[3]


@pytest.fixture
def stack(terminal: Terminal) -> Terminal:
    """A stack named `freehold` in the user's account."""
    terminal.aws.stacks["freehold"] = {"AgentsTable": "agents-of-freehold", "ApiUrl": URL}
    return terminal


def granted(terminal: Terminal, table: str = "agents-of-freehold") -> list[AccessEntry]:
    return [
        entry
        for kind in ("iam", "queue", "rule", "source")
        for entry in terminal.aws.access(table).list(kind)
    ]


# -- access


def test_a_role_is_let_in_with_run_and_read(stack: Terminal):
    result = stack.run("access", "grant", "iam", ROLE, "--stack", "freehold")

    assert result.exit_code == 0, result.output
    (entry,) = granted(stack)
    assert (entry.kind, entry.name, entry.tenant, entry.scopes) == ("iam", ROLE, "main", ("run", "read"))
    assert "execute-api:Invoke" in result.stderr
    assert stack.accounts == [{}]


def test_a_scope_that_is_given_twice_is_granted_once(stack: Terminal):
    twice = ("--scope", "run", "--scope", "read", "--scope", "run")

    assert stack.run("access", "grant", "iam", ROLE, *twice, "--stack", "freehold").exit_code == 0

    (entry,) = granted(stack)
    assert entry.scopes == ("run", "read")


def test_what_was_granted_is_listed_and_revoked(stack: Terminal):
    of = ("--stack", "freehold", "--tenant", "acme")
    for given in (("iam", ROLE, "--scope", "approve"), ("queue", QUEUE), ("source", "com.example.*")):
        assert stack.run("access", "grant", *given, *of).exit_code == 0

    listed = json.loads(stack.run("access", "list", "--stack", "freehold", "--json").stdout)
    by = {"createdBy": {"type": "iam", "id": ANN.id}}
    assert listed == {
        "access": [
            {"kind": "iam", "name": ROLE, "tenant": "acme", "scopes": ["approve"], **by},
            {"kind": "queue", "name": QUEUE, "tenant": "acme", **by},
            {"kind": "source", "name": "com.example.*", "tenant": "acme", **by},
        ]
    }
    assert QUEUE in stack.run("access", "list", "--stack", "freehold").stdout
    for kind, name in (("iam", ROLE), ("queue", QUEUE), ("source", "com.example.*")):
        assert stack.run("access", "revoke", kind, name, *of).exit_code == 0
    assert granted(stack) == []


def test_who_lets_a_rule_in_is_told_where_the_rest_of_it_stands(stack: Terminal):
    result = stack.run("access", "grant", "rule", RULE, "--stack", "freehold")

    (page,) = re.findall(r"docs/\S+\.md", result.stderr)
    assert "input transformer" in result.stderr
    assert "input transformer" in (ROOT / page).read_text()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("grant", "role", ROLE), "'role' is none of iam, queue, rule, source"),
        (("grant", "iam", "support"), "'support' is no ARN of an IAM role or user"),
        (("grant", "queue", "notanarn"), "'notanarn' is no ARN of an SQS queue"),
        (("grant", "iam", ROLE, "--scope", "root"), "allowed are run, read"),
        (("grant", "queue", QUEUE, "--scope", "run"), "are only for iam"),
        (("grant", "iam", ROLE, "--tenant", "A"), "is 1 to 40 of a-z"),
        (("revoke", "iam", ROLE), "no access entry"),
    ],
)
def test_what_cannot_be_let_in_is_told_and_nothing_is_written(
    stack: Terminal, arguments: tuple[str, ...], told: str
):
    result = stack.run("access", *arguments, "--stack", "freehold")

    assert result.exit_code == 2
    assert told in " ".join(result.stderr.split())
    assert granted(stack) == []


def test_a_door_of_another_tenant_is_not_taken_over(stack: Terminal):
    stack.run("access", "grant", "queue", QUEUE, "--stack", "freehold", "--tenant", "acme")

    result = stack.run("access", "grant", "queue", QUEUE, "--stack", "freehold", "--tenant", "globex")

    assert result.exit_code == 2
    assert [entry.tenant for entry in granted(stack)] == ["acme"]


def test_without_a_stack_the_local_one_is_meant(terminal: Terminal):
    terminal.locally().stack.info = FakeInfo()

    assert terminal.run("access", "grant", "iam", ROLE).exit_code == 0
    assert [entry.tenant for entry in granted(terminal, "agents")] == ["local"]
    terminal.stack.info = None
    assert terminal.run("access", "list").exit_code == 3


def test_a_stack_of_somebody_else_is_refused(terminal: Terminal):
    terminal.aws.stacks["other"] = {"Bucket": "b"}

    assert terminal.run("access", "list", "--stack", "other").exit_code == 2


def test_the_local_tenant_comes_in_by_every_local_door(terminal: Terminal):
    queue = "arn:aws:sqs:us-east-1:000000000000:freehold-requests.fifo"
    rule = "arn:aws:events:us-east-1:000000000000:rule/freehold/freehold-run-requested"
    outputs = {"AgentsTable": "agents", "RequestsArn": queue, "RunRequestedRule": rule}
    terminal.locally().stack.info = FakeInfo(outputs=outputs)

    for _ in range(2):
        assert terminal.run("up", "--detach").exit_code == 0

    found = granted(terminal, "agents")
    assert [(entry.name, entry.tenant) for entry in found] == [
        (LOCAL_PRINCIPAL, "local"),
        (queue, "local"),
        (rule, "local"),
        ("*", "local"),
    ]


def test_a_local_door_that_leads_elsewhere_stays_as_it_is(terminal: Terminal):
    terminal.locally().stack.info = FakeInfo()
    terminal.run("access", "grant", "iam", LOCAL_PRINCIPAL, "--tenant", "acme", "--scope", "read")

    assert terminal.run("up", "--detach").exit_code == 0

    assert granted(terminal, "agents")[0].tenant == "acme"


# -- tokens


def test_a_token_is_printed_and_nothing_else(terminal: Terminal):
    result = terminal.run("auth", "token", "--scope", "run")

    assert result.stdout == f"{AWS_TOKEN['token']}\n"
    assert terminal.aws.signed == [(f"{URL}/v1/auth/token", b'{"scopes": ["run"]}')]
    assert json.loads(terminal.run("auth", "token", "--json").stdout) == AWS_TOKEN


def test_a_principal_that_nobody_let_in_is_told_so(terminal: Terminal):
    terminal.api.refusal = 403, problem(403, "Denied", f"no access entry for {ROLE}")

    result = terminal.run("auth", "token")

    assert result.exit_code == 2
    assert ROLE in result.stderr


GATEWAYS_NO = {"message": "User is not authorized to access this resource"}


def test_a_scope_that_a_principal_was_not_given_is_an_administrators_to_grant(terminal: Terminal):
    terminal.api.refusal = 403, problem(403, "Denied", "the access entry gives the scopes run and no others")

    result = terminal.run("auth", "token", "--scope", "admin")

    assert result.exit_code == 2
    assert "`freehold access grant iam`" in result.stderr
    assert "key" not in result.stderr.lower()


@pytest.mark.parametrize("chosen", [{"FREEHOLD_AUTH": "aws"}, {"FREEHOLD_KEY": AWS_TOKEN["token"]}])
def test_who_came_in_with_aws_credentials_is_not_told_of_keys(terminal: Terminal, chosen: dict[str, str]):
    terminal.environ = {"FREEHOLD_URL": URL, **chosen}
    terminal.api.refused = {"agents": (403, GATEWAYS_NO)}

    result = terminal.run("agents")

    assert result.exit_code == 2
    assert "`freehold access grant iam`" in result.stderr
    assert "key" not in result.stderr.lower()


def test_a_key_that_lacks_a_scope_is_no_matter_of_aws_credentials(terminal: Terminal):
    terminal.api.refusal = (403, GATEWAYS_NO)

    result = terminal.run("agents")

    assert "`freehold keys create`" in result.stderr
    assert "access grant" not in result.stderr


def test_a_token_that_has_ended_is_told_as_no_key(terminal: Terminal):
    terminal.environ["FREEHOLD_KEY"] = "fht_main_old"

    result = terminal.run("agents")

    assert result.exit_code == 2
    assert "`freehold auth token`" in result.stderr
    assert "FREEHOLD_KEY" not in result.stderr


def test_every_command_comes_in_with_aws_credentials_where_that_is_chosen(terminal: Terminal):
    terminal.environ = {"FREEHOLD_URL": URL, "FREEHOLD_AUTH": "aws"}

    assert terminal.run("agents").exit_code == 0

    assert [path for _, path, _ in terminal.api.seen] == ["auth/token", "agents"]


def test_a_key_goes_before_aws_credentials(terminal: Terminal):
    terminal.environ |= {"FREEHOLD_AUTH": "aws"}

    assert terminal.run("agents").exit_code == 0
    assert terminal.aws.signed == []


def test_another_way_to_come_in_is_refused(terminal: Terminal):
    terminal.environ = {"FREEHOLD_URL": URL, "FREEHOLD_AUTH": "oidc"}

    result = terminal.run("agents")

    assert result.exit_code == 2
    assert "it must be aws" in result.stderr


# -- signing

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "session"}


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://abc123.execute-api.eu-central-1.amazonaws.com/v1/auth/token", "eu-central-1"),
        ("https://agents.example.com/v1/auth/token", "us-west-2"),
    ],
)
def test_a_signature_names_the_apis_region_and_holds_no_secret(url: str, region: str):
    headers = AwsAccount({**KEYS, "AWS_REGION": "us-west-2"}).sign(url, b"{}")

    assert f"/{region}/execute-api/aws4_request" in headers["Authorization"]
    assert headers["X-Amz-Security-Token"] == "session"
    assert "secret" not in json.dumps(headers)


def test_another_body_has_another_signature():
    signed = [
        AwsAccount({**KEYS, "AWS_REGION": "us-west-2"}).sign("https://agents.example.com/", body)
        for body in (b"{}", b'{"scopes": ["admin"]}')
    ]

    assert signed[0]["Authorization"] != signed[1]["Authorization"]


def test_without_credentials_or_region_nothing_is_signed(monkeypatch: pytest.MonkeyPatch):
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_PROFILE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")

    with pytest.raises(WrongUse, match="no AWS credentials"):
        AwsAccount({"AWS_REGION": "us-west-2"}).sign("https://agents.example.com/", b"")
    with pytest.raises(WrongUse, match="no Region"):
        AwsAccount(KEYS).sign("https://agents.example.com/", b"")
