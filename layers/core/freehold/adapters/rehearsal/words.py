"""Words: splitting text and names, a light stemmer, and lists of everyday English that belong to no trade."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


def lexicon(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


STOP = lexicon(
    """a about above after again all also am an and any anybody anyone anything are aren't around as at be because
    been before being below between both but by can can't cannot could couldn't did didn't do does doesn't doing
    don't down during each either else ever every few for from further get gets give given go goes going got had
    hadn't has hasn't have haven't having he hello her here hers hey hi him his how however i i'd i'll i'm i've if
    in into is isn't it it's its itself just know let let's like likely lot make many may maybe me might mine more
    most much must my myself need needs neither no nor not now of off ok okay on once one ones only onto or other
    our ours out over own per perhaps please quite rather really right same say see shall she should shouldn't so
    some somebody someone something soon still such sure tell than thank thanks that that's the their theirs them
    then there there's these they they're thing things this those through to too try under until up upon us use
    very want wants was wasn't way we we'd we'll we're we've were weren't what what's when where where's whether
    which while who who's whom whose why will with within without won't would wouldn't yes yet you you'd you'll
    you're you've your yours yourself today currently current already"""
)

NEGATIONS = lexicon("not don't never didn't cannot can't won't without no doesn't")

LOOKING_VERBS = lexicon(
    """get list find search look lookup show check read fetch query view see retrieve describe browse count compare
    explain search summarize summarise track calculate estimate compute download is are was has"""
)

ACTING_VERBS = lexicon(
    """open create cancel delete update book reserve add remove send submit set start stop place pay refund renew
    report register post put patch schedule reschedule assign unassign close change move make issue request return
    borrow lend release block unblock approve reject confirm enable disable archive restore reset replace insert
    write save upload edit modify rename transfer charge buy sell subscribe unsubscribe sign enroll enrol extend
    escalate file log raise claim checkout rent hire dispatch launch trigger run execute apply activate deactivate
    complete finish mark notify invite share publish upgrade downgrade grant revoke lock unlock begin end"""
)

# An act by another word: who asks to make a thing asks for the same as who asks to create it.
BEGINNING_VERBS = lexicon(
    "open create start make file book schedule add raise submit register request issue post begin"
)
ENDING_VERBS = lexicon("cancel delete remove close stop end")
ALTERING_VERBS = lexicon("update change set edit modify patch put move reschedule")

SEEKING = re.compile(
    r"\b(do|does|did|have|has)\s+(you|it|they|we|he|she)\s+(have|got|offer|carry|know)\b|\bhave\s+you\s+got\b|"
    r"\b(is|are)\s+there\b|\bany\b|\blook(ing)?\s+for\b|\b(find|search|show|list|recommend|suggest|sell|offer)\b|"
    r"\bhow\s+(much|many)\b|\bwhich\b|\bprice|\bcosts?\b|\binterested\s+in\b|\bi\s+(need|want)\b|\bi(\s+would|['’]d)\s+like\b",
    re.IGNORECASE,
)
SEEKING_WORDS = lexicon(
    """find search look looking show list recommend suggest sell offer cost costs price prices interested available
    information info details detail tell display carry buy got anything"""
)

IRREGULAR = {
    "bought": "buy", "sold": "sell", "sent": "send", "found": "find", "lent": "lend", "paid": "pay", "took": "take",
    "taken": "take", "made": "make", "got": "get", "left": "leave", "people": "person", "children": "child",
    "men": "man", "women": "woman", "held": "hold", "met": "meet", "kept": "keep", "lost": "lose", "wrote": "write",
    "written": "write", "began": "begin", "chose": "choose", "driven": "drive", "drove": "drive",
}  # fmt: skip

ORDINALS = {
    "first": 0, "1st": 0, "second": 1, "2nd": 1, "third": 2, "3rd": 2, "fourth": 3, "4th": 3, "fifth": 4, "5th": 4,
    "last": -1, "former": 0, "latter": -1,
}  # fmt: skip
NUMBER_WORDS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12,
}  # fmt: skip
POINTING_AT_ONE = lexicon("it its that this he she him her his one")
POINTING_AT_SEVERAL = lexicon("them they their these those both all each")

_WORD = re.compile(r"[^\W_]+(?:['’.@+/-]?[^\W_]+)*|[#№]?\d+", re.UNICODE)
_NAME_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text, with where it stands. `raw` is as written."""

    raw: str
    start: int
    end: int

    @property
    def low(self) -> str:
        return self.raw.lower().replace("’", "'")

    @property
    def stem(self) -> str:
        return stem(self.low)


def words(text: str) -> list[Word]:
    """The words of a text as written; `ab-1.2`, `o'clock` and addresses stay whole."""
    return [Word(found[0], found.start(), found.end()) for found in _WORD.finditer(text)]


def name_parts(name: str) -> list[str]:
    """`getThingById`, `get_thing_by_id` and `get-thing-by-id` are all get, thing, by, id."""
    return [part.lower() for part in _NAME_PART.findall(name)]


def stem(word: str) -> str:
    """A crude root, the same for the forms of one word; good for comparing and for nothing else."""
    word = IRREGULAR.get(word, word).removesuffix("'s")
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        if word.endswith("ies"):
            word = word[:-3] + "y"
        elif word.endswith(("ses", "xes", "zes", "ches", "shes")):
            word = word[:-2]
        else:
            word = word[:-1]
    for ending, instead in (("ability", "abl"), ("ations", ""), ("ation", ""), ("ing", ""), ("ed", "")):
        if (
            word.endswith(ending)
            and len(word) - len(ending) >= 3
            and re.search("[aeiouy]", word[: -len(ending)])
        ):
            word = word[: -len(ending)] + instead
            if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeious":
                word = word[:-1]
            break
    return word[:-1] if len(word) > 3 and word.endswith("e") else word


def stems(text: str) -> list[str]:
    """Stems of the words that carry meaning, first come first, none twice. Names inside the text are split."""
    found: dict[str, None] = {}
    for word in words(text):
        parts = name_parts(word.raw) if re.search(r"[a-z][A-Z]", word.raw) else re.split(r"[-/.+]", word.low)
        for part in (*parts, word.low):
            if part and part not in STOP and not part.isdigit():
                found[stem(part)] = None
    return list(found)


def sentence(text: str) -> str:
    """The first sentence, without its full stop."""
    first = re.split(r"(?<=[.!?])\s+(?=[A-Z])|\n", text.strip(), maxsplit=1)[0]
    return first.strip().rstrip(".")


def listed(items: Iterable[str], joint: str = "and") -> str:
    """`a, b and c`."""
    *most, last = list(items) or [""]
    return f"{', '.join(most)} {joint} {last}" if most else last
