"""The drawer's half of the table of settings is what the table gives."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from regiondrag_widget.engine.settings import BY_NAME, names
from regiondrag_widget.engine.settingspec import BROWSER_INTEGER

GENERATED = Path("js/src/model/settings.generated.ts")


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path("scripts/generate_settings.py")


@pytest.fixture(scope="module")
def entries() -> list[dict[str, Any]]:
    """The file's entries, read as the data they are."""
    text = GENERATED.read_text(encoding="utf-8")
    body = text[text.index("[\n") : text.rindex("] as const") + 1]
    quoted = re.sub(r"([{,]\s*)(\w+):", r'\1"\2":', body)
    parsed: list[dict[str, Any]] = json.loads(re.sub(r",(\s*[\]}])", r"\1", quoted))
    return parsed


def test_the_generated_file_is_what_the_table_gives(script: dict[str, Any]):
    assert GENERATED.read_text(encoding="utf-8") == script["generated"](), "run `make settings`"
    assert script["main"](["--check"]) == 0


def test_a_stale_file_is_told(script: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    stale = tmp_path / "settings.generated.ts"
    stale.write_text(GENERATED.read_text(encoding="utf-8").replace("1000", "999"), encoding="utf-8")
    script["main"].__globals__["GENERATED"] = stale
    assert script["main"](["--check"]) == 1
    assert "run `make settings`" in capsys.readouterr().err
    assert script["main"]([]) == 0
    assert script["main"](["--check"]) == 0
    script["main"].__globals__["GENERATED"] = GENERATED.resolve()


def test_the_drawer_has_the_widgets_settings_in_the_tables_order(entries: list[dict[str, Any]]):
    assert [entry["name"] for entry in entries] == list(names("widget"))
    assert [entry["order"] for entry in entries] == list(range(1, len(entries) + 1))


def test_each_entry_says_what_the_table_says(entries: list[dict[str, Any]]):
    for entry in entries:
        spec = BY_NAME[entry["name"]]
        assert (entry["type"], entry["label"], entry["help"]) == (spec.kind, spec.label, spec.help)
        assert entry["default"] == spec.default
        assert [choice["value"] for choice in entry.get("choices", ())] == list(spec.values)


def test_a_slider_offers_no_value_that_is_refused(entries: list[dict[str, Any]]):
    for entry in entries:
        if entry["type"] in ("integer", "number"):
            for value in (entry["min"], entry["max"]):
                BY_NAME[entry["name"]].checked_for_browser(value)
            assert entry["max"] <= BROWSER_INTEGER
