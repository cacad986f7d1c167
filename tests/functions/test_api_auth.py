"""Tokens for AWS principals over HTTP, and every kind of credential at the authorizer."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest

from freehold import wiring
from freehold.errors import IssuerUnavailable
from freehold.values.access import AccessEntry
from https_server import HttpsServer, reply
from oidc_issuer import OidcIssuer, token

from .caller import STAGE_ARN, TENANT, Answer, Caller
from .deployed import Deployed, waiting
from .lambdas import environment, invoke

ROLE = "arn:aws:iam::123456789012:role/support"
SESSION = "arn:aws:sts::123456789012:assumed-role/support/ann@example.com"
TEXT = re.compile(rf"fht_{TENANT}_[a-f0-9]{{12}}_[a-f0-9]{{64}}")


def grant(*scopes: str, tenant: str = TENANT, name: str = ROLE) -> None:
    entry = AccessEntry("iam", name, tenant, int(time.time()), scopes or ("run", "read"))
    wiring.access().grant(entry)


def signed(arn: str | None = SESSION, body: object = None, **identity: Any) -> Answer:
    """The call as API Gateway passes it on once it has checked the signature."""
    text = body if isinstance(body, str) or body is None else json.dumps(body)
    event = Caller().event("POST", "/auth/token", text)
    del event["requestContext"]["authorizer"]
    event["requestContext"]["identity"] |= {"userArn": arn, **identity}
    told = invoke("api", event)
    sent = {name: values[-1] for name, values in told["multiValueHeaders"].items()}
    return Answer(told["statusCode"], sent, told["body"])


def admitted(text: str) -> dict[str, Any]:
    event = {"type": "TOKEN", "authorizationToken": f"Bearer {text}", "methodArn": f"{STAGE_ARN}/GET/runs"}
    return invoke("authorizer", event)


def as_caller(context: dict[str, Any]) -> Caller:
    return Caller(
        context["tenant"], tuple(context["scopes"].split()), context["callerId"], context["callerType"]
    )


@contextmanager
def believed(**parameters: str) -> Iterator[OidcIssuer]:
    """An issuer on this machine, which the functions may ask."""
    with HttpsServer(tls=False) as server:
        url = f"http://127.0.0.1:{server.port}/acme"
        given = {"OIDC_ISSUER": url, "OIDC_AUDIENCE": "freehold, console", "TOOLS_MAY_USE_LOOPBACK": "true"}
        with environment(**given, **parameters):
            yield OidcIssuer(server, discovery={"issuer": url, "jwks_uri": f"{url}/keys"})


@pytest.fixture
def issuer(product: Deployed) -> Iterator[OidcIssuer]:
    with believed() as issuer:
        yield issuer


# -- POST /auth/token


def test_an_aws_principal_gets_a_token_that_opens_the_api(product: Deployed):
    grant()

    answer = signed()

    assert answer.status == 201
    assert answer.headers["Cache-Control"] == "no-store"
    told = answer.body
    assert TEXT.fullmatch(told["token"])
    assert {name: told[name] for name in ("tenant", "principal", "scopes")} == {
        "tenant": TENANT,
        "principal": f"iam:{SESSION}",
        "scopes": ["run", "read"],
    }
    left = datetime.fromisoformat(told["expiresAt"]).timestamp() - time.time()
    assert 3500 < left <= 3600
    assert admitted(told["token"])["context"] == {
        "tenant": TENANT,
        "callerType": "iam",
        "callerId": SESSION,
        "scopes": "run read",
    }


def test_who_was_given_a_token_is_logged_and_the_token_is_not(product: Deployed, log: io.StringIO):
    grant()

    text = signed().body["token"]

    (line,) = [
        line for line in map(json.loads, log.getvalue().splitlines()) if line["message"] == "token made"
    ]
    told = {"tenant": TENANT, "principal": f"iam:{SESSION}", "scopes": "run read"}
    assert {name: line[name] for name in told} == told
    assert line["token_id"] == text.split("_")[2]
    assert text.rpartition("_")[2] not in log.getvalue()


def test_each_answer_is_a_token_of_its_own(product: Deployed):
    grant()

    assert signed().body["token"] != signed().body["token"]


def test_it_may_ask_for_fewer_scopes(product: Deployed):
    grant("run", "read", "approve")

    answer = signed(body={"scopes": ["approve"]})

    assert admitted(answer.body["token"])["context"]["scopes"] == "approve"
    assert signed(body={"scopes": ["admin"]}).status == 403


@pytest.mark.parametrize(
    "body", ["nonsense", "[]", {"scopes": []}, {"scopes": ["root"]}, {"tenant": "globex"}]
)
def test_a_body_that_is_none_is_refused(product: Deployed, body: Any):
    grant()

    assert signed(body=body).status == 400


def test_a_principal_that_nobody_let_in_gets_no_token_and_is_told_who_it_is(
    product: Deployed, log: io.StringIO
):
    answer = signed()

    assert answer.status == 403
    assert ROLE in answer.body["detail"]
    assert f"iam:{SESSION}" in log.getvalue()


@pytest.mark.parametrize("path", ["/auth/token", "/auth/token/"])
def test_a_bearer_credential_gets_no_token_whatever_it_says(product: Deployed, path: str):
    """By a path that API Gateway takes for another one, the call could come with a bearer credential."""
    grant()

    answer = product.admin.call("POST", path, {}, headers={"userArn": SESSION})

    assert answer.status in (403, 404)
    assert "token" not in answer.body


def test_a_token_lives_as_long_as_its_access_entry(product: Deployed):
    grant()
    text = signed().body["token"]

    wiring.access().revoke("iam", ROLE)

    with pytest.raises(Exception, match=r"^Unauthorized$"):
        admitted(text)


def test_no_answer_and_no_log_line_tells_the_tokens_secret(product: Deployed, log: io.StringIO):
    grant()
    text = signed().body["token"]
    secret = text.rpartition("_")[2]

    told = [json.dumps(admitted(text)), json.dumps(product.items("agents")), log.getvalue()]

    assert all(secret not in each for each in told)


# -- OIDC


def test_a_token_of_the_issuer_opens_the_api(issuer: OidcIssuer):
    text = token(iss=issuer.discovery["issuer"], aud="console")

    answer = admitted(text)

    assert answer["principalId"] == "oidc:user-42"
    assert answer["context"] == {
        "tenant": TENANT,
        "callerType": "oidc",
        "callerId": "user-42",
        "scopes": "run read",
    }


@pytest.mark.parametrize(
    "whose", [{"OIDC_TENANT": "globex"}, {"OIDC_TENANT_CLAIM": "org"}], ids=["one", "each"]
)
def test_what_the_claims_of_an_issuer_mean_is_for_the_parameters_to_say(
    product: Deployed, whose: dict[str, str]
):
    meant = {"OIDC_SUBJECT_CLAIM": "email", "OIDC_SCOPES_CLAIM": "scp", "OIDC_SCOPE_PREFIX": "freehold/"}
    claimed = {"org": "globex", "email": "ann@example.com", "scp": "run freehold/read freehold/approve"}

    with believed(**meant, **whose) as issuer:
        answer = admitted(token(iss=issuer.discovery["issuer"], **claimed))

    assert answer["context"] == {
        "tenant": "globex",
        "callerType": "oidc",
        "callerId": "ann@example.com",
        "scopes": "read approve",
    }


def test_a_token_for_somebody_else_is_refused_like_any_other(issuer: OidcIssuer):
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        admitted(token(iss=issuer.discovery["issuer"], aud="somebody else"))


def test_while_the_issuer_is_away_nobody_is_told_that_their_token_is_bad(issuer: OidcIssuer):
    issuer.trouble = reply(503)

    with pytest.raises(IssuerUnavailable):
        admitted(token(iss=issuer.discovery["issuer"]))


def test_without_an_issuer_its_tokens_open_nothing(product: Deployed):
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        admitted(token())


# -- who asked


@pytest.mark.parametrize(("kind", "who"), [("iam", SESSION), ("oidc", "auth0|5f7c"), ("key", "0123456789ab")])
def test_who_asked_is_shown_and_may_decide_and_be_erased(product: Deployed, kind: str, who: str):
    name = f"{kind}:{who}"
    product.admin.call(
        "PUT",
        "/agents/waiting",
        waiting(agentName="waiting", approvals={"approvers": [name], "notRequester": False}),
    )
    caller = as_caller({"tenant": TENANT, "callerType": kind, "callerId": who, "scopes": "run read"})
    run_id = caller.call("POST", "/agents/waiting/runs", {"input": "hi", "sessionId": "s1"}).body["runId"]
    product.park_begun(run_id, "approve")
    call = caller.call("GET", f"/runs/{run_id}").body
    decision = {
        "callId": call["awaiting"][0]["callId"],
        "argumentsDigest": call["awaiting"][0]["argumentsDigest"],
        "decision": "approve",
    }

    stranger = as_caller({"tenant": TENANT, "callerType": kind, "callerId": "x", "scopes": "run approve"})
    refused = stranger.call("POST", f"/runs/{run_id}/decisions", [decision])
    decided = caller.call("POST", f"/runs/{run_id}/decisions", [decision])

    assert call["principal"] == {"type": kind, "id": who}
    assert (refused.status, decided.status) == (403, 200), decided.text
    items = caller.call("GET", "/sessions/s1/items").body["items"]
    assert items[0]["principal"] == {"type": kind, "id": who}
    assert [item["by"] for item in items if item["kind"] == "decision"] == [name]
    product.finish(run_id, execution=2)
    erased = product.admin.call("POST", "/erasures", {"principal": name})
    assert erased.status == 200
    assert erased.body["erased"]["sessions"] == 1
