"""Other libraries' errors in one line."""

from __future__ import annotations

import pytest

from regiondrag_widget.errors import first_line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("bad file"), "bad file"),
        (
            ValueError("\n  CUDA error: device lost  \nCompile with TORCH_USE_CUDA_DSA"),
            "CUDA error: device lost",
        ),
        (RuntimeError(), "RuntimeError"),
        (OSError("  "), "OSError"),
        ("words\nand more", "words"),
    ],
)
def test_the_first_line_or_the_name(error: Exception | str, line: str):
    assert first_line(error) == line
