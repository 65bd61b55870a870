"""The typed keyword arguments of an edit are those of the table of settings, with their choices."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from regiondrag_widget.engine import options
from regiondrag_widget.engine.settings import BY_NAME, OF_EDIT, names


def annotations(kind: str) -> dict[str, str]:
    tree = ast.parse(inspect.getsource(options))
    (found,) = (n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == kind)
    return {n.target.id: ast.unparse(n.annotation) for n in found.body if isinstance(n, ast.AnnAssign)}


def test_they_are_the_settings_of_an_edit():
    assert set(annotations("EditOptions")) == OF_EDIT & set(names("python")) - {"preset"}


@pytest.mark.parametrize("name", sorted(annotations("EditOptions")))
def test_their_types_are_the_tables(name: str):
    typed, spec = annotations("EditOptions")[name], BY_NAME[name]
    if spec.kind == "choice":
        assert typed == f"Literal[{', '.join(map(repr, spec.values))}] | None"
    else:
        kinds = {"number": "float | None", "flag": "bool | None", "integer": "int | None"}
        assert typed == kinds.get(spec.kind, "AttentionSwap | Literal['gathered', 'live'] | None")


@pytest.mark.slow
def test_a_type_checker_finds_typos_and_wrong_values(tmp_path: Path):
    mypy = pytest.importorskip("mypy.api", reason="mypy is a tool of developers")
    del mypy
    file = tmp_path / "user.py"
    file.write_text(
        textwrap.dedent(
            """
            import regiondrag_widget as rd

            session: rd.ImageSession
            pairs: list[rd.RegionPair]
            rd.edit("photo.jpg", pairs, stop=0.2, matte="none").image.save("out.png")
            rd.edit("photo.jpg", pairs, stpo=0.2)
            session.edit(pairs, vacated="fil")
            rd.RegionDragPipeline.from_pretrained("mini")("photo.jpg", pairs).images
            widget: rd.RegionDragWidget
            widget.result.save("out.png")  # there may be none
            widget.history[0].save("out.png")
            """
        )
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-incremental", "--ignore-missing-imports",
         "--follow-imports=silent", str(file)],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if "error" in line and file.name in line]
    assert len(lines) == 3, done.stdout
    assert '"stpo"' in lines[0]
    assert '"vacated"' in lines[1]
    assert '"None"' in lines[2]
