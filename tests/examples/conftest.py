"""The modules of an example lie beside its pipeline: its folder is on the path, as it is when it runs."""

import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"

sys.path.insert(0, str(EXAMPLES / "flights"))
