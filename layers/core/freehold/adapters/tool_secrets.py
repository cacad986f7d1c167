"""The secrets of tenants, by which their tools' servers know them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ..errors import ToolFailed, ToolUnavailable

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient

KEPT_SECONDS = 60
MOST_KEPT = 256
# What waiting does not mend.
_LASTING = {
    "ResourceNotFoundException": "does not exist",
    "AccessDeniedException": "may not be read by the tool's function",
    "DecryptionFailure": "cannot be decrypted by the tool's function",
    "InvalidRequestException": "is marked for deletion",
    "InvalidParameterException": "has no name that AWS allows",
    "ValidationException": "has no name that AWS allows",
}


class ToolSecrets:
    """Reads `PREFIX/TENANT/NAME` of Secrets Manager, at most once a minute each."""

    def __init__(
        self, client: SecretsManagerClient, prefix: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client, self._prefix, self._clock = client, prefix, clock
        self._kept: dict[tuple[str, str], tuple[float, str]] = {}

    def read(self, tenant: str, name: str) -> str:
        """Raises `ToolFailed` where there is none, and `ToolUnavailable` where it cannot be read now."""
        until, text = self._kept.get((tenant, name), (0.0, ""))
        if self._clock() < until:
            return text
        text = self._fetched(tenant, name)
        if len(self._kept) >= MOST_KEPT:
            self._kept.clear()
        self._kept[tenant, name] = (self._clock() + KEPT_SECONDS, text)
        return text

    def _fetched(self, tenant: str, name: str) -> str:
        where = f"{self._prefix}/{tenant}/{name}"
        try:
            found = self._client.get_secret_value(SecretId=where)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in _LASTING:
                raise ToolFailed(f"the secret {where} {_LASTING[code]}") from error
            raise ToolUnavailable(f"the secret {where} could not be read ({code})") from error
        except BotoCoreError as error:
            raise ToolUnavailable(f"the secret {where} could not be read ({type(error).__name__})") from error
        if "SecretString" not in found:
            raise ToolFailed(f"the secret {where} holds bytes; it must hold text")
        return found["SecretString"]
