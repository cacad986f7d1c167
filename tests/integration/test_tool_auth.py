"""Who a tool's server is told asks: what it is shown, and that nobody else is."""

from __future__ import annotations

import base64
import json
import traceback
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import boto3
import pytest
from moto import mock_aws

from freehold.adapters.tool_auth import REDACTED, redacted
from freehold.adapters.tool_secrets import ToolSecrets
from freehold.errors import FreeholdError, ToolFailed, ToolThrottled, ToolUnavailable
from freehold.values.agent import Auth
from http_world import KEYS, PUBLIC, TENANT, HttpWorld
from https_server import HttpsServer, echo, reply
from signatures import wrongly_signed

SECRET = 'p/w "ü" & more'
KEY = Auth("apiKey", "crm", "X-Api-Key")
OAUTH = Auth("oauth2", "crm", token_url="https://login.example.com/token?of=shop", scopes=("read", "write"))
HOSTS = ("login.example.com:443",)
CLIENT = {"clientId": "me & co", "clientSecret": "s3cr3t/+"}


@pytest.fixture
def server() -> Iterator[HttpsServer]:
    with HttpsServer() as made:
        yield made


@pytest.fixture
def login() -> Iterator[HttpsServer]:
    with HttpsServer() as made:
        yield made


@pytest.fixture
def world(server: HttpsServer, login: HttpsServer) -> HttpWorld:
    made = HttpWorld()
    made.net.leads("api.example.com", server)
    made.net.leads("login.example.com", login, address="93.184.216.35")
    made.secrets[TENANT, "crm"] = "k-123/="
    return made


def keep(world: HttpWorld, secret: Any) -> None:
    world.secrets[TENANT, "crm"] = secret if isinstance(secret, str) else json.dumps(secret)


def token(text: str = "t-1", **more: Any) -> Any:
    told = {"access_token": text, "token_type": "Bearer", "expires_in": 3600} | more
    return reply(200, json.dumps(told).encode())


# -- what is shown, and that the answer does not show it


@pytest.mark.parametrize(
    ("auth", "secret", "header", "shown"),
    [
        (KEY, "k-123/=\n", "x-api-key", "k-123/="),
        (Auth("apiKey", "crm", "Authorization"), "k-123/=", "authorization", "k-123/="),
        (Auth("bearer", "crm"), "t-123", "authorization", "Bearer t-123"),
        (
            Auth("basic", "crm"),
            {"username": "me", "password": SECRET},
            "authorization",
            "Basic " + base64.b64encode(f"me:{SECRET}".encode()).decode(),
        ),
    ],
    ids=["key", "key as authorization", "bearer", "basic"],
)
def test_a_server_is_shown_the_credentials_and_its_answer_is_told_without_them(
    world: HttpWorld, server: HttpsServer, auth: Auth, secret: Any, header: str, shown: str
):
    keep(world, secret)
    server.script([echo])

    answer = world.call(auth=auth, body=b"hello", method="POST", content_type="text/plain")

    assert server.received[0].headers[header] == shown
    assert json.loads(answer.text)["headers"][header] == shown.replace(shown.split(" ")[-1], REDACTED)
    assert json.loads(answer.text)["body"] == "hello"


def test_a_key_goes_into_the_query_in_the_place_of_any_other(world: HttpWorld, server: HttpsServer):
    server.script([echo])

    answer = world.call(auth=Auth("apiKey", "crm", "key", "query"), query=(("key", "evil"), ("q", "1")))

    assert server.received[0].path == "/v2/orders/7?q=1&key=k-123%2F%3D"
    assert json.loads(answer.text)["path"] == f"/v2/orders/7?q=1&key={REDACTED}"


def test_an_argument_takes_no_credentials_place(world: HttpWorld, server: HttpsServer):
    world.call(auth=KEY, headers=(("x-api-key", "evil"), ("Authorization", "evil")))

    assert server.received[0].headers["x-api-key"] == "k-123/="


