"""The GitHub Actions workflow is valid and covers the versions that the project promises."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

VALIDATE = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]


@pytest.fixture(scope="module")
def path(repository: Path) -> Path:
    return repository / ".github" / "workflows" / "ci.yml"


@pytest.fixture(scope="module")
def workflow(path: Path) -> dict[Any, Any]:
    loaded: dict[Any, Any] = yaml.safe_load(path.read_text("utf-8"))
    return loaded


def validate(path: Path) -> subprocess.CompletedProcess[str]:
    """Hold a workflow against the schema that comes with check-jsonschema; no network."""
    return subprocess.run([*VALIDATE, str(path)], capture_output=True, text=True, timeout=60)


def test_it_fits_the_schema_of_workflows(path: Path):
    done = validate(path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_workflow_with_a_misspelt_key_does_not(path: Path, tmp_path: Path):
    broken = tmp_path / "ci.yml"
    broken.write_text(path.read_text("utf-8").replace("runs-on:", "run-on:"), "utf-8")
    assert validate(broken).returncode != 0


def test_it_tests_every_python_the_package_is_for(workflow: dict[Any, Any], repository: Path):
    versions = workflow["jobs"]["test"]["strategy"]["matrix"]["python"]
    text = (repository / "pyproject.toml").read_text("utf-8")
    assert [f'"Programming Language :: Python :: {version}"' in text for version in versions] == [True] * 4


def test_it_tests_on_linux_macos_and_windows(workflow: dict[Any, Any]):
    systems = workflow["jobs"]["test"]["strategy"]["matrix"]["os"]
    assert {system.split("-")[0] for system in systems} == {"ubuntu", "macos", "windows"}


def test_it_runs_only_what_the_repository_has(workflow: dict[Any, Any], repository: Path):
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    commands = "\n".join(step["run"] for step in steps if "run" in step)
    for named in (".ci/run", "tests/unit", "tests/kernel", "constraints.txt"):
        assert named in commands
        assert (repository / named).exists()
    assert os.access(repository / ".ci" / "run", os.X_OK)
