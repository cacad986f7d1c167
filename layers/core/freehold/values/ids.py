"""What ids that come from outside may hold."""

from __future__ import annotations

# Classic's own pattern, which holds no "/", but for "." and "..": in a path they are other places.
ID = (
    r"^([0-9a-zA-Z_:-][0-9a-zA-Z._:-]{0,99}|\.[0-9a-zA-Z_:-][0-9a-zA-Z._:-]{0,98}|\.\.[0-9a-zA-Z._:-]{1,98})$"
)
ID_IN_WORDS = (
    "is not 1 to 100 of the letters a to z and A to Z, digits, '.', '_', ':' and '-',"
    " other than '.' and '..' alone"
)
# The longest text that a run is asked.
MAX_INPUT = 200_000
