"""Make a folder for the Hub with the Modular Diffusers block: block.py, modular_config.json, README.md.

python scripts/build_block.py FOLDER
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from regiondrag_widget import block

README = """\
---
library_name: diffusers
tags: [modular-diffusers, image-editing, regiondrag]
license: apache-2.0
---

# RegionDrag for Modular Diffusers

Moves regions of a picture in one pass. The code is the package regiondrag-widget, which must be installed:
`pip install regiondrag-widget`.

```python
import torch
from diffusers import ModularPipelineBlocks

blocks = ModularPipelineBlocks.from_pretrained("FOLDER OR HUB ID OF THIS BLOCK", trust_remote_code=True)
pipe = blocks.init_pipeline("stabilityai/stable-diffusion-xl-base-1.0")
pipe.load_components(torch_dtype=torch.float16)
pipe.to("cuda")
images = pipe(image="photo.jpg", handle=handle, target=target, prompt="a duck", output="images")
```
"""


def build(folder: Path) -> Path:
    """Write the folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    block.RegionDragBlock().save_pretrained(str(folder))
    shutil.copy(block.__file__, folder / "block.py")
    (folder / "README.md").write_text(README, "utf-8")
    return folder


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    print(f"wrote {build(Path(sys.argv[1]))}")
