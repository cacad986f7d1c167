from __future__ import annotations

import sys
from pathlib import Path

# The bench is a folder of the repository, not a package that is installed.
sys.path.insert(0, str(Path(__file__).parents[3]))