def test_credentials_go_along_with_a_redirect_within_the_server_alone(
    world: HttpWorld, server: HttpsServer, login: HttpsServer
):
    server.script([reply(307, Location="/v3"), reply(307, Location="https://login.example.com/")])

    world.call(auth=KEY, hosts=HOSTS)

    assert [came.headers.get("x-api-key") for came in server.received] == ["k-123/="] * 2
    assert login.connections == 0


@pytest.mark.parametrize("status", [429, 500, 503])
def test_no_error_shows_the_credentials(world: HttpWorld, server: HttpsServer, status: int):
    server.script([reply(status, b"not for k-123/= and not for k-123%2F%3D")])

    with pytest.raises(FreeholdError) as raised:
        world.call(auth=KEY, idempotent=True)

    told = "".join(traceback.format_exception(raised.value)) + repr(raised.value.words)
    assert "k-123" not in told
    assert raised.value.words == f"not for {REDACTED} and not for {REDACTED}"


@pytest.mark.parametrize(
    "quoted",
    [
        SECRET,
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        json.dumps(SECRET).replace("/", "\\/"),
        "p%2Fw%20%22%C3%BC%22%20%26%20more",
        "p%2Fw+%22%C3%BC%22+%26+more",
        "p/w &quot;ü&quot; &amp; more",
        base64.b64encode(SECRET.encode()).decode(),
        "p/w%20%22%C3%BC%22%20&%20more",
        "p%2fw%20%22%c3%bc%22%20%26%20more",
        "p&#47;w &#34;&#252;&#x22; &#x26; more",
        "p/w &quot;&uuml;&quot; &#038; more",
        'p/w "\\u00FC" \\u0026 more',
        json.dumps(json.dumps({"a": SECRET})).removeprefix('"{\\"a\\": \\"').removesuffix('\\"}"'),
    ],
)
def test_a_secret_is_found_however_it_is_quoted(quoted: str):
    told = redacted(f"<{quoted}>", [SECRET, "more"])

    assert "more" not in told
    assert told.strip('<>"') == REDACTED


@pytest.mark.parametrize(
    ("secret", "quoted"),
    [
        ("it's", "it&#39;s"),
        ("it's", "it&apos;s"),
        ("k?y>~k?y>~!", "az95Pn5rP3k+fiE"),
        ("k?y>~k?y>~!", "az95Pn5rP3k-fiE"),
        ("k?y>~k?y>~!", "az95Pn5rP3k%2BfiE%3D"),
        ("k-1", "ay0x"),
        ("ab/cd+ef==", "ab/cd%2Bef%3D%3D"),
        ("ab/cd+ef==", "ab%2fcd%2bef%3d%3d"),
        ("ab/cd+ef==", "ab/cd+ef"),
        ("two\nlines", "two\\nlines"),
        ("back\\slash", "back\\\\slash"),
        ("back\\slash", "back%5Cslash"),
        ("back\\slash", "back\\u005cslash"),
        ("a.c", "a.c"),
    ],
)
def test_a_secret_is_found_in_each_usual_spelling(secret: str, quoted: str):
    assert redacted(f"<{quoted}>", [secret]) == f"<{REDACTED}>"


def test_what_only_looks_like_a_secret_is_shown():
    assert redacted("abc a+c A.C", ["a.c"]) == "abc a+c A.C"


@pytest.mark.parametrize("sign", ["\\", "/", '"', "%", "&", "+", " ", "ü", "'"])
def test_a_secret_of_many_signs_is_looked_for_in_no_more_than_a_moment(sign: str):
    """With two readings for each of them it would be looked for until the next century."""
    row = sign * 4_000

    assert redacted(row, [sign * 60 + "x"]) == row


def test_name_and_password_are_found_as_base64_for_urls(world: HttpWorld, server: HttpsServer):
    keep(world, {"username": "me", "password": "~~?>"})
    shown = base64.urlsafe_b64encode(b"me:~~?>").decode().rstrip("=")
    server.script([reply(200, shown.encode())])

    assert world.call(auth=Auth("basic", "crm")).text == REDACTED


def test_without_credentials_nothing_is_left_out():
    assert redacted("all of it", ["", "other"]) == "all of it"


