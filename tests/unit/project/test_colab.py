"""The package can be installed beside what Colab and Kaggle have, without replacing it."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.requirements import Requirement

tomllib = pytest.importorskip("tomllib", reason="tomllib came with Python 3.11")

# neither has them; they ask for ipywidgets 7.6, and for whatever numpy, Pillow, protobuf and flatbuffers
NEW_THERE = {"ipycanvas", "onnxruntime"}
TORCH = "2.11.0"
KAGGLE = {"ipywidgets": "8.1.5"}  # otherwise Colab's image


def normal(name: str) -> str:
    return name.lower().replace("_", "-")


@pytest.fixture(scope="module")
def needs(repository: Path) -> dict[str, Requirement]:
    project = tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))["project"]
    return {normal(r.name): r for r in map(Requirement, project["dependencies"])}


@pytest.fixture(scope="module")
def colab(repository: Path) -> dict[str, str]:
    lines = (repository / "constraints-colab.txt").read_text("utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {normal(pin.name): str(pin.specifier).removeprefix("==") for pin in pins} | {"torch": TORCH}


@pytest.mark.parametrize("host", [{}, KAGGLE], ids=["Colab", "Kaggle"])
def test_every_version_that_is_there_will_do(needs, colab, host):
    there = colab | host
    unmet = [str(n) for name, n in needs.items() if name in there and there[name] not in n.specifier]
    assert unmet == []


def test_only_what_is_not_there_is_installed(needs, colab):
    assert set(needs) - set(colab) == NEW_THERE
