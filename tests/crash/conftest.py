"""The test's own packages are importable where this folder's tests run."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "packages"))
