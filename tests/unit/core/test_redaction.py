"""What no memory keeps, and what it must not lose by that."""

from __future__ import annotations

import pytest

from freehold.redaction import redacted

# Made of parts, so that nobody's scanner takes them for real ones.
SECRETS = {
    "access key": "AKIA" + "IOSFODNN7EXAMPLE",
    "API key": "sk-" + "proj-" + "a1B2c3D4e5F6g7H8i9J0",
    "GitHub token": "ghp_" + "a" * 36,
    "key of this product": "fh_" + "acme_0123456789ab_" + "s" * 32,
    "JSON web token": "eyJ" + "hbGciOiJIUzI1NiJ9.eyJ" + "zdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    "private key": "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEow\nIBAAK\n-----END RSA PRIVATE KEY-----",
    "card": "4111 1111 1111 1111",
    "card without blanks": "5500005555555559",
    "account": "DE89 3704 0044 0532 0130 00",
    "social security number": "078-05-1120",
}


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_taken_out_and_the_sentence_stays(kind: str):
    told = redacted(f"The customer wrote: {SECRETS[kind]}, and asked for a refund.")

    assert SECRETS[kind] not in told
    assert not any(part in told for part in SECRETS[kind].split() if len(part) > 8)
    assert told.startswith("The customer wrote: [redacted: ")
    assert told.endswith(", and asked for a refund.")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("my password is hunter22!", "my password is [redacted: secret]"),
        ("Password: correct-horse", "Password: [redacted: secret]"),
        ('{"api_key": "0123abcd"}', '{"api_key": "[redacted: secret]"}'),
        ("the PIN is 4711", "the PIN is [redacted: secret]"),
        ("PIN 4711, please", "PIN [redacted: secret], please"),
        ("Authorization: Bearer abcdef0123456789abcdef", "Authorization: Bearer [redacted: token]"),
        ("postgres://app:s3cr3t@db/orders", "postgres://[redacted: credentials]@db/orders"),
    ],
)
def test_what_is_named_a_secret_is_one(text: str, left: str):
    assert redacted(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "Order ORD-10042 of 2026-11-25 costs $1,234.50.",
        "Tracking number 1234567890123456",
        "Call +49 30 901820 between 9 and 17.",
        "UUID 123e4567-e89b-12d3-a456-426614174000",
        "Commit 3f786850e387550fdab836ed7e6dc881de23001b",
        "She forgot her password and wants a new one.",
        "The secret garden opens on Monday.",
        "Version 10.0.19045.3803, port 8080",
        "",
    ],
)
def test_what_identifies_a_matter_stays(text: str):
    assert redacted(text) == text


def test_what_was_taken_out_is_not_taken_out_again():
    once = redacted("password: hunter22, card 4111111111111111")

    assert redacted(once) == once
