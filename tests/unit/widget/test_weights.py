"""How large a model's weights on this machine are."""

from __future__ import annotations

from pathlib import Path

import pytest

from regiondrag_widget.widget.weights import weights_here


def write(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))


def test_those_of_a_folder_and_of_a_file(tmp_path: Path) -> None:
    write(tmp_path / "unet" / "a.safetensors", 300)
    write(tmp_path / "vae" / "b.safetensors", 20)
    write(tmp_path / "c.safetensors", 1)
    write(tmp_path / "unet" / "a.bin", 5000)
    assert weights_here(str(tmp_path)) == 321
    assert weights_here(str(tmp_path / "unet" / "a.safetensors")) == 300


@pytest.mark.parametrize(
    ("variable", "below"), [("HF_HUB_CACHE", ""), ("HF_HOME", "hub"), ("XDG_CACHE_HOME", "huggingface/hub")]
)
def test_those_of_a_model_that_the_hub_has_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, below: str
) -> None:
    for name in ("HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(tmp_path))
    kept = tmp_path / below / "models--someone--model" / "snapshots"
    write(kept / "old" / "unet" / "a.safetensors", 10)
    write(kept / "new" / "unet" / "a.safetensors", 70)
    assert weights_here("someone/model") == 70
    assert weights_here("someone/other") is None


def test_the_bundled_model_is_small_and_what_is_no_name_is_not_here() -> None:
    assert weights_here("mini") == 0
    assert weights_here("no\0name") is None
