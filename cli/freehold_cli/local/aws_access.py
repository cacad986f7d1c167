"""The AWS access of whoever runs `freehold`, found where every AWS tool finds it.

Variables, profiles, IAM Identity Center, `credential_process`, an instance's role: botocore's chain, and before it
AWS_BEARER_TOKEN_BEDROCK, a Bedrock API key.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

HOW_TO_GET = (
    "Log in with `aws sso login`, or set AWS_PROFILE, AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, or "
    "AWS_BEARER_TOKEN_BEDROCK."
)
# botocore reads a file once, and other tools write temporary keys into it again and again.
_FILES = ("shared-credentials-file", "config-file")
# What a provider raises beside botocore's errors: a program may be missing, or print nonsense.
_PROVIDER_FAILED = (BotoCoreError, ClientError, OSError, ValueError)


class NoAccess(Exception):
    """There are no credentials, or none that can be used now. `code` is AWS's own name for that."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class AwsAccess:
    """Safe to use from several threads. Credentials are refreshed, and looked for anew where none could be used."""

    def __init__(self, environ: Mapping[str, str], session: Callable[[], Session] = Session) -> None:
        self._environ = environ
        self._session = session
        self._found: Credentials | None = None
        self._lock = threading.Lock()

    def region(self) -> str | None:
        """The Region of the environment or of the profile, if one is set."""
        named = self._environ.get("AWS_REGION") or self._environ.get("AWS_DEFAULT_REGION")
        try:
            return named or self._session().get_scoped_config().get("region")
        except BotoCoreError as error:
            raise NoAccess("InvalidClientTokenId", str(error)) from error

    def check(self) -> None:
        """Raise NoAccess if nothing is there to sign with. AWS is asked only where a provider has to."""
        if self._bearer_token is None:
            self._credentials()

    def authorize(self, request: AWSRequest, service: str, region: str) -> None:
        """Add the headers by which AWS knows the user: a signature or, where there is one, the API key."""
        if self._bearer_token is not None:
            request.headers["Authorization"] = f"Bearer {self._bearer_token}"
        else:
            SigV4Auth(self._credentials(), service, region).add_auth(request)

    @property
    def _bearer_token(self) -> str | None:
        return self._environ.get("AWS_BEARER_TOKEN_BEDROCK") or None

    def _credentials(self) -> ReadOnlyCredentials:
        with self._lock:
            try:
                if self._found is None or self._found.method in _FILES:
                    self._found = _found_by(self._session())
                return self._found.get_frozen_credentials()
            except _PROVIDER_FAILED as error:
                self._found = None
                told = f"the AWS credentials cannot be used: {error or type(error).__name__}"
                raise NoAccess("ExpiredTokenException", told) from error


def _found_by(session: Session) -> Credentials:
    found = session.get_credentials()
    if found is None:
        raise NoAccess("MissingAuthenticationTokenException", "there are no AWS credentials")
    if found.method == "assume-role" and "mfa_serial" in session.get_scoped_config():
        raise NoAccess(
            "ExpiredTokenException",
            "the AWS profile asks for an MFA code at each refresh, and nobody is there to type it; "
            'use temporary credentials: eval "$(aws configure export-credentials --format env)"',
        )
    return found
