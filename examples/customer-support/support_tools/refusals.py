"""Why a request is turned down. Each refusal has an HTTP status and a sentence that a model can act on."""

from __future__ import annotations


class ShopError(Exception):
    """The request cannot be met as it stands; `status` and the message say why and what would help."""

    status = 422


class Refused(ShopError):
    """The shop's terms are against it."""


class Unknown(ShopError):
    """No such order, customer or product."""

    status = 404


class AlreadyDone(ShopError):
    """What is asked for has been done before, on another request."""

    status = 409
