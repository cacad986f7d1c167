"""Descriptions as models read them: plain text, no longer than what helps."""

from __future__ import annotations

import re
from functools import lru_cache
from html import unescape

LONGEST_TOOL = 1_000
LONGEST_FIELD = 200

# Tags by name: `<id>` in a text about `/orders/<id>` is no mark-up.
_BLOCK = re.compile(
    r"</?(?:blockquote|body|br|caption|center|dd|div|dl|dt|h[1-6]|hr|important|li|note|ol|p|para|pre|table|tbody|td"
    r"|th|thead|tr|ul)(?:\s+[\w:-]+\s*=[^<>]*)?\s*/?>",
    re.IGNORECASE,
)
_INLINE = re.compile(
    r"</?(?:a|abbr|b|code|em|emphasis|font|i|img|kbd|q|s|small|span|strong|sub|sup|tt|u|var)(?:\s+[\w:-]+\s*=[^<>]*)?\s*/?>",
    re.IGNORECASE,
)
_COMMENT = re.compile(r"<!--[^<>]*-->")
_LINK = re.compile(r"!?\[([^\[\]]*)\](?:\([^()]*\)|\[[^\[\]]*\])")
_FENCE = re.compile(r"^[ \t]*(?:```+|~~~+)[^\n]*$", re.MULTILINE)
_HEADING = re.compile(r"^[ \t]*#{1,6}[ \t]+", re.MULTILINE)
_STRONG = re.compile(r"\*\*(?=\S)([^*]+)(?<=\S)\*\*")
_SPACES = re.compile(r"[ \t\r\f\v\u00a0]+")
_BREAKS = re.compile(r" ?\n[ \n]*")
_SENTENCE = re.compile(r"[.!?](?=\s)")


def for_tool(text: str) -> str:
    """A tool's description: at most 1,000 characters of plain text, lines kept."""
    # What is cut off in the end is not worth the reading.
    return shortened(_plain(text[: 10 * LONGEST_TOOL]), LONGEST_TOOL)


@lru_cache(maxsize=2048)
def for_field(text: str) -> str:
    """An argument's description: at most 200 characters of plain text on one line."""
    return shortened(" ".join(_plain(text[: 10 * LONGEST_FIELD]).split()), LONGEST_FIELD)


def shortened(text: str, longest: int = LONGEST_TOOL) -> str:
    """`text` cut after a sentence in its second half, else at a word."""
    if len(text) <= longest:
        return text
    head = text[: longest - 1]
    ends = [end.end() for end in _SENTENCE.finditer(text, longest // 2, longest)]
    if ends and ends[-1] < longest:
        return head[: ends[-1]]
    words = head.rsplit(None, 1)
    return f"{words[0] if len(words) > 1 else head}…"


def _plain(text: str) -> str:
    """`text` without HTML and without the marks of Markdown that say nothing to a model."""
    text = _INLINE.sub("", _BLOCK.sub("\n", _COMMENT.sub("", text)))
    text = unescape(text) if "&" in text else text
    text = _LINK.sub(r"\1", _HEADING.sub("", _FENCE.sub("", text)))
    text = _STRONG.sub(r"\1", text)
    return _BREAKS.sub("\n", _SPACES.sub(" ", text)).strip()
