"""Values that are not numbers are an error that names the step, wherever they come up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import regiondrag_widget as rd
from regiondrag_widget.engine.finite import FiniteWatch, NotFiniteError
from tests.unit.engine_kit import box_pair, picture, tiny_pipeline

SHAPE = (96, 128)
NAN, INF = float("nan"), float("inf")


def broken(pipe: Any, method: str, at: int, value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the n-th call of a part give one value that is no number."""
    part = pipe.unet if method == "forward" else pipe.vae
    original, calls = getattr(type(part), method), [0]

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        out = original(self, *args, **kwargs)
        calls[0] += 1
        if calls[0] == at:
            values = {"encode": lambda: out.latent_dist.mean, "decode": lambda: out.sample}.get(
                method, lambda: out[0]
            )()
            values[..., 0, 0] = value
        return out

    monkeypatch.setattr(type(part), method, call)


@pytest.mark.parametrize("value", [NAN, INF])
@pytest.mark.parametrize("content", ["pixels", "latents"])
@pytest.mark.parametrize(
    ("method", "at", "words"),
    [
        ("encode", 1, "encoding the picture"),
        ("forward", 1, r"level 1 of 3 of the inversion \(timestep 166\)"),
        ("forward", 2, r"step 1 of 3 \(timestep 499\)"),
        ("forward", 4, r"step 3 of 3 \(timestep 166\)"),
        ("decode", 1, "decoding the picture"),
    ],
)
def test_the_step_is_named(
    method: str, at: int, words: str, content: str, value: float, monkeypatch: pytest.MonkeyPatch
):
    pipe = tiny_pipeline()
    session = rd.ImageSession(pipe, picture(*SHAPE))
    broken(pipe, method, at, value, monkeypatch)
    with pytest.raises(NotFiniteError, match=f"^{words} gave values that are not numbers"):
        list(session.edit([box_pair(SHAPE)], content=content))
    assert session.result is None


def test_a_draft_and_bare_latents_are_watched_too(monkeypatch: pytest.MonkeyPatch):
    pipe = tiny_pipeline()
    session = rd.ImageSession(pipe, picture(*SHAPE))
    list(session.draft([box_pair(SHAPE)], calls=2))
    broken(pipe, "forward", 2, NAN, monkeypatch)
    with pytest.raises(NotFiniteError, match="step 2 of 2"):
        list(session.draft([box_pair(SHAPE)], calls=2))
    cells = rd.Correspondence([[2, 3]], [[9, 9]])
    bare = tiny_pipeline()
    broken(bare, "forward", 1, NAN, monkeypatch)
    with pytest.raises(NotFiniteError, match="level 1 of 3 of the inversion"):
        bare(latents=torch.zeros(1, 4, 16, 16), correspondence=cells)
    with pytest.raises(ValueError, match="latents holds values that are not numbers"):
        pipe(latents=torch.full((1, 4, 16, 16), NAN), correspondence=cells)


def test_the_next_edit_is_right(monkeypatch: pytest.MonkeyPatch):
    pipe = tiny_pipeline()
    expected = rd.edit(picture(*SHAPE), [box_pair(SHAPE)], pipe)
    session = rd.ImageSession(pipe, picture(*SHAPE))
    with monkeypatch.context() as patched:
        broken(pipe, "forward", 2, NAN, patched)
        with pytest.raises(NotFiniteError):
            list(session.edit([box_pair(SHAPE)]))
    list(session.edit([box_pair(SHAPE)]))
    assert np.array_equal(session.result.array, expected.array)


class OnGpu:
    """A tensor of a GPU as far as the watch asks: its flag is not read before the next step is under way."""

    device = torch.device("cuda")

    def __init__(self, fine: bool, log: list[str], name: str) -> None:
        self.fine, self.log, self.name = fine, log, name

    def isfinite(self) -> OnGpu:
        return self

    def all(self) -> OnGpu:
        return self

    def __bool__(self) -> bool:
        self.log.append(self.name)
        return self.fine


def test_a_gpu_does_not_wait_for_the_step_under_way():
    log: list[str] = []
    watch = FiniteWatch()
    watch.see("step 1", OnGpu(True, log, "1"))  # type: ignore[arg-type]
    assert log == []
    watch.see("step 2", OnGpu(False, log, "2"))  # type: ignore[arg-type]
    assert log == ["1"]
    with pytest.raises(NotFiniteError, match="step 2"):
        watch.finish()
