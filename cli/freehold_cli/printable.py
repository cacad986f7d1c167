"""Text of models, tools and users made safe for a terminal.

A tool's answer may hold escape sequences that move the cursor, change the window's title or paste into the
shell, and direction marks that make text read other than it is. Each such character gets a visible stand-in.
"""

from __future__ import annotations

import json
import re
from typing import Any

UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls, but for tab and new line
    "\u200e\u200f\u061c\u2028-\u202e\u2066-\u2069\ufeff"  # direction marks, line separators
    "\ud800-\udfff]"  # halves of surrogate pairs, which no encoding can print
)


def printable(text: str) -> str:
    """`text` without a character that a terminal would act on; new lines and tabs stay."""
    return UNSAFE.sub(_stand_in, text.replace("\r\n", "\n")).expandtabs(4)


def as_json(value: Any) -> str:
    """`value` as JSON, readable by people and harmless in a terminal."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}" if found[0] != "\n" else "\n", text)


def one_line(text: str) -> str:
    """`text` with every run of white space made one space."""
    return " ".join(printable(text).split())


def well_formed(text: str) -> str:
    """`text` from the command line, where bytes that are no UTF-8 became what JSON cannot carry."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _stand_in(found: re.Match[str]) -> str:
    number = ord(found[0])
    if number < 0x20:
        return chr(0x2400 + number)
    return "␡" if number == 0x7F else f"<U+{number:04X}>"
