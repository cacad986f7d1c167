"""API keys over HTTP, and what they open."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest

from freehold import wiring

from .aws import meddling
from .caller import STAGE_ARN, TENANT, Caller
from .deployed import Deployed
from .lambdas import invoke

DAY = 86_400
KEY = re.compile(rf"fh_{TENANT}_[a-f0-9]{{12}}_[a-f0-9]{{64}}")


def created(product: Deployed, **more: Any) -> dict[str, Any]:
    answer = product.admin.call("POST", "/keys", {"name": "ci", "scopes": ["run", "read"]} | more)
    assert answer.status == 201, answer.text
    return answer.body


def admitted(text: str) -> dict[str, Any]:
    event = {"type": "TOKEN", "authorizationToken": f"Bearer {text}", "methodArn": f"{STAGE_ARN}/GET/runs"}
    return invoke("authorizer", event)


def test_a_new_key_is_shown_once_and_opens_the_api(product: Deployed):
    key = created(product)

    assert KEY.fullmatch(key["key"])
    assert (key["name"], key["scopes"]) == ("ci", ["run", "read"])
    assert "expiresAt" not in key
    context = admitted(key["key"])["context"]
    assert context == {"tenant": TENANT, "callerType": "key", "callerId": key["keyId"], "scopes": "run read"}


def test_keys_are_listed_without_their_text(product: Deployed):
    key = created(product)

    listed = product.admin.call("GET", "/keys").body["keys"]

    assert listed == [{name: value for name, value in key.items() if name != "key"}]


def test_a_key_says_who_made_it(product: Deployed):
    role = Caller(caller_type="iam", key_id="arn:aws:sts::123456789012:assumed-role/ops/ann")

    made = role.call("POST", "/keys", {"name": "ci", "scopes": ["run"]}).body

    assert made["createdBy"] == {"type": "iam", "id": role.key_id}
    listed = product.admin.call("GET", "/keys").body["keys"]
    assert [each["createdBy"] for each in listed] == [made["createdBy"]]


def test_the_table_holds_a_digest_and_no_secret(product: Deployed):
    key = created(product)

    stored = json.dumps(product.items("agents"))

    secret = key["key"].rpartition("_")[2]
    assert key["keyId"] in stored
    assert secret not in stored


def test_no_answer_and_no_log_line_tells_a_secret(product: Deployed, log: io.StringIO):
    key = created(product)
    secret = key["key"].rpartition("_")[2]
    later = [
        product.admin.call("GET", "/keys").text,
        product.admin.call("POST", "/keys", {"name": key["key"], "scopes": ["nonsense"]}).text,
        product.admin.call("GET", "/nowhere", headers={"Authorization": f"Bearer {key['key']}"}).text,
        json.dumps(admitted(key["key"])),
        product.admin.call("DELETE", f"/keys/{key['keyId']}").text,
    ]
    with pytest.raises(Exception, match="Unauthorized"):
        admitted(key["key"])
    # An error of ours, with the key in the request.
    with meddling(wiring.client("dynamodb"), "before-call.dynamodb.Query", fail):
        broken = product.admin.call("GET", "/keys", headers={"Authorization": f"Bearer {key['key']}"})

    assert broken.status == 500
    assert "Traceback" in log.getvalue()
    assert all(secret not in text for text in [*later, broken.text, log.getvalue()])


def fail(**_: Any) -> None:
    raise RuntimeError("a defect of ours")


def test_a_revoked_key_opens_nothing_and_is_gone(product: Deployed):
    key = created(product)

    assert product.admin.call("DELETE", f"/keys/{key['keyId']}").status == 204
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        admitted(key["key"])
    assert product.admin.call("GET", "/keys").body == {"keys": []}
    assert product.admin.call("DELETE", f"/keys/{key['keyId']}").status == 404


def test_a_key_with_an_end_opens_until_then(product: Deployed):
    key = created(product, expiresInDays=30)
    stored = next(item for item in product.items("agents") if item["sk"]["S"] == key["keyId"])
    expires = int(stored["expires_at"]["N"])
    keys = wiring.api_keys()

    assert keys.verify(key["key"], now=expires - 1) is not None
    assert keys.verify(key["key"], now=expires) is None
    assert expires - int(stored["created_at"]["N"]) == 30 * DAY
    assert key["expiresAt"] > key["createdAt"]
