"""The project's own files: what an installation and a fresh clone rely on."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import regiondrag_widget as rd
from regiondrag_widget.locks import Rank

tomllib = pytest.importorskip("tomllib", reason="tomllib came with Python 3.11")


@pytest.fixture(scope="module")
def project(repository: Path) -> dict:
    return tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))["project"]


def test_the_version_is_a_release_number():
    assert re.fullmatch(r"\d+\.\d+\.\d+", rd.__version__)


def test_every_pinned_version_is_one_the_project_accepts(repository: Path, project: dict):
    wanted = [
        *project["dependencies"],
        *(r for extra in project["optional-dependencies"].values() for r in extra),
    ]
    ranges = {Requirement(r).name.replace("_", "-"): Requirement(r).specifier for r in wanted}
    for line in (repository / "constraints.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            pin = Requirement(line)
            version = str(pin.specifier).removeprefix("==")
            assert ranges.get(pin.name.replace("_", "-"), pin.specifier).contains(version), line


def test_no_dependency_has_an_upper_bound(project: dict):
    assert not [r for r in project["dependencies"] if "<" in r or "==" in r]


def test_ci_is_an_executable_script(repository: Path):
    script = repository / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True)


@pytest.mark.parametrize("target", ["demo", "test", "test-colab", "lab", "lint", "build-js", "clean"])
def test_the_promised_make_targets_exist(repository: Path, target: str):
    done = subprocess.run(["make", "-n", target], cwd=repository, capture_output=True, text=True, timeout=30)
    assert "No rule to make target" not in done.stderr.replace("package", ""), done.stderr


def test_the_licence_is_apache_2(repository: Path):
    assert "Apache License" in (repository / "LICENSE").read_text("utf-8")[:200]


def test_the_package_says_it_is_typed():
    assert (Path(rd.__file__).parent / "py.typed").exists()


def test_the_readmes_commands_are_ones_the_command_line_takes(repository: Path):
    """Every `regiondrag` line of the README parses; nothing is run."""
    from regiondrag_widget.cli import _join_negative_values, _parser

    text = (repository / "README.md").read_text("utf-8")
    lines = re.findall(r"^regiondrag (.+?)(?:\s+#.*)?$", text, flags=re.MULTILINE)
    assert len(lines) >= 5
    for line in lines:
        assert callable(_parser().parse_args(_join_negative_values(shlex.split(line))).run)


def test_the_readmes_files_and_folders_exist(repository: Path):
    text = (repository / "README.md").read_text("utf-8")
    named = re.findall(r"^((?:regiondrag_widget|js|tests|notebooks)[\w/]*/) ", text, flags=re.MULTILINE)
    linked = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    assert len(named) >= 10
    assert not [path for path in named + linked if not (repository / path).exists()]


def test_the_lock_file_names_every_platforms_packages(repository: Path):
    """`npm ci` refuses a lock without them; npm leaves out those its registry does not serve."""
    packages = json.loads((repository / "package-lock.json").read_text("utf-8"))["packages"]
    wanted = {name for package in packages.values() for name in package.get("optionalDependencies", {})}
    locked = {path.rpartition("node_modules/")[2] for path in packages}
    assert wanted <= locked


def test_the_wheel_has_the_package_and_its_weights_but_not_the_training(repository: Path):
    build = tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]
    assert build["targets"]["wheel"] == {"packages": ["regiondrag_widget"]}
    assert list((repository / "training").glob("train*.py"))
    assert not list((repository / "regiondrag_widget").rglob("train.py"))
    weights = (repository / "regiondrag_widget" / "mini").rglob("*.safetensors")
    assert sum(path.stat().st_size for path in weights) > 25e6


def test_the_papers_links_lead_somewhere(repository: Path):
    for paper in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/architecture.md", "docs/glossary.md"):
        path = repository / paper
        linked = re.findall(r"\]\((?!https?:)([^)#]+)\)", path.read_text("utf-8"))
        assert [link for link in linked if not (path.parent / link).exists()] == [], paper


def test_contributing_names_files_that_exist(repository: Path):
    """What stands in backticks and looks like a path is one, from the root or from the package."""
    text = (repository / "CONTRIBUTING.md").read_text("utf-8")
    named = re.findall(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|ts|json|yml|md))`", text)
    starts = (repository, repository / "regiondrag_widget")
    assert len(named) >= 15
    missing = [path for path in named if not any((start / path).exists() for start in starts)]
    assert [path for path in missing if "yourtool" not in path] == []


# written alike on purpose, as CONTRIBUTING says
TWINS = {"bars.py", "command.py", "plots.py", "report.py"}


@pytest.mark.parametrize(("folder", "ending"), [("regiondrag_widget", ".py"), ("js/src", ".ts")])
def test_no_two_rooms_have_a_file_of_the_same_name(repository: Path, folder: str, ending: str):
    names = [path.name for path in (repository / folder).rglob(f"*{ending}") if path.stem != "__init__"]
    assert {name for name in names if names.count(name) > 1} - TWINS == set()


def test_the_architecture_lists_every_lock_in_its_order(repository: Path):
    text = (repository / "docs" / "architecture.md").read_text("utf-8")
    assert re.findall(r"^\| `([A-Z_]+)` \|", text, flags=re.MULTILINE) == [rank.name for rank in Rank]
