"""Write the drawer's half of the table of settings: js/src/model/settings.generated.ts.

python scripts/generate_settings.py            # write the file
python scripts/generate_settings.py --check    # exit 1 if it is not what the table gives
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from regiondrag_widget.engine.settings import SETTINGS
from regiondrag_widget.engine.settingspec import BROWSER_INTEGER, SettingSpec

GENERATED = Path(__file__).resolve().parent.parent / "js" / "src" / "model" / "settings.generated.ts"
HEAD = """\
/** The settings of an edit, written by scripts/generate_settings.py from the table in engine/settings.py. */
import type { SettingSpec } from "./settingspec"

/** Every setting of the drawer. */
export const SETTINGS = [
"""
TAIL = "] as const satisfies readonly SettingSpec[]\n"


def generated() -> str:
    """The file's content."""
    shown = [spec for spec in SETTINGS if "widget" in spec.faces]
    return HEAD + "".join(_entry(spec, order) for order, spec in enumerate(shown, 1)) + TAIL


def _entry(spec: SettingSpec, order: int) -> str:
    lines = "".join(f"    {name}: {value},\n" for name, value in _properties(spec, order))
    return f"  {{\n{lines}  }},\n"


def _properties(spec: SettingSpec, order: int) -> Iterator[tuple[str, str]]:
    yield "name", _literal(spec.name)
    yield "type", _literal(spec.kind)
    yield "default", _literal(spec.default)
    if spec.choices:
        rows = "".join(
            f"      {{ value: {_literal(choice.value)}, label: {_literal(choice.label)} }},\n"
            for choice in spec.choices
        )
        yield "choices", f"[\n{rows}    ]"
    if spec.min is not None and spec.kind in ("integer", "number"):
        # a slider cannot leave its end out: it begins a step above
        yield "min", _literal(spec.step if spec.above_min else spec.min)
    if spec.max is not None and spec.kind != "choice":
        yield "max", _literal(min(spec.max, BROWSER_INTEGER))
    if spec.step is not None:
        yield "step", _literal(spec.step)
    yield "label", _literal(spec.label)
    yield "help", _literal(spec.help)
    yield "order", _literal(order)


def _literal(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def main(arguments: list[str]) -> int:
    """Write the file, or compare it."""
    text = generated()
    if arguments == ["--check"]:
        if GENERATED.is_file() and GENERATED.read_text(encoding="utf-8") == text:
            return 0
        print(f"{GENERATED.name} differs from the table of settings: run `make settings`", file=sys.stderr)
        return 1
    if arguments:
        print(__doc__, file=sys.stderr)
        return 2
    GENERATED.write_text(text, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
