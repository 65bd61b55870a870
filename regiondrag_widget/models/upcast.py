"""SDXL's autoencoder overflows in half precision: it encodes and decodes as a float32 twin."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from regiondrag_widget.locks import OrderedLock, Rank
from regiondrag_widget.models.fingerprint import fingerprint
from regiondrag_widget.models.placement import device_of, dtype_of, is_moved

__all__ = ["Float32Twin", "needs_float32"]

# Stable Diffusion 1's and 2's, which is safe in half precision. Its files do not say so, and diffusers then
# takes `force_upcast` for True, and writes it down so when the model is saved again.
SAFE_SCALING_FACTOR = 0.18215


def needs_float32(vae: Any) -> bool:
    """Whether an autoencoder overflows in half precision: its file says so, and it is SDXL's and not SD 1's.

    Parameters
    ----------
    vae : autoencoder
        With a diffusers configuration.
    """
    config = vae.config
    if not config.get("force_upcast") or "force_upcast" in config.get("_use_default_values", ()):
        return False
    return round(float(config.get("scaling_factor") or 0), 5) != SAFE_SCALING_FACTOR


class Float32Twin:
    """An autoencoder, or a float32 copy of it where it needs one; the copy follows the original's weights.

    Parameters
    ----------
    vae : autoencoder
        Never changed.
    """

    def __init__(self, vae: Any) -> None:
        self._vae = vae
        self._twin: Any = None
        self._made_from: tuple[object, ...] = ()
        self._lock = OrderedLock(Rank.CACHE)

    @contextmanager
    def called(self) -> Iterator[Any]:
        """While open, the autoencoder to call; on the device where the original computes.

        Raises
        ------
        ValueError
            Its weights are loaded piece by piece for every call, and cannot be cast.
        """
        if not (dtype_of(self._vae) == torch.float16 and needs_float32(self._vae)):
            yield self._vae
            return
        with self._lock:
            twin = self._present()
        yield twin
        if is_moved(self._vae):  # memory is scarce, or nobody would offload
            twin.to("cpu")

    def _present(self) -> Any:
        device, state = device_of(self._vae), fingerprint(self._vae)
        if self._twin is None or self._made_from != state:
            self._twin, self._made_from = _float32(self._vae, device), state
        return self._twin.to(device)


def _float32(vae: Any, device: torch.device) -> Any:
    """A new autoencoder of the same class and weights; a deep copy would copy hooks, and all they hold."""
    weights = vae.state_dict()
    if any(weight.device.type == "meta" for weight in weights.values()):
        raise ValueError(
            "this autoencoder overflows in float16 and its weights are loaded piece by piece (sequential "
            "offload): use enable_model_cpu_offload(), or madebyollin/sdxl-vae-fp16-fix"
        )
    with torch.inference_mode(False), torch.no_grad():
        with torch.device("meta"):  # without weights of its own, which would be drawn at random
            twin = type(vae).from_config(vae.config)
        cast = {
            name: w.to(device, torch.float32 if w.is_floating_point() else w.dtype)
            for name, w in weights.items()
        }
        twin.load_state_dict(cast, assign=True)
    for name, value in vae.__dict__.items():  # tiling, slicing
        if isinstance(value, (bool, int, float)):
            setattr(twin, name, value)
    return twin.eval()
