"""Text files are UTF-8 wherever the package runs: Windows would take its own code page."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
FIRST_POSITION = {"read_text": 0, "write_text": 1, "open": 1}  # of `encoding`; for `open` of the mode


def of_unknown_encoding(source: str) -> Iterator[int]:
    """The lines that read or write text without saying in which encoding."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        method = isinstance(node.func, ast.Attribute)
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name not in FIRST_POSITION or any(keyword.arg == "encoding" for keyword in node.keywords):
            continue
        if name != "open":
            if len(node.args) <= FIRST_POSITION[name]:
                yield node.lineno
            continue
        mode = node.args[0 if method else 1 :][:1]
        if isinstance(node.func, ast.Attribute) and not (mode and isinstance(mode[0], ast.Constant)):
            continue  # Image.open, os.open, ZipFile.open
        if not mode or "b" not in str(getattr(mode[0], "value", "b")):
            yield node.lineno


def test_every_text_file_is_opened_with_its_encoding():
    found = [
        f"{path.relative_to(ROOT).as_posix()}:{line}"
        for folder in ("regiondrag_widget", "training", "scripts")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line in of_unknown_encoding(path.read_text("utf-8"))
    ]
    assert found == []


def test_what_lacks_one_is_found():
    lacking = 'p.read_text()\np.write_text("a")\nopen(p)\nopen(p, "w")\np.open("a")\n'
    saying = (
        'p.read_text("utf-8")\np.write_text("a", "utf-8")\nopen(p, "rb")\np.open("w", encoding="utf-8")\n'
    )
    assert list(of_unknown_encoding(lacking)) == [1, 2, 3, 4, 5]
    assert list(of_unknown_encoding(saying)) == []
