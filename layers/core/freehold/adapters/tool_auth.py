"""Who a server is told asks for a tool. Credentials leave this module towards that server alone."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from html.entities import codepoint2name
from typing import TYPE_CHECKING, Any, Protocol, cast

from .. import web_address
from ..errors import ToolFailed, ToolUnavailable
from ..value import Value
from ..values.agent import Auth, Server

if TYPE_CHECKING:
    from botocore.credentials import Credentials as AwsCredentials
    from botocore.credentials import ReadOnlyCredentials

REDACTED = "[redacted]"
# VPC Lattice does not check what a body is signed with, and refuses a signed one.
_UNSIGNED_BODY = "UNSIGNED-PAYLOAD"
_ENTITIES = codepoint2name | {ord("'"): "apos"}
# RFC 8259, 7.
_SHORT = {"\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}


class Credentials(Value):
    """What a request carries beside its own. None of the `secrets` may be told to anybody but its server."""

    headers: tuple[tuple[str, str], ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    secrets: tuple[str, ...] = ()


class Asked(Value):
    """A request before it has credentials; all of it is signed where it is to be. `url` is whole, query included."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None


class Tokens(Protocol):
    """Access tokens of OAuth 2."""

    def token(self, server: Server, tenant: str, client: tuple[str, str], *, deadline: float) -> str:
        """`client` is id and secret. Raises `ToolFailed`, `ToolUnavailable` or `ToolThrottled`."""
        ...

    def drop(self, auth: Auth, tenant: str) -> None:
        """Forget it: the server does not take it any more."""
        ...


class ToolAuth:
    """Credentials by an agent's `Auth`. `secret` reads one by tenant and name; `keys` are the function's own."""

    def __init__(
        self,
        secret: Callable[[str, str], str],
        tokens: Tokens,
        keys: Callable[[], AwsCredentials | None],
    ) -> None:
        self._secret, self._tokens, self._keys = secret, tokens, keys

    def credentials(self, server: Server, tenant: str, request: Asked, *, deadline: float) -> Credentials:
        """By `server.auth`. Raises `ToolFailed` where there are none, `ToolUnavailable` where there are none now."""
        auth = server.auth
        if auth is None:
            return Credentials()
        if auth.type == "sigv4":
            return self._signature(auth, request)
        text = self._secret(tenant, auth.secret)
        if auth.type == "apiKey":
            key = _plain(text, auth, "the key as plain text")
            given = ((auth.name, key),)
            return (
                Credentials(query=given, secrets=(key,)) if auth.place == "query" else _header(given, (key,))
            )
        if auth.type == "bearer":
            return _bearer(_plain(text, auth, "the token as plain text"))
        if auth.type == "basic":
            return basic(*_pair(text, auth, "username", "password"))
        client = _pair(text, auth, "clientId", "clientSecret")
        token = _bearer(self._tokens.token(server, tenant, client, deadline=deadline))
        return Credentials(token.headers, secrets=(*token.secrets, client[1]))

    def renew(self, auth: Auth | None, tenant: str) -> bool:
        """After a 401: whether other credentials can be had now."""
        if auth is None or auth.type != "oauth2":
            return False
        self._tokens.drop(auth, tenant)
        return True

    def _signature(self, auth: Auth, request: Asked) -> Credentials:
        """Of the role that the function runs with, and so to nobody but the services that agents may sign for."""
        # Loaded where something is signed.
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        if web_address.signed_for(request.url) != (auth.service, auth.region):
            raise ToolFailed(
                f"this server is not one that a request is signed for as {auth.service} in {auth.region}"
            )
        frozen = self._frozen()
        body = request.body or b""
        unsigned = auth.service == "vpc-lattice-svcs"
        digest = _UNSIGNED_BODY if unsigned else hashlib.sha256(body).hexdigest()
        asked = AWSRequest(
            method=request.method,
            url=request.url,
            data=body,
            headers={**request.headers, "x-amz-content-sha256": digest},
        )
        SigV4Auth(frozen, auth.service, auth.region).add_auth(asked)
        made = {name.lower(): str(value) for name, value in asked.headers.items()}
        named = ("authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256")
        headers = tuple((name, made[name]) for name in named if name in made)
        signature = made["authorization"].rpartition("Signature=")[2]
        secrets = (made["authorization"], signature, *([frozen.token] if frozen.token else ()))
        return Credentials(headers, secrets=secrets)

    def _frozen(self) -> ReadOnlyCredentials:
        from botocore.exceptions import BotoCoreError

        try:
            found = self._keys()
            frozen = found.get_frozen_credentials() if found else None
        except BotoCoreError as error:
            raise ToolUnavailable(
                f"the AWS credentials could not be read ({type(error).__name__})"
            ) from error
        if frozen is None:
            raise ToolFailed("the request is to be signed, and there are no AWS credentials")
        return frozen


