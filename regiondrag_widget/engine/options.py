"""The settings of one edit as keyword arguments, for type checkers and editors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:  # torch comes with them
    import torch

    from regiondrag_widget.models.attention import AttentionSwap

__all__ = ["CallOptions", "EditOptions"]


class EditOptions(TypedDict, total=False):
    """What an edit may be told; `EditSettings` says what each setting means. None stands for not given."""

    stop: float | None
    content: Literal["pixels", "latents", "positions"] | None
    residual: Literal["follow", "stay"] | None
    vacated: Literal["fill", "noise", "keep"] | None
    matte: Literal["auto", "none"] | None
    prefill: Literal["mixed", "exemplar", "smooth"] | None
    handle_noise_scale: float | None
    attention_swap: AttentionSwap | Literal["gathered", "live"] | None
    method: Literal["auto", "contour", "scanline", "polygon"] | None
    crop: bool | None


class CallOptions(EditOptions, total=False):
    """What `rd.edit` takes besides: see `ImageSession.edit`."""

    editable: Any
    generator: torch.Generator | None
