"""What no memory keeps: credentials, and numbers that stand for money or people."""

from __future__ import annotations

import re
from collections.abc import Callable

REDACTED = "[redacted: {kind}]"

_PLAIN: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "private key",
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL),
    ),
    ("access key", re.compile(r"\b(?:AKIA|ASIA|AROA|AIDA)[0-9A-Z]{16}\b")),
    ("token", re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*")),
    (
        "API key",
        re.compile(
            r"\b(?:sk|pk|rk)[-_](?:live[-_]|test[-_]|proj[-_]|ant[-_])?[A-Za-z0-9_-]{16,}"
            r"|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bxox[abprs]-[A-Za-z0-9-]{10,}"
            r"|\bfh_[A-Za-z0-9]+_[A-Za-z0-9]+_[A-Za-z0-9_-]{16,}|\bAIza[\w-]{30,}"
        ),
    ),
    ("token", re.compile(r"(?<=[Bb]earer )[A-Za-z0-9._~+/-]{16,}=*")),
    ("credentials", re.compile(r"(?<=://)[^\s/:@]+:[^\s/@]+(?=@)")),
    ("social security number", re.compile(r"\b(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}\b")),
)
# What follows such a word, up to the next blank.
_NAMED = re.compile(
    r"(?i)\b((?:pass(?:word|phrase|wort|code)|secret(?:[ _-]?(?:access[ _-]?)?key)?|api[ _-]?key|access[ _-]?token"
    r"|auth[ _-]?token|pin(?: code)?|cvv2?|cvc)\b[\"']?(?:\s*(?:is|=|:|was)\s*|\s+(?=\d))[\"']?)"
    r"((?!\[redacted)[^\s\"',;]{3,})"
)
_DIGITS = re.compile(r"(?<![\d.,-])\d(?:[ -]?\d){12,18}(?![\d-])")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b")


def redacted(text: str) -> str:
    """The text without what is surely a secret or the number of a card, an account or a person."""
    for kind, pattern in _PLAIN:
        text = pattern.sub(REDACTED.format(kind=kind), text)
    text = _NAMED.sub(lambda found: found[1] + REDACTED.format(kind="secret"), text)
    text = _DIGITS.sub(_where(_is_card, "card number"), text)
    return _IBAN.sub(_where(_is_iban, "account number"), text)


def _where(holds: Callable[[str], bool], kind: str) -> Callable[[re.Match[str]], str]:
    return lambda found: REDACTED.format(kind=kind) if holds(found[0]) else found[0]


def _is_card(text: str) -> bool:
    """By Luhn's check digit, and the digits that card numbers begin with."""
    digits = [int(each) for each in text if each.isdigit()]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return digits[0] in (2, 3, 4, 5, 6) and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _is_iban(text: str) -> bool:
    """By its check digits (ISO 13616)."""
    plain = text.replace(" ", "")
    if not 15 <= len(plain) <= 34:
        return False
    return int("".join(str(int(each, 36)) for each in plain[4:] + plain[:4])) % 97 == 1