# -- the form of a secret


@pytest.mark.parametrize(
    ("auth", "secret", "wanted"),
    [
        (KEY, "", "apiKey needs: the key as plain text"),
        (KEY, "two\nlines", "apiKey needs: the key as plain text"),
        (KEY, {"key": "k-9"}, "apiKey needs: the key as plain text"),
        (Auth("bearer", "crm"), "tökén", "bearer needs: the token as plain text"),
        (
            Auth("basic", "crm"),
            "me:pw-9",
            'basic needs: JSON of the form {"username": TEXT, "password": TEXT}',
        ),
        (Auth("basic", "crm"), {"username": "me", "password": ""}, "basic needs: JSON of the form"),
        (Auth("basic", "crm"), {"username": "m:e", "password": "pw-9"}, "basic needs: JSON of the form"),
        (Auth("basic", "crm"), ["me", "pw-9"], "basic needs: JSON of the form"),
        (OAUTH, {"clientId": 7, "clientSecret": "pw-9"}, 'oauth2 needs: JSON of the form {"clientId": TEXT'),
    ],
)
def test_a_secret_of_the_wrong_form_is_told_by_what_is_expected(
    world: HttpWorld, server: HttpsServer, auth: Auth, secret: Any, wanted: str
):
    keep(world, secret)

    with pytest.raises(ToolFailed) as raised:
        world.call(auth=auth, hosts=HOSTS)

    assert raised.value.message.startswith("the secret crm is not of the form that ")
    assert wanted in raised.value.message
    assert "pw-9" not in "".join(traceback.format_exception(raised.value))
    assert server.connections == 0


def test_another_tenants_secret_is_not_there(world: HttpWorld):
    with pytest.raises(ToolFailed, match="tools/other/crm does not exist"):
        world.call(auth=KEY, tenant="other")


# -- OAuth 2


def test_a_token_is_asked_for_once_and_shown_to_the_server(
    world: HttpWorld, server: HttpsServer, login: HttpsServer
):
    keep(world, CLIENT)
    login.script([token()])
    server.script([echo, echo])

    answers = [world.call(auth=OAUTH, hosts=HOSTS) for _ in range(2)]

    (asked,) = login.received
    assert (asked.method, asked.path) == ("POST", "/token?of=shop")
    shown = base64.b64encode(b"me+%26+co:s3cr3t%2F%2B").decode()
    assert asked.headers["authorization"] == f"Basic {shown}"
    assert parse_qs(asked.body.decode()) == {"grant_type": ["client_credentials"], "scope": ["read write"]}
    assert [came.headers["authorization"] for came in server.received] == ["Bearer t-1"] * 2
    assert not any("t-1" in answer.text for answer in answers)


def test_a_token_is_asked_for_anew_a_minute_before_it_ends(
    world: HttpWorld, server: HttpsServer, login: HttpsServer
):
    keep(world, CLIENT)
    login.script([token(), token("t-2")])

    for world.passed in (0, 3500, 3545):
        world.call(auth=OAUTH, hosts=HOSTS)

    assert [came.headers["authorization"][-3:] for came in server.received] == ["t-1", "t-1", "t-2"]


@pytest.mark.parametrize("seconds", [0, 30, -5, float("nan"), "no number", None])
def test_a_token_that_holds_for_no_time_worth_keeping_is_used_once(
    world: HttpWorld, login: HttpsServer, seconds: Any
):
    keep(world, CLIENT)
    login.script([token(expires_in=seconds), token(expires_in=seconds)])

    for world.passed in (0, 300):
        world.call(auth=OAUTH, hosts=HOSTS)

    assert len(login.received) == 2


def test_a_token_that_the_server_does_not_take_is_replaced_once(
    world: HttpWorld, server: HttpsServer, login: HttpsServer
):
    keep(world, CLIENT)
    login.script([token(), token("t-2"), token("t-3")])
    server.script([reply(401), reply(200, b"in"), reply(401), reply(401, b"out")])

    answers = [world.call(auth=OAUTH, hosts=HOSTS, method="POST") for _ in range(2)]

    assert [(answer.status, answer.text) for answer in answers] == [(200, "in"), (401, "out")]
    assert [came.headers["authorization"][-3:] for came in server.received] == ["t-1", "t-2", "t-2", "t-3"]


