"""Textual inversions on our pipeline: from safetensors alone, into the text encoders that a file is for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers.loaders import TextualInversionLoaderMixin
from diffusers.loaders.textual_inversion import load_textual_inversion_state_dicts
from safetensors import SafetensorError
from torch import Tensor

from regiondrag_widget.errors import first_line
from regiondrag_widget.models.lora import refuse_pickled

__all__ = ["SafeTextualInversion"]

# the names under which files for SDXL hold the vectors of each text encoder
ENCODERS = {"clip_l": "", "clip_g": "_2"}
# what a vector's width says about the text encoder it was made for
MADE_FOR = {
    768: "Stable Diffusion 1.5 or SDXL's first text encoder",
    1024: "Stable Diffusion 2",
    1280: "SDXL's second text encoder",
}


class SafeTextualInversion(TextualInversionLoaderMixin):
    """diffusers' loading of textual inversions, for SDXL too, which refuses pickled weights."""

    unet: Any
    family: Any  # a `Family`; `RegionDragPipeline` tells it

    def load_textual_inversion(
        self,
        pretrained_model_name_or_path: Any,
        token: str | list[str] | None = None,
        tokenizer: Any = None,
        text_encoder: Any = None,
        **options: Any,
    ) -> None:
        """Add words of one's own as diffusers does (see its ``load_textual_inversion``).

        A file made for SDXL, which has vectors ``clip_l`` and ``clip_g``, is loaded into both text encoders;
        ``token`` is the word that stands for them.

        Raises
        ------
        ValueError
            The model is a transformer, whose families have none; pickled weights; vectors that were made for
            another model.
        """
        if self.unet is None:
            raise ValueError(f"{self.family.name} has no textual inversion: use a LoRA")
        listed = isinstance(pretrained_model_name_or_path, list)
        given = pretrained_model_name_or_path if listed else [pretrained_model_name_or_path]
        tokens = token if isinstance(token, list) else [token] * (len(given) if token is None else 1)
        if len(given) > 1 and len(tokens) != len(given):
            raise ValueError(f"{len(given)} textual inversions need as many tokens, got {len(tokens)}")
        if len(tokens) > len(given):  # one tensor with a vector for each word
            super().load_textual_inversion(given[0], tokens, tokenizer, text_encoder, **options)
            return
        for told, word in zip(given, tokens, strict=True):
            self._load_one(told, word, tokenizer, text_encoder, options)

    def _load_one(
        self, told: Any, token: str | None, tokenizer: Any, text_encoder: Any, options: dict[str, Any]
    ) -> None:
        name, loaded = _read(told, options)
        paired = isinstance(loaded, Mapping) and set(loaded) == set(ENCODERS)
        if paired and token is None:
            raise ValueError(f"{name} names no word: pass token=, the word that stands for it")
        # all are checked before the first is added
        places = [
            (vectors, *self._encoder_for(name, vectors, ENCODERS.get(key), text_encoder, tokenizer))
            for key, vectors in _vectors(loaded)
        ]
        for vectors, encoder, reader in places:
            super().load_textual_inversion(vectors if paired else loaded, token, reader, encoder)

    def _encoder_for(
        self, name: str, vectors: Tensor, ending: str | None, text_encoder: Any, tokenizer: Any
    ) -> tuple[Any, Any]:
        """The text encoder that vectors are for, and its tokenizer."""
        width = vectors.shape[-1]
        endings = ENCODERS.values() if ending is None else (ending,)
        found = [(getattr(self, f"text_encoder{end}"), getattr(self, f"tokenizer{end}")) for end in endings]
        if text_encoder is not None:
            found = [(text_encoder, tokenizer or self.tokenizer)]
        found = [(encoder, reader) for encoder, reader in found if encoder is not None]
        for encoder, reader in found:
            if encoder.get_input_embeddings().weight.shape[-1] == width:
                return encoder, tokenizer or reader
        if not found:
            raise ValueError(f"{name} cannot be loaded: this pipeline lacks the text encoder that it is for")
        wide = " and ".join(str(e.get_input_embeddings().weight.shape[-1]) for e, _ in found)
        made = f", as those of {MADE_FOR[width]}" if width in MADE_FOR else ""
        raise ValueError(
            f"{name} is not this model's: its vectors have {width} numbers{made}, "
            f"and this model's text has {wide}"
        )


def _read(told: Any, options: dict[str, Any]) -> tuple[str, Any]:
    """What a textual inversion is called in messages, and its contents."""
    if not isinstance(told, (str, os.PathLike)):
        return "the textual inversion", told
    name = os.fspath(told)
    refuse_pickled(name)
    refuse_pickled(str(options.get("weight_name") or ""))
    path = Path(name).expanduser()
    try:
        place = str(path) if path.exists() else name
        (state,) = load_textual_inversion_state_dicts([place], **{**options, "use_safetensors": True})
    except (OSError, ValueError, SafetensorError) as error:
        raise ValueError(f"the textual inversion {name} could not be loaded: {first_line(error)}") from error
    return name, state


def _vectors(loaded: Any) -> list[tuple[str, Tensor]]:
    """The vectors of a textual inversion by their names; diffusers refuses other contents."""
    if isinstance(loaded, Tensor):
        return [("", loaded)]
    if "string_to_param" in loaded:  # as A1111 saves it
        return [("", loaded["string_to_param"]["*"])]
    return [(key, value) for key, value in loaded.items() if isinstance(value, torch.Tensor)]
