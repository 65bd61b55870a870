"""The device and number format to compute in, by default or as asked; and how to tell that a GPU is lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from regiondrag_widget.errors import first_line

__all__ = ["DeviceLostError", "choose_device", "choose_dtype", "device_errors", "lost_device"]

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def choose_device(device: str | torch.device | None = None) -> torch.device:
    """The device asked for, or the best available: cuda, then mps, then cpu.

    Parameters
    ----------
    device : str or torch.device, optional
        The one to use.

    Raises
    ------
    ValueError
        The device is not available, or not one to edit on.
    """
    if device is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise ValueError(f"device {device!r} is not one torch knows: use cuda, mps or cpu") from None
    if chosen.type not in ("cuda", "mps", "cpu"):
        raise ValueError(f"device {device!r} is not one to edit on: use cuda, mps or cpu")
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ValueError("device cuda was asked for but torch sees no CUDA GPU: leave device out, or use cpu")
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"device {chosen} was asked for but there are only {torch.cuda.device_count()} GPUs")
    if chosen.type == "mps" and not torch.backends.mps.is_available():
        raise ValueError("device mps was asked for but this machine has none: leave device out, or use cpu")
    return chosen


def choose_dtype(
    device: torch.device, dtype: str | torch.dtype | None = None, *, transformer: bool = False
) -> torch.dtype:
    """The number format asked for, or the best for a device.

    Parameters
    ----------
    device : torch.device
        Where the network computes.
    dtype : str or torch.dtype, optional
        float16, bfloat16 or float32. When left out: float16 on a GPU, bfloat16 on a CPU that computes in it,
        float32 elsewhere.
    transformer : bool
        The network is a flow transformer, whose activations may overflow in float16: bfloat16 on a GPU that
        computes in it.

    Raises
    ------
    ValueError
        Any other format.
    """
    if isinstance(dtype, str):
        if dtype not in DTYPES:
            raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {dtype!r}")
        return DTYPES[dtype]
    if dtype is not None:
        if dtype not in DTYPES.values():
            raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {dtype}")
        return dtype
    if device.type in ("cuda", "mps"):
        return torch.bfloat16 if transformer and _gpu_computes_bfloat16(device) else torch.float16
    return torch.bfloat16 if _cpu_computes_bfloat16() else torch.float32


def _gpu_computes_bfloat16(device: torch.device) -> bool:
    """Whether a GPU computes in bfloat16 itself; older ones emulate it slowly."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device)[0] >= 8


def _cpu_computes_bfloat16() -> bool:
    """Whether the CPU has dot products of bfloat16, and torch is built and allowed to use them.

    Without them bfloat16 is converted back and forth and slower than float32.
    """
    if not str(torch.backends.cpu.get_cpu_capability()).startswith("AVX512"):
        return False  # ATEN_CPU_CAPABILITY may limit torch to less than the processor has
    probes = (getattr(torch.cpu, n, None) for n in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(bool(probe()) for probe in probes if callable(probe))


# CUDA's errors after which the device still works: memory, a failed capture, a kernel or a feature that the
# card lacks, a card that was never there
STILL_THERE = (
    "out of memory",
    "alloc_failed",
    "captur",
    "no kernel image",
    "not_supported",
    "not supported",
    "invalid device ordinal",
    "no cuda-capable device",
    "invalid configuration argument",
)


# torch's words for a layer whose weights have another format than what it is given
MIXED = re.compile(r"have the same dtype|type \((float|double|c10::\w+)\) and (bias|weight) type")


class DeviceLostError(RuntimeError):
    """The GPU stopped answering: this process can use nothing on it any more.

    Parameters
    ----------
    error : BaseException or str
        What torch reported.
    """

    def __init__(self, error: BaseException | str) -> None:
        first = first_line(error)
        super().__init__(
            f"the GPU stopped answering ({first}): restart the kernel, or load the model with device='cpu'"
        )


def lost_device(error: BaseException) -> bool:
    """Whether an error says that the GPU is lost, and not that memory, a kernel or a feature is missing."""
    if isinstance(error, DeviceLostError):
        return True
    if not isinstance(error, RuntimeError) or isinstance(error, torch.cuda.OutOfMemoryError):
        return False
    text = str(error).lower()
    if any(sign in text for sign in STILL_THERE):
        return False
    return any(sign in text for sign in ("cuda error", "cuda driver error", "device-side assert"))


@contextmanager
def device_errors() -> Iterator[None]:
    """Turn torch's errors in the block into one sentence: a lost GPU, a network of several number formats.

    Raises
    ------
    DeviceLostError
        The GPU stopped answering.
    ValueError
        Layers of one network are of different number formats.
    """
    try:
        yield
    except RuntimeError as error:
        if lost_device(error) and not isinstance(error, DeviceLostError):
            raise DeviceLostError(error) from error
        if MIXED.search(str(error)):
            raise ValueError(
                f"layers of one network are of different number formats ({first_line(error)}): "
                "load it in one by dtype=, or call its .to(torch.float32)"
            ) from error
        raise