def test_a_401_is_an_answer_where_no_other_credentials_can_be_had(world: HttpWorld, server: HttpsServer):
    server.script([reply(401, b"out")])

    assert world.call(auth=KEY).status == 401
    assert len(server.received) == 1


def test_tenants_and_secrets_have_tokens_of_their_own(
    world: HttpWorld, server: HttpsServer, login: HttpsServer
):
    keep(world, CLIENT)
    world.secrets["other", "crm"] = json.dumps(CLIENT)
    login.script([token(), token("t-2"), token("t-3")])

    world.call(auth=OAUTH, hosts=HOSTS)
    world.call(auth=OAUTH, hosts=HOSTS, tenant="other")
    keep(world, CLIENT | {"clientSecret": "changed"})
    world.call(auth=OAUTH, hosts=HOSTS)

    assert [came.headers["authorization"][-3:] for came in server.received] == ["t-1", "t-2", "t-3"]


@pytest.mark.parametrize(
    ("answer", "error", "told"),
    [
        (reply(401, b"s3cr3t/+ is wrong"), ToolFailed, r"refused the secret crm \(HTTP 401\)$"),
        (reply(302, Location="https://api.example.com/"), ToolFailed, r"refused the secret crm \(HTTP 302\)"),
        (reply(429), ToolThrottled, "slow down"),
        (reply(503), ToolUnavailable, "HTTP 503"),
        (reply(200, b"no json"), ToolFailed, "no JSON"),
        (reply(200, b"[]"), ToolFailed, "no access_token"),
        (token("two\nlines"), ToolFailed, "no access_token"),
        (token(token_type="mac"), ToolFailed, "another type than bearer"),
        (lambda _: None, ToolUnavailable, r"no token came from login\.example\.com"),
    ],
)
def test_without_a_token_nothing_is_asked_of_the_server(
    world: HttpWorld,
    server: HttpsServer,
    login: HttpsServer,
    answer: Any,
    error: type[FreeholdError],
    told: str,
):
    keep(world, CLIENT)
    login.script([answer])

    with pytest.raises(error, match=told):
        world.call(auth=OAUTH, hosts=HOSTS, method="POST")

    assert server.connections == 0


def test_a_token_endpoint_that_the_agent_does_not_list_is_not_asked(world: HttpWorld, login: HttpsServer):
    keep(world, CLIENT)

    with pytest.raises(ToolFailed, match=r"login\.example\.com:443 is not among the servers"):
        world.call(auth=OAUTH)

    assert login.connections == 0


# -- signatures


@pytest.mark.parametrize(
    ("host", "service"),
    [
        ("abc123.execute-api.us-east-1.amazonaws.com", "execute-api"),
        ("abc.def.vpc-lattice-svcs.us-east-1.on.aws", "vpc-lattice-svcs"),
    ],
)
def test_a_request_is_signed_for_its_service(world: HttpWorld, server: HttpsServer, host: str, service: str):
    world.net.leads(host, server)
    auth = Auth("sigv4", service=service, region="us-east-1")
    server.script([echo])

    answer = world.call(
        url=f"https://{host}/prod",
        auth=auth,
        method="POST",
        path="/a%20b/c",
        query=(("q", "x y/z"), ("b", "1")),
        body=b"{}",
        content_type="application/json",
    )

    (came,) = server.received
    unsigned = service == "vpc-lattice-svcs"
    assert came.headers["x-amz-content-sha256"].startswith("UNSIGNED" if unsigned else "44136fa355b3678a")
    if not unsigned:
        quoted = wrongly_signed(
            came.path, came.headers, came.body, keys=KEYS, service=service, region="us-east-1"
        )
        assert quoted is None
    assert f"/us-east-1/{service}/aws4_request" in came.headers["authorization"]
    signature = came.headers["authorization"].rpartition("=")[2]
    assert not [each for each in (KEYS.token, KEYS.secret_key, signature) if str(each) in answer.text]


