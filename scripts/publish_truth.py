"""Put a finished run of `regiondrag bench truth` into the repository: docs/benchmarks/truth.* and the README.

    python scripts/publish_truth.py bench-truth
    python scripts/publish_truth.py bench-truth-flow truth-flow

The report and its plot are copied, the figures are kept as compact JSON, and the README's table between its
two markers is written from that JSON. A run that is given another name than `truth`, as one of another model,
gets files of that name, and no table in the README.
"""

from __future__ import annotations

import json
import math
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS, README = ROOT / "docs" / "benchmarks", ROOT / "README.md"
BEGIN, END = "<!-- truth: written by scripts/publish_truth.py -->", "<!-- truth: end -->"
DIGITS = 4
MAIN = ("baseline", "ours")
ROW_MEASURES = ("psnr", "psnr_target", "psnr_vacated", "flip", "texture", "distance", "seconds")
# measure, heading, digits, whether more is better
COLUMNS = (
    ("psnr", "PSNR touched", 2, True),
    ("psnr_target", "target", 2, True),
    ("psnr_vacated", "vacated", 2, True),
    ("flip", "FLIP", 3, False),
    ("texture", "texture", 2, None),
    ("distance", "MD px", 1, False),
    ("seconds", "seconds", 2, None),
)


def main(words: list[str]) -> int:
    """Run the script and return its exit code."""
    if len(words) not in (1, 2):
        print("usage: python scripts/publish_truth.py FOLDER-OF-THE-REPORT [NAME]", file=sys.stderr)
        return 2
    name = words[1] if len(words) == 2 else "truth"
    publish(Path(words[0]), name=name)
    table = ", and the README's table" if name == "truth" else ""
    print(f"wrote {BENCHMARKS}/{name}.md, .json, .png, a sheet{table}")
    return 0


def publish(report: Path, benchmarks: Path = BENCHMARKS, readme: Path = README, name: str = "truth") -> None:
    """Copy a report's parts and rewrite the README's table; FileNotFoundError when it is not whole."""
    data = compact(json.loads((report / "report.json").read_text("utf-8")))
    text = (report / "report.md").read_text("utf-8")
    benchmarks.mkdir(parents=True, exist_ok=True)
    (benchmarks / f"{name}.json").write_text(as_text(data), "utf-8")
    shutil.copyfile(report / "quality-time.png", benchmarks / f"{name}.png")
    with Image.open(report / "sheet-1.png") as picture:  # the others show more of the same
        picture.convert("RGB").save(benchmarks / f"{name}-sheet.jpg", quality=50, optimize=True)
    text = text.replace("quality-time.png", f"{name}.png").replace("sheet-1.png", f"{name}-sheet.jpg")
    (benchmarks / f"{name}.md").write_text(re.sub(r"!\[sheet-\d+\.png\]\(.*?\)\n?", "", text), "utf-8")
    if name != "truth":
        return
    page = readme.read_text("utf-8")
    readme.write_text(with_table(page, readme_table(data)), "utf-8")


def compact(data: dict[str, Any]) -> dict[str, Any]:
    """Return a shorter report.

    Four digits; movements and kinds for the main methods only; the default's settings once; scenes by the
    main measures.
    """
    main_methods = [name for name, method in data["methods"].items() if method["group"] in MAIN]
    methods, defaults = {}, {}
    for name, method in data["methods"].items():
        settings = dict(method["settings"])
        defaults = settings.pop("defaults", defaults)
        parts = ("group", "mean", "by_motion", "by_kind") if name in main_methods else ("group", "mean")
        count = sum(row["method"] == name for row in data["rows"])
        methods[name] = {**{part: method[part] for part in parts}, "settings": settings, "scenes": count}
    rows = [
        [row["scene"], row["method"], *(row["figures"][measure] for measure in ROW_MEASURES)]
        for row in data["rows"]
        if row["method"] in main_methods
    ]
    table = {"columns": ["scene", "method", *ROW_MEASURES], "rows": rows}
    kept = {key: value for key, value in data.items() if key not in ("methods", "rows")}
    rounded: dict[str, Any] = _rounded({**kept, "defaults": defaults, "methods": methods, "rows": table})
    return rounded


def as_text(data: dict[str, Any]) -> str:
    """JSON with a line for each method and each row, so that versions can be compared by eye."""
    plain = {key: value for key, value in data.items() if key not in ("methods", "rows")}
    head = json.dumps(plain, indent=1)[:-2]
    methods = ",\n  ".join(f"{json.dumps(n)}: {_line(m)}" for n, m in data["methods"].items())
    rows = ",\n  ".join(_line(row) for row in data["rows"]["rows"])
    columns = json.dumps(data["rows"]["columns"])
    return (
        f'{head},\n "methods": {{\n  {methods}\n }},\n'
        f' "rows": {{"columns": {columns}, "rows": [\n  {rows}\n ]}}\n}}\n'
    )


def readme_table(data: dict[str, Any]) -> str:
    """The main table in Markdown, and one line about the run."""
    methods = {name: method for name, method in data["methods"].items() if method["group"] in MAIN}
    lines = [
        "| method | " + " | ".join(heading for _, heading, _, _ in COLUMNS) + " |",
        "|---" + "|---:" * len(COLUMNS) + "|",
    ]
    best = {measure: _best(methods, measure, digits, more) for measure, _, digits, more in COLUMNS}
    for name, method in methods.items():
        cells = []
        for measure, _, digits, _ in COLUMNS:
            value = method["mean"].get(measure)
            text = "" if value is None else f"{value:.{digits}f}"
            cells.append(f"**{text}**" if text and text == best[measure] else text)
        some = "" if method["scenes"] == data["scenes"] else f" ({method['scenes']} scenes)"
        lines.append(f"| {name}{some} | " + " | ".join(cells) + " |")
    about = data["about"]
    size = f"{about['size']}x{about['size']} pixels, " if "size" in about else ""
    held = sum(bar["holds"] for bar in data["shown"])
    lines += [
        "",
        f"{data['scenes']} scenes, {size}{about['machine']}, model {about.get('model', 'none')}. "
        f"{held} of the {len(data['shown'])} bars that ours is held to are reached: "
        "[the whole report](docs/benchmarks/truth.md), [its figures](docs/benchmarks/truth.json).",
    ]
    return "\n".join(lines)


def with_table(page: str, table: str) -> str:
    """The page with what stands between the markers replaced; ValueError when it has no markers."""
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise ValueError(f"the page must hold {BEGIN} and {END} once each")
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n{table}\n{END}{rest.split(END)[1]}"


def _best(methods: dict[str, Any], measure: str, digits: int, more: bool | None) -> str | None:
    values = [v for method in methods.values() if (v := method["mean"].get(measure)) is not None]
    if more is None or len(values) < 2:
        return None
    return f"{max(values) if more else min(values):.{digits}f}"


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    if isinstance(value, float) and value != 0 and math.isfinite(value):
        return round(value, max(0, DIGITS - 1 - math.floor(math.log10(abs(value)))))
    return value


def _line(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