def redacted(text: str, secrets: Sequence[str]) -> str:
    """The text without the secrets, which a server may quote as they are or as others write them."""
    forms = {form for secret in secrets if secret for form in _forms(secret)}
    # The longest first: one may be a part of another.
    for form in sorted(forms, key=len, reverse=True):
        text = re.sub(_written(form), REDACTED, text)
    return text


def _forms(secret: str) -> Iterator[str]:
    yield secret
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(secret.encode()).decode()


def _written(text: str) -> str:
    """A pattern: each character as it is or as URLs, JSON and HTML write it; the padding of Base64 may be left out."""
    inner = text.rstrip("=") or text
    characters = re.findall(r"\\+|[^\\]", inner)
    return "".join(map(_character, characters)) + f"{_character('=')}{{0,2}}"


def _character(one: str) -> str:
    if one.startswith("\\"):
        # JSON doubles them, and JSON in JSON doubles those. Told apart one by one, a row would take for ever.
        return rf"(?:\\(?:u005[cC])?|%5[cC]|&#(?:0*92|[xX]0*5[cC]);){{1,{4 * len(one)}}}"
    # The same wherever they are written.
    plain = one.isascii() and one.isalnum()
    return one if plain else f"(?:{'|'.join(_spellings(one))})"


def _spellings(character: str) -> Iterator[str]:
    """As patterns no two of which match the same. JSON may lie in JSON, so a backslash may itself have one."""
    code, utf8, utf16 = ord(character), character.encode().hex(), character.encode("utf-16-be").hex()
    yield rf"\\{{0,3}}{re.escape(character)}"
    if character in _SHORT:
        yield rf"\\{{1,3}}{_SHORT[character]}"
    yield "".join(rf"\\{{1,3}}u{_hex(utf16[at : at + 4])}" for at in range(0, len(utf16), 4))
    yield "".join(f"%{_hex(utf8[at : at + 2])}" for at in range(0, len(utf8), 2))
    yield f"&#(?:0*{code}|[xX]0*{_hex(f'{code:x}')});"
    if code in _ENTITIES:
        yield f"&{_ENTITIES[code]};"
    if character == " ":
        yield r"\+"


def _hex(digits: str) -> str:
    """In either case."""
    return "".join(f"[{each}{each.upper()}]" if each.isalpha() else each for each in digits)


def _header(headers: tuple[tuple[str, str], ...], secrets: tuple[str, ...]) -> Credentials:
    return Credentials(headers, secrets=secrets)


def _bearer(token: str) -> Credentials:
    return _header((("Authorization", f"Bearer {token}"),), (token,))


def basic(username: str, password: str) -> Credentials:
    """Source: RFC 7617."""
    pair = f"{username}:{password}"
    shown = base64.b64encode(pair.encode()).decode()
    return _header((("Authorization", f"Basic {shown}"),), (pair, password))


def _plain(text: str, auth: Auth, wanted: str) -> str:
    """One line, as a header takes it. What was found is told to nobody."""
    value = text.strip()
    if not value or not value.isascii() or not value.isprintable() or value.startswith("{"):
        raise _wrong_form(auth, wanted)
    return value


def _pair(text: str, auth: Auth, first: str, second: str) -> tuple[str, str]:
    wanted = f'JSON of the form {{"{first}": TEXT, "{second}": TEXT}}'
    try:
        told: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise _wrong_form(auth, wanted) from None
    given = cast("dict[str, Any]", told) if isinstance(told, dict) else {}
    values = [value for name in (first, second) if isinstance(value := given.get(name), str) and value]
    if len(values) != 2 or (first == "username" and ":" in values[0]):
        raise _wrong_form(auth, wanted)
    return values[0], values[1]


def _wrong_form(auth: Auth, wanted: str) -> ToolFailed:
    return ToolFailed(f"the secret {auth.secret} is not of the form that {auth.type} needs: {wanted}")