def test_each_request_of_a_redirect_is_signed_for_itself(world: HttpWorld, server: HttpsServer):
    host = "abc123.execute-api.us-east-1.amazonaws.com"
    world.net.leads(host, server)
    server.script([reply(307, Location="/other?a=1")])

    world.call(
        url=f"https://{host}",
        auth=Auth("sigv4", service="execute-api", region="us-east-1"),
        method="POST",
        body=b"{}",
        content_type="text/plain",
    )

    for came in server.received:
        assert not wrongly_signed(
            came.path, came.headers, came.body, keys=KEYS, service="execute-api", region="us-east-1"
        )


@pytest.mark.parametrize(
    ("url", "service", "region"),
    [
        ("https://api.example.com", "execute-api", "us-east-1"),
        ("https://dynamodb.us-east-1.amazonaws.com", "dynamodb", "us-east-1"),
        ("https://sts.us-east-1.amazonaws.com", "execute-api", "us-east-1"),
        ("https://abc123.execute-api.us-east-1.amazonaws.com", "dynamodb", "us-east-1"),
        ("https://abc123.execute-api.us-east-1.amazonaws.com", "execute-api", "eu-west-1"),
        ("https://abc123.execute-api.us-east-1.amazonaws.com:8443", "execute-api", "us-east-1"),
    ],
)
def test_nothing_is_signed_for_anybody_else(
    world: HttpWorld, server: HttpsServer, url: str, service: str, region: str
):
    for host in (
        "dynamodb.us-east-1.amazonaws.com",
        "sts.us-east-1.amazonaws.com",
        "abc123.execute-api.us-east-1.amazonaws.com",
    ):
        world.net.leads(host, server)
    world.net.routes[PUBLIC, 8443] = server.port

    with pytest.raises(ToolFailed, match="is not one that a request is signed for"):
        world.call(url=url, auth=Auth("sigv4", service=service, region=region))

    assert server.connections == 0


def test_without_keys_nothing_is_signed(world: HttpWorld, server: HttpsServer):
    host = "abc123.execute-api.us-east-1.amazonaws.com"
    world.net.leads(host, server)
    world.keys = None

    with pytest.raises(ToolFailed, match="there are no AWS credentials"):
        world.call(url=f"https://{host}", auth=Auth("sigv4", service="execute-api", region="us-east-1"))


# -- Secrets Manager


@pytest.fixture
def manager() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("secretsmanager")


def test_a_secret_lies_under_its_stack_and_its_tenant(manager: Any):
    manager.create_secret(Name="freehold/tools/acme/crm", SecretString="mine")
    manager.create_secret(Name="freehold/tools/other/crm", SecretString="theirs")

    secrets = ToolSecrets(manager, "freehold/tools")

    assert (secrets.read("acme", "crm"), secrets.read("other", "crm")) == ("mine", "theirs")


def test_a_new_secret_is_known_within_a_minute(manager: Any):
    manager.create_secret(Name="freehold/tools/acme/crm", SecretString="old")
    clock = [0.0]
    secrets = ToolSecrets(manager, "freehold/tools", lambda: clock[0])
    found = [secrets.read("acme", "crm")]
    manager.put_secret_value(SecretId="freehold/tools/acme/crm", SecretString="new")

    for clock[0] in (59.0, 60.0):
        found.append(secrets.read("acme", "crm"))

    assert found == ["old", "old", "new"]


def test_a_secret_that_is_not_there_is_named(manager: Any):
    with pytest.raises(ToolFailed, match=r"^the secret freehold/tools/acme/crm does not exist$"):
        ToolSecrets(manager, "freehold/tools").read("acme", "crm")


def test_a_secret_of_bytes_is_refused(manager: Any):
    manager.create_secret(Name="freehold/tools/acme/crm", SecretBinary=b"\0")

    with pytest.raises(ToolFailed, match="holds bytes"):
        ToolSecrets(manager, "freehold/tools").read("acme", "crm")
