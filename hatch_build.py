"""Puts the front end's bundle into every wheel and source archive."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BundleHook(BuildHookInterface):
    """Builds the front end when its bundle is missing.

    An editable install does without; `make build-js` builds it there.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the bundle with npm, or say what is missing."""
        bundle = Path(self.root) / "regiondrag_widget" / "widget" / "static"
        if version == "editable" or any(bundle.glob("*.js")):
            return
        npm = shutil.which("npm")
        if npm is None:
            raise RuntimeError(
                "the front end is not built: install Node 20 and npm, or run `make build-js` first"
            )
        subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=self.root, check=True)
        subprocess.run([npm, "run", "build"], cwd=self.root, check=True)
