"""The package imports fast and lazily, and its imports run one way: widget -> engine -> regions."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import regiondrag_widget as rd

PACKAGE = Path(rd.__file__).parent

# room -> the rooms it may import from
MAY_IMPORT = {
    "regions": {"regions"},
    "engine": {"engine", "regions", "mini"},  # the bundled model is one of the engine's backbones
    "mini": {"mini", "engine", "regions"},
    "assets": {"assets", "regions"},
    "widget": {"widget", "engine", "regions", "assets"},
    "bench": {"bench", "engine", "regions", "mini", "assets"},
    "cli": {"cli", "bench", "engine", "regions", "mini", "assets"},
    # programs of their own, run by whoever trains, and the pictures they train on
    "mini/train.py": {"mini", "bench", "engine", "regions"},
    "mini/train_matte.py": {"mini", "bench", "engine", "regions"},
    "mini/mattes.py": {"mini", "bench", "engine", "regions"},
}
ANYWHERE = {"", "_version", "__version__"}


def run_python(code: str) -> str:
    """What a fresh interpreter prints."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def test_importing_the_package_brings_no_heavy_library():
    loaded = run_python(
        "import sys, regiondrag_widget; print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    ).split()
    heavy = {"torch", "cv2", "numpy", "scipy", "PIL", "diffusers", "transformers", "anywidget", "ipywidgets"}
    assert not heavy & set(loaded)


def test_importing_the_package_takes_less_than_three_tenths_of_a_second():
    code = "import time; t = time.perf_counter(); import regiondrag_widget; print(time.perf_counter() - t)"
    assert min(float(run_python(code)) for _ in range(3)) < 0.3


def test_asking_for_region_pairs_brings_no_torch():
    assert (
        run_python("import sys, regiondrag_widget as rd; rd.RegionPair; print('torch' in sys.modules)")
        == "False"
    )


@pytest.mark.parametrize("name", sorted(set(rd.__all__)))
def test_every_public_name_resolves(name: str):
    assert getattr(rd, name) is not None
    assert name in dir(rd)


def test_the_lazy_table_and_the_public_list_agree():
    assert set(rd._WHERE) == set(rd.__all__) - {"__version__"}


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'dragon'"):
        rd.dragon  # noqa: B018


def room_of(module: str) -> str:
    """'regiondrag_widget.engine.edit' -> 'engine'."""
    return [*module.split("."), ""][1]


def imports_of(path: Path) -> set[str]:
    """Every module of this package that a file imports, inside functions too, but not for types alone."""
    module = ".".join(("regiondrag_widget", *path.relative_to(PACKAGE).with_suffix("").parts))
    package = module.removesuffix(".__init__") if path.stem == "__init__" else module.rpartition(".")[0]
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            if base == "regiondrag_widget":  # then the names are rooms
                found.update(f"{base}.{alias.name}" for alias in node.names)
            else:
                found.add(base)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text("utf-8")))
    return {name for name in found if name.split(".")[0] == "regiondrag_widget"}


def room_of_file(path: Path) -> str:
    """A file's own entry in MAY_IMPORT, or its folder's."""
    relative = path.relative_to(PACKAGE)
    return relative.as_posix() if relative.as_posix() in MAY_IMPORT else relative.with_suffix("").parts[0]


SOURCES = sorted(
    path for path in PACKAGE.rglob("*.py") if room_of_file(path) not in {"__init__", "__main__", "_version"}
)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_run_one_way(path: Path):
    room = room_of_file(path)
    assert room in MAY_IMPORT, f"{room} is a new room: say in MAY_IMPORT what it may import"
    upward = {name for name in imports_of(path) if room_of(name) not in MAY_IMPORT[room] | ANYWHERE}
    assert not upward, f"{path.name} imports {upward}: imports run widget -> engine -> regions"


@pytest.mark.parametrize("path", [p for p in SOURCES if room_of_file(p) == "regions"], ids=lambda p: p.name)
def test_regions_know_neither_torch_nor_widgets(path: Path):
    tree = ast.parse(path.read_text("utf-8"))
    imported = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    imported |= {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    known = {name.partition(".")[0] for name in imported}
    assert not known & {"torch", "diffusers", "anywidget", "ipywidgets"}
