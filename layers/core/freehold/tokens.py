"""About how many tokens a text has, judged by its bytes alone: every model counts in ways of its own.

`bench/tokens.py` holds it against a real tokenizer. What a model really counted corrects it from the second lap on.
"""

from __future__ import annotations

from string import ascii_lowercase, ascii_uppercase, digits, punctuation

# All are hundredths of a token, fitted to what o200k_base counts of the kinds of text in bench/tokens.py. A word is a
# run of small letters, so that what breaks runs (accents, codes, random letters) costs more, as it does there.
WORD, CONTROL = 40, 100
ASCII = {ascii_lowercase: 18, ascii_uppercase: 85, digits: 65, punctuation: 62, " ": 5, "\t\n\r": 70}
# By a character's first byte in UTF-8, which tells the script; those that follow it weigh nothing.
BEYOND = ((0xC2, 70), (0xCC, 42), (0xE0, 56), (0xE2, 100), (0xE3, 95), (0xEA, 80), (0xEE, 150), (0xF0, 220))


def _weight(byte: int) -> int:
    if byte < 0x80:
        return next((weight for letters, weight in ASCII.items() if chr(byte) in letters), CONTROL)
    return max(((first, weight) for first, weight in BEYOND if first <= byte), default=(0, 0))[1]


_WEIGHTS = bytes(map(_weight, range(256)))
_WORDS = bytes(byte if chr(byte) in ascii_lowercase else ord(" ") for byte in range(256))


def tokens(text: str) -> int:
    """Rather too many than too few."""
    data = text.encode(errors="surrogatepass")
    return -(-(sum(data.translate(_WEIGHTS)) + WORD * len(data.translate(_WORDS).split())) // 100)


def first_tokens(text: str, most: int) -> str:
    """The beginning of `text` that has about `most` tokens, and no more; whole where it has no more."""
    most = max(0, most)
    # No character weighs less than a space: however long the text is, what is behind these is out of reach.
    shown = text[: most * 100 // ASCII[" "] + 1]
    while (counted := tokens(shown)) > most:
        shown = shown[: len(shown) * most // counted]
    return shown
