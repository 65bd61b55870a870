"""Docstrings have one dialect: parameters stand in numpydoc sections. (ruff checks that none is missing.)"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
# add a folder here when its docstrings are done
FOLDERS = (
    "regiondrag_widget/assets",
    "regiondrag_widget/batch",
    "regiondrag_widget/bench",
    "regiondrag_widget/cli",
    "regiondrag_widget/imaging",
    "regiondrag_widget/engine",
    "regiondrag_widget/datasets",
    "regiondrag_widget/models",
    "regiondrag_widget/regions",
    "regiondrag_widget/select",
    "regiondrag_widget/widget",
    "scripts",
    "training",
)
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))

UNDERLINE = re.compile(r"-{4,}")
INFORMAL = re.compile(r"\*{0,2}\w+(, \*{0,2}\w+)* : ")


def informal_lines(source: str) -> Iterator[str]:
    """Lines such as ``scale : a factor`` that stand in no numpydoc section."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            before_sections = re.split(rf"\n{UNDERLINE.pattern}\n", ast.get_docstring(node) or "")[0]
            yield from (line for line in before_sections.splitlines() if INFORMAL.match(line))


def test_an_informal_list_is_found():
    assert list(informal_lines('def f(a, b):\n    """Add.\n\n    a, b : numbers\n    """')) == [
        "a, b : numbers"
    ]


def test_a_numpydoc_section_is_not_informal():
    section = "    Parameters\n    ----------\n    a : int\n        A number.\n"
    assert not list(informal_lines(f'def f(a):\n    """Add.\n\n{section}    """'))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_parameters_stand_in_numpydoc_sections(path: Path):
    assert not list(informal_lines(path.read_text("utf-8")))
