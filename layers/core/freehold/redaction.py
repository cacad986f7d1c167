r"""What no memory keeps: credentials, and numbers that stand for money or people.

Every pattern reads a text once: what repeats is bounded, possessive (`*+`), comes last or begins only where nothing of
its kind stands before it. What is taken out leaves `[redacted: …]`, which no pattern takes out again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

REDACTED = "[redacted: {kind}]"
_MARK = r"\[redacted: (?:(?:private|access|API) key|token|credentials|secret|(?:social security|account|card) number)\]"

_API_KEYS = (
    r"(?:sk|pk|rk)[-_][\w-]{16,}|whsec_\w{16,}",  # Stripe, OpenAI, Anthropic
    r"gh[pousr]_\w{20,}|github_pat_\w{20,}|gl[a-z]{2,5}-[\w-]{16,}",  # GitHub, GitLab
    r"xox[a-z]-[\w-]{10,}|xapp-[\w-]{10,}|hooks\.slack\.com/services/[\w/]{20,}",
    r"npm_\w{30,}|pypi-[\w-]{40,}|hf_\w{30,}",
    r"AIza[\w-]{30,}|GOCSPX-[\w-]{20,}|ya29\.[\w-]{20,}",  # Google
    r"SG\.[\w-]{16,}+\.[\w-]{16,}|shp[a-z]{2}_\w{32,}|do[opr]_v1_\w{40,}",  # SendGrid, Shopify, DigitalOcean
    r"ABSK[A-Za-z0-9+/]{40,}=*|fh_[A-Za-z0-9]+_[A-Za-z0-9]+_[\w-]{16,}",  # Bedrock, and this product
)
_FORMS: tuple[tuple[str, str], ...] = (
    (
        "private key",
        r"(?s)-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
        r".*?(?:-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----|\Z)",
    ),
    ("access key", r"(?<![A-Za-z0-9])(?:AKIA|ASIA|AROA|AIDA)[0-9A-Z]{16}(?![A-Za-z0-9])"),
    ("token", r"(?<![\w-])eyJ[\w-]{8,}+\.[\w-]{8,}+(?:\.[\w-]*+){0,3}"),
    ("API key", rf"(?a)(?<![A-Za-z0-9])(?:{'|'.join(_API_KEYS)})"),
    ("credentials", r"(?i)(?<=basic )(?=[a-z+/]*+\d)[\w+/-]{12,}=*"),
    ("token", r"(?i)(?<=bearer )(?=[a-z._~+/-]*+\d)[\w.~+/-]{16,}=*"),
    ("token", r"(?<=[?&;]sig=)[\w%+/=-]{20,}"),
    ("credentials", r"(?<=://)[^\s/:@]*+:[^\s/\"'<>]{1,300}(?=@)"),
    ("social security number", r"(?<!\w)(?<!\w-)(?!000|666|9)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?!\w|-\w)"),
)
_PLAIN = tuple((kind, re.compile(pattern)) for kind, pattern in _FORMS)

# Numbers with a check digit. Between two of their characters may stand one blank, dash or dot.
_BETWEEN = "[ \t\u00a0\u202f.\u2010-\u2013-]"
_UUID = r"(\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b)"  # no number begins in it
_DIGITS = {
    length: re.compile(rf"\d(?:{_BETWEEN}?\d){{{length - 1}}}(?![\dA-Za-z])") for length in range(13, 20)
}
# How long cards are, by the first digit, the usual length first: what stands beside it makes no other number of it.
_CARDS = {
    2: (16,),
    3: (15, 14, 16),
    4: (16, 19, 13),
    5: (16, 19, 18, 17, 15, 14, 13),
    6: (16, 19, 18, 17, 15, 14, 13),
}
# The first group of a card has four digits or more. Behind a point stands a fraction, behind a plus a telephone.
_CARD_BEGINS = re.compile(rf"{_UUID}|(?<![\dA-Za-z+])(?!(?<=\d\.)\d{{13}})\d{{4}}(?=(?:{_BETWEEN}?\d){{9}})")
_ISSUED = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}|35\d{14}"
    r"|(?:5[06-8]|6\d)\d{11,17}"
)
_SPELLED = re.compile(  # digit by digit, or in pairs
    rf"(?<!\d)(?<!\d{_BETWEEN})(?:\d(?:{_BETWEEN}\d(?!\d)){{12,18}}|\d\d(?:{_BETWEEN}\d\d(?![\d/])){{6,8}})"
    rf"(?!{_BETWEEN}?\d(?!\d?/))"
)
_CARD_EXTRAS = re.compile(
    r"(?i)(?:[ ,;|/]{1,3}(?:exp[a-z.:]{0,8} ?)?\d{1,2}[ /|-]{1,3}(?:20)?\d\d(?!\d)"
    r"(?:[ ,;|/]{1,3}\d{3,4}(?!\d))?|[ |/]\d{3,4}(?![\d.,]*\d| ?(?:[€$£%]|EUR|USD|GBP)))"
)
_FRACTION = re.compile(r"\d+\.\d+")
_DOUBLED = str.maketrans("0123456789", "0246813579")
_COUNTRIES = {  # how long their account numbers are: ISO 13616
    15: "NO", 16: "BE", 18: "DK FI FK FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK",
    21: "CH HR LI LV", 22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL",
    24: "AD CZ ES MD PK RO SA SE SK TN VG", 25: "LY PT ST", 26: "IS TR", 27: "BI DJ FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HN HU LB NI PL SV", 29: "BR EG PS QA UA", 30: "JO KW MU YE", 31: "MT SC", 32: "LC",
    33: "RU",
}  # fmt: skip
_ACCOUNTS = {
    country: re.compile(rf"[A-Za-z]{{2}}\d\d(?:{_BETWEEN}?[A-Za-z0-9]){{{length - 4}}}(?![A-Za-z0-9])")
    for length, countries in _COUNTRIES.items()
    for country in countries.split()
}
_ACCOUNT_BEGINS = re.compile(rf"(?a){_UUID}|(?<![A-Za-z0-9])[A-Za-z]{{2}}\d\d")

# Secrets by their names, which may be part of an identifier.
_PHRASE = (
    r"(?:pass(?:word|wort|phrase|code|wd)|kennwort|mot de passe|contrase[ñn]a"
    r"|pwd(?![\"']?\s?[:=]\s?[\"']?[~/]))"
)
_KEY = (
    r"(?:secret(?:[ _-]?(?:access[ _-]?)?key)?|(?:api|account|private|signing|encryption|master|access)[ _-]?key"
    r"|(?:access|auth|refresh|api|session|security|bot)[ _-]?token|(?<=_)pass|(?<![a-z])pw"
    r"|token(?=[\"'\\]{0,3}\s?[:=]\s?[\"'\\]{0,3}[^\s\"']{12}))"
)
_CODE = (
    r"(?:(?:(?<![a-z])|(?-i:(?<=[a-z])(?=[PC])))(?:pin(?:[ _-]?(?:code|number|nummer))?|cv[vcn]2?)"
    r"|(?:security|verification|login|recovery|backup) ?code|one-time code|(?<![a-z])otp)"
)
_PERSON = r"(?:(?<![a-z])ssn|social security(?: (?:number|no\.?|nr\.?))?)"
_PART = r"(?:_\w{1,30}+|(?-i:(?<=[a-z])[A-Z]\w{0,30}+)|\d{1,3}+)?"
_IS = r"(?:is|was|are|ist|war|lautet|heißt|est|était|es|era)"
_ASSIGNED = rf"[\"'`*\\]{{0,3}}+[^\S\n]*+(?:{_IS}[^\S\n]*+)?(?::=|=>|[:=])(?:[*`]{{1,2}}+(?=\s))?+[^\S\n]*+"
_ORDINARY = (
    r"(?:an?|the|my|your|not?|too|so|very|now|still|also|only|always|never|case-sensitive|wrong|incorrect|correct"
    r"|invalid|valid|weak|strong|short|long|safe|secure|old|new|unknown|lost|gone|reset|set|sent|kept|known"
    r"|on|in|at|for|from|what|where|nicht|zu|falsch|ungültig|abgelaufen|incorrecta?|expirée?|[a-z]{1,20}(?:ed|ing))"
    r"(?=[\s.,;:!?)]|\Z)"
)
# A digit or a sign, and neither a date nor a time.
_MIXED = (
    r"(?!\d{4}-\d\d|\d{1,2}[./:]\d)(?=[\"'`“„«]?[^\s\"']{4})"
    r"(?=[\"'`“„«]?[^\s\"'\d@#$%^&*_+=~]*+[\d@#$%^&*_+=~])"
)
_FOR = r"(?:\s++(?:for|of|to|on|für|von|zum|de|pour|para)(?:\s++[\w.@'-]{1,30}+){1,4}?)?"
_TOLD = rf"{_FOR}(?:\s++{_IS}|\s*+[:=])\s++{_MIXED}"
_UNIT = rf"(?:{_MARK}|[^\s\"'`,;&\\]|\\(?![\"'])|[,;&](?![\w.-]{{0,40}}[\"']?[=:])(?=[^\s\"'`,;&]))"
# `_UNIT` repeats without being possessive: Python before 3.11.5 goes wrong with that where a group holds a choice.
_VALUE = (
    rf"(?!{_MARK}(?!{_UNIT}))(?:(?<=\\\")[^\"\\\n]{{1,500}}(?=\\\")|(?<=\")(?<!\\\")(?:[^\"\\\n]|\\.){{1,500}}(?=\")"
    rf"|(?<=')(?:[^'\\\n]|\\.){{1,500}}(?=')|{_UNIT}+)"
)
_NAMED = re.compile(
    rf"(?i)(?=[abcekmprst])((?:{_PHRASE}{_PART}"
    rf"(?:{_ASSIGNED}|\s++{_IS}\s++(?!{_ORDINARY})|(?:\s*+[:=])?\s++(?:to\s++|auf\s++)?{_MIXED}|{_TOLD})"
    rf"|{_KEY}{_PART}(?:{_ASSIGNED}|\s++(?=\S{{12}}){_MIXED}|{_TOLD}))\\?[\"'`“„«]?){_VALUE}"
)
_NUMBERED = rf"[\"'\\]{{0,2}}(?:\s++{_IS})?\s*+[:=#]?\s*+[\"'\\]{{0,2}}"
_CODES = re.compile(rf"(?i)(?=[bcloprsv])({_CODE}{_NUMBERED})(?:\d{{3,8}}|\d(?: \d){{3,5}})(?![\d/-])")
_PERSONS = re.compile(rf"(?i)({_PERSON}{_NUMBERED})\d{{9}}(?!\d)")
_HEADER = r"(?i)(authorization[\"'\\]{{0,3}}\s*+[:=]\s*+[\"'\\]{{0,3}}(?:{})\s++)[\w.~+/=-]{{4,}}"
_BESIDE = (
    ("credentials", re.compile(_HEADER.format("basic"))),
    ("token", re.compile(_HEADER.format("bearer|token|apikey|negotiate"))),
    ("secret", _NAMED),
    ("secret", _CODES),
    ("social security number", _PERSONS),
)
# What is taken for a secret only in a text that speaks of such.
_IN_CONTEXT = (
    (
        re.compile(r"(?i)secret|access key"),
        "secret",
        re.compile(
            r"(?<![\w/+=])(?=[A-Z0-9/+]*+[a-z])(?=[a-z0-9/+]*+[A-Z])(?=[A-Za-z/+]*+\d)[A-Za-z0-9/+]{40}(?![\w/+=])"
        ),
    ),
    (
        re.compile(rf"(?i){_PERSON}"),
        "social security number",
        re.compile(r"(?<!\w)(?<!\w-)(?!000|666|9)\d{3}([ .])(?!00)\d\d\1(?!0000)\d{4}(?!\w|-\w)"),
    ),
)


def redacted(text: str) -> str:
    """The text without what is surely a secret or the number of a card, an account or a person."""
    # What was taken out can leave something bare that it hid: done is what changes no more.
    while (less := _taken_out(text)) != text:
        text = less
    return text


def _taken_out(text: str) -> str:
    for kind, pattern in _PLAIN:
        text = pattern.sub(REDACTED.format(kind=kind), text)
    text = "".join(_without(text, "account number", _ACCOUNT_BEGINS, _account_at))
    text = "".join(_without(text, "card number", _CARD_BEGINS, _card_at))
    text = _SPELLED.sub(
        lambda found: REDACTED.format(kind="card number") if _is_card(found[0]) else found[0], text
    )
    for kind, pattern in _BESIDE:
        text = pattern.sub(rf"\1{REDACTED.format(kind=kind)}", text)
    for context, kind, pattern in _IN_CONTEXT:
        if context.search(text):
            text = pattern.sub(REDACTED.format(kind=kind), text)
    return text


def _without(
    text: str, kind: str, begins: re.Pattern[str], end_at: Callable[[str, int], int | None]
) -> Iterable[str]:
    """The parts of the text, each number that begins there and holds replaced."""
    kept = 0
    for begin in begins.finditer(text):
        if begin[1] is None and begin.start() >= kept and (end := end_at(text, begin.start())) is not None:
            yield text[kept : begin.start()] + REDACTED.format(kind=kind)
            kept = end
    yield text[kept:]


def _card_at(text: str, begin: int) -> int | None:
    """Where the card that begins there ends, with its date and its check value."""
    for length in _CARDS.get(int(text[begin]), ()):
        found = _DIGITS[length].match(text, begin)
        if found and _is_card(found[0]):
            extras = _CARD_EXTRAS.match(text, found.end())
            return extras.end() if extras else found.end()
    return None


def _account_at(text: str, begin: int) -> int | None:
    pattern = _ACCOUNTS.get(text[begin : begin + 2].upper())
    found = pattern and pattern.match(text, begin)
    return found.end() if found and _is_iban(found[0]) else None


def _is_card(text: str) -> bool:
    """By what card numbers begin with, how long they then are, and Luhn's check digit."""
    digits = "".join(filter(str.isdecimal, text))
    if not digits.isascii():
        digits = "".join(str(int(each)) for each in digits)
    if not _ISSUED.fullmatch(digits) or _FRACTION.fullmatch(text):
        return False
    summed = digits[-1::-2] + digits[-2::-2].translate(_DOUBLED)
    return (sum(summed.encode()) - len(summed) * ord("0")) % 10 == 0


def _is_iban(text: str) -> bool:
    """By its check digits (ISO 13616); words that happen to hold have few digits."""
    plain = [each for each in text if each.isalnum()]
    if 2 * sum(each.isdecimal() for each in plain) < len(plain):
        return False
    return int("".join(str(int(each, 36)) for each in plain[4:] + plain[:4])) % 97 == 1
