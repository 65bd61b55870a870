"""Write the reference vectors of ``regiondrag check`` anew; only needed when the released rule changes."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file

from regiondrag_widget.check import reference

if __name__ == "__main__":
    torch.set_num_threads(1)
    pipe = reference.reference_pipeline(torch.device("cpu"), torch.float32)
    save_file(reference.computed(pipe), Path(reference.__file__).with_name("reference.safetensors"))
