"""Build the web page into the package, when a wheel is made and it is not there yet.

An editable install does without (the server then says how to build it); a wheel without the page is refused. The sdist
carries the built page, so that installing from it needs no Node.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NEEDED = "Node 20.19 or newer with npm (https://nodejs.org), or `make ui`, which brings its own"


class PageHook(BuildHookInterface):  # type: ignore[type-arg]
    """Run `npm ci` and `npm run build` in ui/ where the page is missing."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page, unless this is an editable install or it is there.

        Raises:
            RuntimeError: there is no Node to build it with, or the build failed.
        """
        root = Path(self.root)
        if version == "editable" or (root / "src/stellwerk/ui_dist/index.html").is_file():
            return
        npm = shutil.which("npm")
        if npm is None:
            raise RuntimeError(f"The web page is not built, and building it needs {NEEDED}.")
        for arguments in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
            done = subprocess.run([npm, *arguments], cwd=root / "ui", capture_output=True, text=True, check=False)
            if done.returncode:
                told = "\n".join((done.stdout + done.stderr).splitlines()[-30:])
                raise RuntimeError(
                    f"The web page can't be built: `npm {' '.join(arguments)}` failed.\n{told}\nIt needs {NEEDED}."
                )
