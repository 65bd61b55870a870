"""LoRA weights added permanently to a flow transformer that we loaded."""

from __future__ import annotations

import os
import re
from typing import Any

import torch

from regiondrag_widget.errors import first_line
from regiondrag_widget.models.families import Family
from regiondrag_widget.models.lora import (
    FACTOR,
    TRANSFORMER_FACTOR,
    add_changes,
    factors_of,
    fitting_layer,
    lora_source,
    warn_of_text_parts,
)
from regiondrag_widget.models.lora_bases import base_of

__all__ = ["fuse_transformer_lora"]


@torch.no_grad()
def fuse_transformer_lora(
    transformer: Any, family: Family, lora: str | os.PathLike[str], scale: float = 1.0, **options: Any
) -> int:
    """Add `scale` times a LoRA to a transformer's weights: see `fuse_lora`.

    diffusers' own reader of the family translates other programs' formats. Parts for text encoders are left
    out with a warning, as `fuse_lora` does.

    Parameters
    ----------
    transformer : diffusers transformer
        Its weights are changed in place.
    family : Family
        Whose reader is used.
    lora : str or path
        See `lora_source`.
    scale : float
        Strength of the change.
    **options
        Passed on to the hub (`revision`, `cache_dir`, `local_files_only`...).

    Returns
    -------
    int
        The number of layers changed.

    Raises
    ------
    ValueError, OSError
        The weights are missing, pickled, of another base, or more than factors of layers.
    """
    place, named = lora_source(lora)
    try:
        # FLUX.1's reader gives the alphas apart; the others know no such option and leave them in
        state, *apart, described = family.pipeline_class().lora_state_dict(
            place,
            use_safetensors=True,
            return_alphas=True,
            return_lora_metadata=True,
            **named,
            **options,
        )
    except Exception as error:  # safetensors and the hub have exceptions of their own
        first = first_line(error)
        raise ValueError(f"the LoRA {os.fspath(lora)} could not be loaded: {first}") from error
    factors, others = factors_of(state, TRANSFORMER_FACTOR)
    unknown = next((key for key in others if key.startswith("transformer.")), None)
    if unknown is not None:
        raise ValueError(
            f"the LoRA {os.fspath(lora)} has {unknown}, which is no factor of a layer: load it with PEFT on "
            "diffusers' own pipeline, and pass that to RegionDragPipeline.from_pipe"
        )
    if not factors:
        theirs = base_of(factors_of(state, FACTOR)[0])
        raise ValueError(
            f"{os.fspath(lora)} holds no LoRA of {family.name}{f', but one of {theirs}' if theirs else ''}"
        )
    # all are checked before any is changed
    base = base_of(factors)
    made_for = f" but one of {base}" if base and not family.name.startswith(base) else ""
    refusal = f"the LoRA {os.fspath(lora)} is not this model's{made_for}"
    layers = {name: fitting_layer(transformer, name, pair, refusal) for name, pair in factors.items()}
    warn_of_text_parts(lora, others)
    alphas, usual = _alphas((apart and apart[0]) or {}, described or {})
    add_changes(layers, lambda name: alphas.get(name, usual), scale)
    return len(layers)


def _alphas(apart: dict[str, Any], described: dict[str, Any]) -> tuple[dict[str, float], float | None]:
    """Alphas by layer, and that of the others: of the file itself, or else of its description."""
    named = {
        re.sub(r"(\.lora_A\.weight)?\.alpha$", "", key).removeprefix("transformer."): float(value)
        for key, value in apart.items()
    }
    pattern = described.get("transformer.alpha_pattern") or {}
    return {**pattern, **named}, described.get("transformer.lora_alpha")
