"""What every family's edits have in common, whatever its network is."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import pytest
import torch
from torch import Tensor

import regiondrag_widget as rd
from tests.unit.engine_kit import box, box_pair, picture

PROMPT = "a dog"


class Loaded(Protocol):
    """A family, loaded, with a session that is kept for tests that only edit."""

    kept: rd.ImageSession

    @property
    def backbone(self) -> Any: ...

    def session(self, **options: Any) -> rd.ImageSession: ...


def last_latents(session: rd.ImageSession, **settings: Any) -> Tensor:
    """The latents that an edit ends with: of latents, which needs no composite, unless told otherwise."""
    pairs = [box_pair(session.picture.shape)]
    return list(session.edit(pairs, **{"content": "latents", **settings}))[-1].latents


def assert_batched_equals_one_by_one(family: Loaded) -> None:
    """The inversion in batches, and one call at a time."""
    together = family.kept.inversion()
    assert len(together.levels) >= 2
    family.backbone.batch_size = 1
    try:
        alone = family.session().inversion()
    finally:
        family.backbone.batch_size = None
    assert torch.allclose(together.residuals, alone.residuals, atol=1e-4)
    for name, keys in together.cache.keys.items():
        assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(keys, alone.cache.keys[name], strict=True))


def assert_a_window_is_edited(pipe: rd.RegionDragPipeline) -> None:
    """A picture larger than the model's side: a window of it is inverted, and shown at every step."""
    image, pair = picture(300, 260), rd.RegionPair.move(box((300, 260), 20, 30, 52, 62), 40, 24)
    session = rd.ImageSession(pipe, image, PROMPT)
    shown = [step.preview(130) for step in session.edit([pair])]
    assert len(shown) == len(session.levels)
    assert {(preview.shape, preview.dtype) for preview in shown} == {((130, 113, 3), np.dtype(np.uint8))}
    touched, out = pair.handle | pair.target, session.result.array
    assert np.array_equal(out[~touched], image[~touched])
    assert not np.array_equal(out[touched], image[touched])
    assert max(session.inversion([pair]).latents.shape[-2:]) * 8 < 300


def assert_text_encoders_may_go(pipe: rd.RegionDragPipeline, kept: rd.ImageSession) -> None:
    """A session that has read its prompt inverts another seed anew, and asks none of them."""
    image = kept.picture.rgb
    session = rd.ImageSession(pipe, image, PROMPT)
    for name in pipe.components:
        if name.startswith(("text_encoder", "tokenizer", "processor")):
            pipe.register_modules(**{name: None})
    assert torch.equal(last_latents(session, seed=7), last_latents(kept, seed=7))
    list(session.draft([box_pair(kept.picture.shape)], calls=1))
    with pytest.raises(ValueError, match="has no text encoder"):
        rd.ImageSession(pipe, image, PROMPT)
