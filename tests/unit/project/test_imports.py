"""The package imports fast and lazily, and its imports run one way, without circles."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

import regiondrag_widget as rd

PACKAGE = Path(rd.__file__).parent

# room -> the rooms it may import from; a file at the top is a room of its own
MAY_IMPORT = {
    "errors": set(),
    "locks": {"locks"},
    "terminal": set(),
    "text": {"text"},
    "regions": {"regions"},
    "imaging": {"imaging", "regions"},
    "models": {"models", "imaging", "regions"},
    "select": {"select", "models", "imaging", "regions"},
    "datasets": {"datasets", "select", "imaging", "regions"},
    "engine": {"engine", "models", "imaging", "regions"},
    "pipeline": {"engine", "models", "imaging", "regions"},
    "block": {"pipeline", "regions"},
    "api": {"pipeline", "engine", "models", "imaging", "regions"},
    "assets": {"assets", "imaging", "regions"},
    "widget": {"widget", "api", "select", "engine", "models", "imaging", "regions", "assets"},
    "batch": {"batch", "api", "pipeline", "select", "engine", "models", "imaging", "regions"},
    "bench": {
        "bench",
        "batch",
        "datasets",
        "api",
        "pipeline",
        "select",
        "engine",
        "models",
        "imaging",
        "regions",
        "assets",
    },
    "check": {"check", "api", "pipeline", "engine", "models", "imaging", "regions", "assets"},
    "cli": {
        "cli",
        "check",
        "bench",
        "batch",
        "datasets",
        "api",
        "pipeline",
        "select",
        "engine",
        "models",
        "imaging",
        "regions",
        "assets",
    },
}
ANYWHERE = {"", "_version", "__version__", "errors", "locks", "terminal", "text"}


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


@pytest.mark.parametrize("module", ["engine.settings", "widget.widget", "cli.edit"])
def test_the_settings_and_their_faces_bring_no_torch(module: str):
    code = f"import sys, regiondrag_widget.{module}; print('torch' in sys.modules)"
    assert run_python(code) == "False"


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
    """'regiondrag_widget.engine.denoise' -> 'engine'."""
    return [*module.split("."), ""][1]


def module_of(path: Path) -> str:
    """'.../regiondrag_widget/engine/plan.py' -> 'regiondrag_widget.engine.plan'."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path) for path in PACKAGE.rglob("*.py")}


def imports_of(path: Path) -> set[str]:
    """Every module of this package that a file imports: inside functions too, and for types alone."""
    module = ".".join(("regiondrag_widget", *path.relative_to(PACKAGE).with_suffix("").parts))
    package = module.removesuffix(".__init__") if path.stem == "__init__" else module.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            for alias in node.names:  # a name may be a module of its own
                full = f"{base}.{alias.name}"
                found.add(full if full in MODULES else base)
    return {name for name in found if name.split(".")[0] == "regiondrag_widget"}


SOURCES = sorted(
    path
    for path in PACKAGE.rglob("*.py")
    if path.relative_to(PACKAGE).as_posix() not in {"__init__.py", "__main__.py", "_version.py"}
)


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The strongly connected groups of more than one module, and modules that import themselves."""
    order: list[str] = []
    seen: set[str] = set()

    def finish(name: str, edges: dict[str, set[str]], into: list[str]) -> None:
        stack = [(name, iter(sorted(edges[name])))]
        seen.add(name)
        while stack:
            current, targets = stack[-1]
            following = next((t for t in targets if t not in seen), None)
            if following is None:
                into.append(current)
                stack.pop()
            else:
                seen.add(following)
                stack.append((following, iter(sorted(edges[following]))))

    for name in sorted(graph):
        if name not in seen:
            finish(name, graph, order)
    back: dict[str, set[str]] = {name: set() for name in graph}
    for name, targets in graph.items():
        for target in targets:
            back[target].add(name)
    seen.clear()
    groups: list[list[str]] = []
    for name in reversed(order):
        if name not in seen:
            group: list[str] = []
            finish(name, back, group)
            groups.append(sorted(group))
    return [group for group in groups if len(group) > 1 or group[0] in graph[group[0]]]


def test_a_circle_is_found():
    assert sorted(circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"d"}})) == [["b", "c"], ["d"]]


def test_no_file_imports_itself_in_a_circle():
    modules = {module_of(path): path for path in SOURCES}
    graph = {name: imports_of(path) & set(modules) - {name} for name, path in modules.items()}
    assert circles(graph) == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_run_one_way(path: Path):
    room = path.relative_to(PACKAGE).with_suffix("").parts[0]
    assert room in MAY_IMPORT, f"{room} is a new room: say in MAY_IMPORT what it may import"
    upward = {name for name in imports_of(path) if room_of(name) not in MAY_IMPORT[room] | ANYWHERE}
    assert not upward, f"{path.name} imports {upward}, which is above it: see MAY_IMPORT"


def test_the_architecture_says_what_each_room_may_import(repository: Path):
    page = (repository / "docs" / "architecture.md").read_text("utf-8")
    rooms = set(MAY_IMPORT) - ANYWHERE
    told = set()
    for names, knows in re.findall(r"^\| (`[^|]+`) \| [^|]+ \| ([^|]*) ?\|$", page, flags=re.MULTILINE):
        row = rooms & set(re.findall(r"`(\w+)(?:/|\.py)`", names))
        if not row:
            continue  # not Python, or not a part of the package
        named = rooms & set(re.findall(r"\w+", knows))
        known = rooms - named if knows.startswith("everything but") else named
        assert known - row == set().union(*(MAY_IMPORT[room] for room in row)) - row, names
        told |= row
    assert told == rooms


@pytest.mark.parametrize(
    "path", [p for p in SOURCES if p.parent.name in ("regions", "imaging")], ids=lambda p: p.name
)
def test_regions_and_imaging_know_neither_torch_nor_widgets(path: Path):
    tree = ast.parse(path.read_text("utf-8"))
    imported = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    imported |= {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    known = {name.partition(".")[0] for name in imported}
    assert not known & {"torch", "diffusers", "anywidget", "ipywidgets"}
