"""Put finished runs of `regiondrag bench dragbench` on the bundled samples into docs/benchmarks/dragbench.*.

regiondrag bench dragbench tests/data/dragbench --seeds 0 1 2 -o main
regiondrag bench dragbench tests/data/dragbench --method ours --ablations -o ablations
python scripts/publish_dragbench.py main ablations
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

from PIL import Image

BENCHMARKS = Path(__file__).resolve().parent.parent / "docs" / "benchmarks"
INTRODUCTION = """# DragBench on the bundled samples

Twelve of our own photographs in DragBench's layout, edited with the bundled model. They show that the
experiment runs and what its numbers look like. They are not DragBench, and the features are not those of
Stable Diffusion 2.1, so no number here compares with a paper's. With the data set and the networks at hand,
the same command gives those:

```sh
regiondrag bench dragbench dragbench-sr --model MODEL --features SD21 --seeds 0 1 2 -o out
```

MD says whether the content has arrived, and nothing of how it looks: pasting is as good by it as any edit.
How an edit looks is measured against a known answer by `regiondrag bench truth`.
"""


def publish(main: Path, ablations: Path, benchmarks: Path = BENCHMARKS) -> None:
    """Write the page, its figures, plot and sheet; FileNotFoundError when a report is not whole."""
    first, second = ((folder / "dragbench.md").read_text("utf-8") for folder in (main, ablations))
    table = first.split("\n", 2)[2].split("\n## Published figures")[0]
    table = re.sub(r"!\[[^\]]*\]\(sheet-[2-9]\.jpg\)\n?", "", table)
    table = table.replace("distance-time.png", "dragbench.png").replace("sheet-1.jpg", "dragbench-sheet.jpg")
    told = re.search(r"\n## Ablation.*?(?=\n## What the numbers are)", second, flags=re.DOTALL)
    if told is None:
        raise ValueError(f"{ablations} has no ablations: run it with --ablations")
    page = f"{INTRODUCTION}{_worst(main)}\n{table.rstrip()}\n{told.group().rstrip()}\n"
    benchmarks.mkdir(parents=True, exist_ok=True)
    (benchmarks / "dragbench.md").write_text(page, "utf-8")
    figures = {
        name: json.loads((folder / "dragbench.json").read_text("utf-8"))["methods"]
        for name, folder in (("main", main), ("ablations", ablations))
    }
    (benchmarks / "dragbench.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    shutil.copyfile(main / "distance-time.png", benchmarks / "dragbench.png")
    with Image.open(main / "sheet-1.jpg") as picture:
        picture.save(benchmarks / "dragbench-sheet.jpg", quality=60, optimize=True)


def _worst(report: Path) -> str:
    """Say which sample has the largest share of our edit's mean distance, and how large it is for others."""
    edits = json.loads((report / "dragbench.json").read_text("utf-8"))["edits"]

    def by_sample(method: str) -> dict[str, float]:
        found: dict[str, list[float]] = {}
        for edit in edits:
            if edit["method"] == method:
                found.setdefault(edit["sample"], []).append(edit["md_rd_sample"])
        return {name: sum(values) / len(values) for name, values in found.items()}

    ours, paste = by_sample("ours"), by_sample("paste")
    name = max(ours, key=lambda sample: ours[sample])
    rest = [sum(value for sample, value in found.items() if sample != name) for found in (ours, paste)]
    means = [f"{100 * total / (len(ours) - 1):.1f}" for total in rest]
    share = ours[name] / sum(ours.values())
    return (
        f"One sample, {name}, makes {share:.0%} of the MD-RD of ours; over the others it is {means[0]}, and "
        f"{means[1]} for pasting.\n"
    )


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python scripts/publish_dragbench.py MAIN ABLATIONS, the folders of two reports")
    publish(Path(sys.argv[1]), Path(sys.argv[2]))
