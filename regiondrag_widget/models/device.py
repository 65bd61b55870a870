"""Which device and number format to compute in, when nobody says; and what to say when a device is gone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["DeviceLostError", "choose_device", "choose_dtype", "device_errors", "lost_device"]

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def choose_device(device: str | torch.device | None = None) -> torch.device:
    """The device asked for, or the best there is: cuda, then mps, then cpu.

    Raises ValueError when it is not there.
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


def choose_dtype(device: torch.device, dtype: str | torch.dtype | None = None) -> torch.dtype:
    """float16 on a GPU, bfloat16 on a CPU that computes in it, float32 elsewhere; or what was asked for.

    Raises ValueError for any other format.
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
        return torch.float16
    return torch.bfloat16 if _cpu_computes_bfloat16() else torch.float32


def _cpu_computes_bfloat16() -> bool:
    """Dot products of bfloat16 in the instruction set, and torch built and allowed to use it.

    Without them bfloat16 is converted back and forth and slower than float32.
    """
    if not str(torch.backends.cpu.get_cpu_capability()).startswith("AVX512"):
        return False  # ATEN_CPU_CAPABILITY may hold torch to less than the processor has
    probes = (getattr(torch.cpu, n, None) for n in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(bool(probe()) for probe in probes if callable(probe))


# what CUDA reports while the device goes on working: memory, a failed capture, a kernel or a feature that the
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


class DeviceLostError(RuntimeError):
    """The GPU answers no more: nothing on it can be used again by this process."""

    def __init__(self, error: BaseException | str) -> None:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        super().__init__(
            f"the GPU stopped answering ({first}): restart the kernel, or load the model with device='cpu'"
        )


def lost_device(error: BaseException) -> bool:
    """Whether an error says that the device is gone, and not that it is short of memory."""
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
    """Raises DeviceLostError, one sentence, for what torch says in many where a GPU is gone."""
    try:
        yield
    except RuntimeError as error:
        if lost_device(error) and not isinstance(error, DeviceLostError):
            raise DeviceLostError(error) from error
        raise
