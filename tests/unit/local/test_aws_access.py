"""Whose credentials sign, and what is said where none can."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import DeferredRefreshableCredentials
from botocore.exceptions import SSOTokenLoadError
from botocore.session import Session

from freehold_cli.local.aws_access import AwsAccess, NoAccess

NOTHING: Mapping[str, str] = {}


def profile(folder: Path, *lines: str) -> Callable[[], Session]:
    """Sessions of a user whose profile `work` says this; variables do not count beside a profile that is named."""
    file = folder / "config"
    file.write_text("\n".join(("[profile work]", *lines, "")))

    def session() -> Session:
        made = Session()
        made.set_config_variable("config_file", str(file))
        made.set_config_variable("profile", "work")
        return made

    return session


def key(name: str) -> tuple[str, str]:
    return f"aws_access_key_id = {name}", "aws_secret_access_key = secret"


def signer(access: AwsAccess) -> str:
    """The beginning of what `access` adds to a request."""
    request = AWSRequest("POST", "http://127.0.0.1/model/m/converse", {}, b"{}")
    access.authorize(request, "bedrock", "eu-west-1")
    return request.headers["Authorization"].split("/")[0].removeprefix("AWS4-HMAC-SHA256 ")


def refusal(access: AwsAccess) -> NoAccess:
    with pytest.raises(NoAccess) as caught:
        access.check()
    return caught.value


def test_a_profile_signs(tmp_path: Path):
    assert signer(AwsAccess(NOTHING, profile(tmp_path, *key("AKIDWORK")))) == "Credential=AKIDWORK"


def test_keys_that_were_written_anew_are_used_at_once(tmp_path: Path):
    access = AwsAccess(NOTHING, profile(tmp_path, *key("AKIDOLD")))
    before = signer(access)

    profile(tmp_path, *key("AKIDNEW"))

    assert (before, signer(access)) == ("Credential=AKIDOLD", "Credential=AKIDNEW")


@pytest.mark.parametrize("end", [{"Expiration": "2999-01-01T00:00:00Z"}, {}], ids=["with an end", "without"])
def test_a_credential_process_runs_once(tmp_path: Path, end: dict[str, str]):
    """It may ask a person to touch something."""
    counted = tmp_path / "fetched"
    given: dict[str, Any] = {"Version": 1, "AccessKeyId": "AKIDPROCESS", "SecretAccessKey": "s"}
    given |= {"SessionToken": "t", **end}
    script = tmp_path / "fetch.py"
    script.write_text(f"open({str(counted)!r}, 'a').write('x')\nprint({json.dumps(json.dumps(given))})\n")
    access = AwsAccess(NOTHING, profile(tmp_path, f"credential_process = {sys.executable} {script}"))

    assert [signer(access), signer(access)] == ["Credential=AKIDPROCESS"] * 2
    assert counted.read_text() == "x"


def test_a_bedrock_api_key_counts_more_than_credentials_and_needs_none(tmp_path: Path):
    access = AwsAccess({"AWS_BEARER_TOKEN_BEDROCK": "bedrock-api-key-1"}, profile(tmp_path))

    access.check()

    assert signer(access) == "Bearer bedrock-api-key-1"


def test_a_user_without_credentials_is_told_so(tmp_path: Path):
    error = refusal(AwsAccess(NOTHING, profile(tmp_path, "region = eu-west-1")))

    assert (error.code, str(error)) == ("MissingAuthenticationTokenException", "there are no AWS credentials")


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (("aws_access_key_id = AKID",), "aws_secret_access_key"),
        (("credential_process = /does/not/exist",), "/does/not/exist"),
        (("credential_process = echo nonsense",), "cannot be used"),
        (("role_arn = arn:aws:iam::1:role/r", "source_profile = gone"), "gone"),
        (("role_arn = arn:aws:iam::1:role/r", "source_profile = work", *key("A"), "mfa_serial = m"), "MFA"),
    ],
    ids=["half a key", "no such program", "no JSON", "no such profile", "a code to type"],
)
def test_credentials_that_cannot_be_used_are_told_with_the_reason(
    tmp_path: Path, lines: tuple[str, ...], told: str
):
    error = refusal(AwsAccess(NOTHING, profile(tmp_path, *lines)))

    assert error.code == "ExpiredTokenException"
    assert told in str(error)


def test_after_a_login_the_next_call_finds_the_credentials(tmp_path: Path):
    def expired() -> Any:
        raise SSOTokenLoadError(error_msg="Token for work does not exist")

    class LoggedOut(Session):
        def get_credentials(self) -> Any:
            return DeferredRefreshableCredentials(expired, "sso")

    sessions = [LoggedOut, profile(tmp_path, *key("AKIDSSO"))]
    access = AwsAccess(NOTHING, lambda: sessions.pop(0)())

    error = refusal(access)

    assert "Token for work does not exist" in str(error)
    assert signer(access) == "Credential=AKIDSSO"


@pytest.mark.parametrize(
    ("environ", "lines", "region"),
    [
        ({"AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "x"}, ("region = eu-west-1",), "eu-central-1"),
        ({"AWS_DEFAULT_REGION": "eu-central-1"}, ("region = eu-west-1",), "eu-central-1"),
        ({}, ("region = eu-west-1",), "eu-west-1"),
        ({}, (), None),
    ],
)
def test_the_region_is_the_environments_and_then_the_profiles(
    tmp_path: Path, environ: dict[str, str], lines: tuple[str, ...], region: str | None
):
    assert AwsAccess(environ, profile(tmp_path, *lines)).region() == region


def test_a_profile_that_does_not_exist_is_told():
    def session() -> Session:
        made = Session()
        made.set_config_variable("profile", "gone")
        return made

    with pytest.raises(NoAccess, match="gone"):
        AwsAccess(NOTHING, session).region()
