"""What EventBridge and EventBridge Scheduler refuse, as errors of ours."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from ..errors import Conflict, Invalid, StoreUnavailable
from ..values.text import without_arns

# Of all that a request may have wrong, only this is what a trigger says itself.
_OF_THE_TRIGGER = re.compile(r"event ?pattern|schedule ?expression|time ?zone", re.IGNORECASE)
PATTERN = "InvalidEventPatternException"
USED_UP = frozenset(("LimitExceededException", "ServiceQuotaExceededException"))


@contextmanager
def named_errors(what: str, *, path: str = "", gone: str = "") -> Generator[None]:
    """Raises `Invalid` where the `path` of a trigger names what AWS does not take, `Conflict` where it takes no more.

    Whatever else is wrong becomes `StoreUnavailable`. What is `gone` already is success.
    """
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if gone and code == gone:
            return
        said = error.response.get("Error", {}).get("Message", code)
        if path and (code == PATTERN or (code == "ValidationException" and _OF_THE_TRIGGER.search(said))):
            raise Invalid(f"is not taken by AWS: {without_arns(said)}", path=path) from error
        if code in USED_UP:
            raise Conflict(
                f"{what}: a quota of the AWS account is used up; nothing goes off for it"
            ) from error
        raise StoreUnavailable(f"{what}: {error}") from error
    except BotoCoreError as error:
        raise StoreUnavailable(f"{what}: {error}") from error
