"""What no memory keeps, and what it must not lose by that."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.redaction import redacted

BEGIN, END = "-----BEGIN {} " + "PRIVATE KEY-----", "-----END {} " + "PRIVATE KEY-----"
AWS_SECRET = "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY"
JWT = "eyJ" + "hbGciOiJIUzI1NiJ9.eyJ" + "zdWIiOiIxMjM0In0.c2lnbmF0dXJl"

# Made of parts, so that nobody's scanner takes them for real ones.
SECRETS = {
    "access key": "AKIA" + "IOSFODNN7EXAMPLE",
    "API key": "sk-" + "proj-" + "a1B2c3D4e5F6g7H8i9J0",
    "API key of letters": "sk-" + "live-" + "a" * 24,
    "Stripe key": "sk_" + "live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "webhook secret": "whsec_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "GitHub token": "ghp_" + "a" * 36,
    "GitLab token": "glpat-" + "a1B2c3D4e5F6g7H8i9J0",
    "Slack token": "xoxb-" + "123456789012-abcdefABCDEF",
    "Slack hook": "hooks.slack.com/services/" + "T00000000/B00000000/abcdefABCDEF",
    "npm token": "npm_" + "a1" * 18,
    "PyPI token": "pypi-" + "AgEIcHlwaS5vcmc" + "x_-9" * 20,
    "Google key": "AIza" + "SyA-1234567890abcdefghijklmnopqrstu",
    "Bedrock key": "ABSK" + "QmVkcm9ja0FQSUtleS0" + "a1" * 30 + "==",
    "key of this product": "fh_" + "acme_0123456789ab_" + "s" * 32,
    "JSON web token": JWT,
    "private key": BEGIN.format("RSA") + "\nMIIEow\nIBAAK\n" + END.format("RSA"),
    "key of OpenSSH": BEGIN.format("OPENSSH") + "\\nb3BlbnNzaC1rZXk\\n" + END.format("OPENSSH"),
    "card": "4111 1111 1111 1111",
    "card without blanks": "5500005555555559",
    "card with dots": "4111.1111.1111.1111",
    "card with dashes": "6011-1111-1111-1117",
    "card of 15 digits": "3782 822463 10005",
    "card of 13 digits": "4222222222222",
    "card digit by digit": "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
    "card in pairs": "41 11 11 11 11 11 11 11",
    "card and its date": "4111 1111 1111 1111 12/27",
    "card and its check value": "4111 1111 1111 1111 123",
    "card, date and check value": "4111111111111111, exp. 12/2027, 123",
    "card in full-width digits": "４１１１ １１１１ １１１１ １１１１",
    "account": "DE89 3704 0044 0532 0130 00",
    "account without blanks": "GB82WEST12345698765432",
    "account in lower case": "fr14 2004 1010 0505 0001 3m02 606",
    "social security number": "078-05-1120",
}


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_taken_out_and_the_sentence_stays(kind: str):
    told = redacted(f"The customer wrote: {SECRETS[kind]}, and asked for a refund.")

    assert told.startswith("The customer wrote: [redacted: ")
    assert told.endswith("], and asked for a refund.")
    assert told.count("[redacted: ") == 1


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("my password is hunter22!", "my password is [redacted: secret]"),
        ("my password is swordfish", "my password is [redacted: secret]"),
        ("password is: x", "password is: [redacted: secret]"),
        ("Password: correct-horse", "Password: [redacted: secret]"),
        ("**Password:** hunter22", "**Password:** [redacted: secret]"),
        ("Your password:\nhunter22", "Your password:\n[redacted: secret]"),
        ("log in with password hunter22, please", "log in with password [redacted: secret], please"),
        ("changed the password to Winter2024", "changed the password to [redacted: secret]"),
        ("the password for the portal is hunter22", "the password for the portal is [redacted: secret]"),
        ("passwd hunter_two", "passwd [redacted: secret]"),
        ("Pwd=a,b1;Server=db", "Pwd=[redacted: secret];Server=db"),
        ("DB_PASSWORD=hunter", "DB_PASSWORD=[redacted: secret]"),
        ("export PGPASSWORD='two words'", "export PGPASSWORD='[redacted: secret]'"),
        ('{"userPassword": "a, \\"b\\" c", "age": 7}', '{"userPassword": "[redacted: secret]", "age": 7}'),
        ('{\\"password\\": \\"two words\\"}', '{\\"password\\": \\"[redacted: secret]\\"}'),
        ("Mein Passwort lautet Sommer", "Mein Passwort lautet [redacted: secret]"),
        ("Kennwort: Sommer", "Kennwort: [redacted: secret]"),
        ("mot de passe : azerty", "mot de passe : [redacted: secret]"),
        ("la contraseña es girasol", "la contraseña es [redacted: secret]"),
        ('{"api_key": "0123abcd"}', '{"api_key": "[redacted: secret]"}'),
        ("the API key for the sandbox is 0123abcd", "the API key for the sandbox is [redacted: secret]"),
        ("client_secret=abcdef", "client_secret=[redacted: secret]"),
        ("AWS_SECRET_ACCESS_KEY=abc/def+", "AWS_SECRET_ACCESS_KEY=[redacted: secret]"),
        ("AccountKey=abc+/==;EndpointSuffix=core", "AccountKey=[redacted: secret];EndpointSuffix=core"),
        ("/orders?access_token=abcdef&order=10042", "/orders?access_token=[redacted: secret]&order=10042"),
        ("/blob?sv=1&sig=" + "a1%2B" * 8 + "&se=2", "/blob?sv=1&sig=[redacted: token]&se=2"),
        ("the PIN is 4711", "the PIN is [redacted: secret]"),
        ("PIN 4711, please", "PIN [redacted: secret], please"),
        ('{"userPin": "4711"}', '{"userPin": "[redacted: secret]"}'),
        ("CVV: 123", "CVV: [redacted: secret]"),
        ("verification code is 123456", "verification code is [redacted: secret]"),
        ("Authorization: Bearer abcdef0123456789abcdef", "Authorization: Bearer [redacted: token]"),
        ('{"password": "[redacted: hunter22]"}', '{"password": "[redacted: secret]"}'),
        ('{"Authorization": "Basic dXNlcjpwYXNz"}', '{"Authorization": "Basic [redacted: credentials]"}'),
        ("Authorization: Basic YTpi", "Authorization: Basic [redacted: credentials]"),
        ("postgres://app:s3cr3t@db/orders", "postgres://[redacted: credentials]@db/orders"),
        ("mongodb+srv://app:p@ss@db/orders", "mongodb+srv://[redacted: credentials]@db/orders"),
        ("SSN 078 05 1120", "SSN [redacted: social security number]"),
        ("SSN: 078051120", "SSN: [redacted: social security number]"),
        (
            "078 05 1120 is her social security number",
            "[redacted: social security number] is her social security number",
        ),
        (f"{AWS_SECRET} is the secret key.", "[redacted: secret] is the secret key."),
        (f"{SECRETS['access key']},{AWS_SECRET}", "[redacted: access key],[redacted: secret]"),
    ],
)
def test_what_is_named_a_secret_is_one(text: str, left: str):
    assert redacted(text) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("2 4111 1111 1111 1111", "2 [redacted: card number]"),
        ("4111 1111 1111 1111 100 EUR", "[redacted: card number] 100 EUR"),
        ("17,4111111111111111,12/27", "17,[redacted: card number]"),
        ("5500005555555558 4111111111111111", "5500005555555558 [redacted: card number]"),
        ("DE89 3704 0044 0532 0130 00 BIC COBADEFFXXX", "[redacted: account number] BIC COBADEFFXXX"),
        ("DE89370400440532013000 100 EUR", "[redacted: account number] 100 EUR"),
        ("BE12 DE89 3704 0044 0532 0130 00", "BE12 [redacted: account number]"),
    ],
)
def test_what_stands_beside_a_number_neither_hides_it_nor_goes_with_it(text: str, left: str):
    assert redacted(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "Order ORD-10042 of 2026-11-25 costs $1,234.50.",
        "Order ORD4111111111111111, invoice 2026-004711, 20261125 123456",
        "Tracking number 1234567890123456, 9400 1000 0000 0000 0000 00, 1Z999AA10123456784",
        "Account DE89 3704 0044 0532 0130 01 does not exist.",
        "Call +49 30 901820 or +4915123456789 between 9 and 17, or 555-123-4567.",
        "From 23.11.2026 to 24.11.2026, 2026-11-25 10:30 to 2026-11-26 11:45.",
        "UUID 123e4567-e89b-12d3-a456-426614174000, be59be32-855f-445a-a7cf-8fd62db15f19",
        "UUID 66334116-7156-4517-a771-767d42b81e26, 2bd5eb3d-4fc7-4c29-be98-a8251382c4e6",
        "The secret is in commit 3f786850e387550fdab836ed7e6dc881de23001b.",
        f"Build {AWS_SECRET} is ready.",
        "At 52.5200066, 0.4532015112830366 of 4532.015112830366",
        "She forgot her password and wants a new one.",
        "He asked for a password reset link; the password is too short, and password required.",
        "Her password is expired. Password changed 2026-11-25, at password 10:30.",
        "The password manager and the passwords: see the wiki.",
        "The secret garden opens on Monday; the secretary: Ms Bell.",
        "Shopping: 4000 items, pinned 2024, spin 4711.",
        "PWD=/srv/app",
        "A basic internationalization of bearer certificateholders",
        "https://shop.example:8080/orders/@me and max@shop.example",
        "It used 12000 tokens: 5000 in, token: 7000 out.",
        "Version 10.0.19045.3803, port 8080",
        "The numbers 078 05 1120",
        "",
    ],
)
def test_what_identifies_a_matter_stays(text: str):
    assert redacted(text) == text


ALPHANUMERIC = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def letters(least: int, most: int = 60) -> st.SearchStrategy[str]:
    return st.text(ALPHANUMERIC, min_size=least, max_size=most)


@st.composite
def cards(draw: st.DrawFn) -> str:
    begin = draw(st.sampled_from(["4", "51", "2221", "6011"]))
    digits = begin + draw(st.text("0123456789", min_size=15 - len(begin), max_size=15 - len(begin)))
    ten = sum(sum(divmod(int(each) * (2 - at % 2), 10)) for at, each in enumerate(digits))
    digits += str(-ten % 10)
    return draw(st.sampled_from(["", " ", "-", "."])).join(digits[at : at + 4] for at in range(0, 16, 4))


@st.composite
def accounts(draw: st.DrawFn) -> str:
    digits = draw(st.text("0123456789", min_size=18, max_size=18))
    number = f"DE{98 - int(digits + '131400') % 97:02}{digits}"
    cased = draw(st.sampled_from([number, number.lower()]))
    return draw(st.sampled_from(["", " "])).join(cased[at : at + 4] for at in range(0, 22, 4))


NAMES = st.sampled_from(["password", "DB_PASSWORD", "userPassword", "client_secret", "api-key", "Kennwort"])
SIGNED = st.builds("{}{}".format, letters(1, 1), st.text(ALPHANUMERIC + "!#$%()*+-./?@^_{|}~", max_size=60))
KINDS = st.one_of(
    cards(),
    accounts(),
    st.builds("sk-{}".format, letters(20)),
    st.builds("ghp_{}".format, letters(36)),
    st.builds("eyJ{}.eyJ{}.{}".format, letters(10), letters(10), letters(20)),
    st.builds("postgres://app:{}@db".format, letters(8)),
    st.builds("{}{}{}".format, NAMES, st.sampled_from(["=", ": ", " is: ", " = "]), SIGNED),
    st.builds('"{}": "{}"'.format, NAMES, SIGNED),
)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60), KINDS, st.text(max_size=60))
def test_no_secret_survives_whatever_stands_around_it(before: str, secret: str, after: str):
    told = redacted(f"{before} {secret} {after}")

    assert secret not in told
    assert "[redacted: " in told


WORDS = "password PIN SSN secret token Bearer Basic is for to hunter22 4111 DE89 a 1"
SIGNS = [
    " ",
    " ",
    " ",
    *":='\\,;&-.@]",
    '"',
    "\n",
    "://",
    "4 1 1",
    "078 05 1120",
    "[redacted",
    "[redacted: secret]",
]
PIECES = st.sampled_from([*SECRETS.values(), AWS_SECRET, *WORDS.split(), *SIGNS])


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=25).map("".join) | st.text(max_size=200))
def test_what_was_taken_out_is_not_taken_out_again(text: str):
    once = redacted(text)

    assert redacted(once) == once


LONG = "1|4111 |eyJ-|A|password|password=|secret_a|pin |://a:|[redacted: "


@pytest.mark.parametrize("piece", LONG.split("|"))
def test_a_text_of_a_million_characters_is_read_to_its_end(piece: str):
    told = redacted(piece * (1_000_000 // len(piece)) + "\n" + SECRETS["access key"])

    assert told.endswith("\n[redacted: access key]")
