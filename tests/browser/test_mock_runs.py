"""Running, stopping, failing; previews; results compared, accepted, thrown away and brought back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.mock_host.page import Widget

pytestmark = pytest.mark.browser
Open = Callable[..., Widget]


def showing(widget: Widget, what: str) -> None:
    expect(widget.canvas).to_have_attribute("data-showing", what)


def draw_pair(widget: Widget) -> None:
    widget.click("Rectangle")
    widget.drag((60, 100), (110, 150))
    widget.press("v")
    widget.drag((85, 125), (205, 85))


def colour_at(widget: Widget, x: float, y: float) -> list[int]:
    """The lower canvas's colour at a fraction of the view, once what was asked for last is painted."""
    widget.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    pixel: list[int] = widget.root.locator(".rd-layer").first.evaluate(
        "(c, [x, y]) => [...c.getContext('2d').getImageData(x * c.width, y * c.height, 1, 1).data]", [x, y]
    )
    return pixel


@pytest.fixture
def done(open_widget: Open) -> Widget:
    """A widget whose first run has ended, the result on show."""
    widget = open_widget()
    draw_pair(widget)
    widget.click("Run")
    showing(widget, "result")
    return widget


def test_run_is_off_until_something_can_move(open_widget: Open) -> None:
    widget = open_widget()
    expect(widget.button("Run")).to_be_disabled()
    assert "drag it to its place" in (widget.button("Run").get_attribute("title") or "")
    draw_pair(widget)
    expect(widget.button("Run")).to_be_enabled()
    expect(widget.button("Stop")).to_be_disabled()


def test_steps_are_shown_and_acknowledged_in_order(open_widget: Open) -> None:
    widget = open_widget(steps=6, hold=4)
    draw_pair(widget)
    widget.click("Run")
    expect(widget.root.locator(".rd-label")).to_have_text("Step 4 of 6")
    expect(widget.root.get_by_role("progressbar")).to_be_visible()
    widget.page.wait_for_function("host.kernel.acks.at(-1)?.[1] === 4")
    widget.page.evaluate("host.kernel.go()")
    showing(widget, "result")
    expect(widget.root.locator(".rd-label")).to_have_text("Result")


def test_the_last_step_stays_until_the_result_is_on_show(open_widget: Open) -> None:
    """Decoding is slow: frames finish after the end of the run is told, and the result later still."""
    widget = open_widget(steps=3)
    draw_pair(widget)
    widget.page.evaluate(
        """() => {
            const decode = createImageBitmap
            window.createImageBitmap = async (blob) => {
                await new Promise((done) => setTimeout(done, blob.type === "image/png" ? 400 : 60))
                return decode(blob)
            }
            window.seen = []
            const canvas = document.querySelector(".rd-input")
            const look = () => {
                const label = document.querySelector(".rd-label")
                const now = `${canvas.dataset.showing}: ${label.hidden ? "" : label.textContent}`
                if (window.seen.at(-1) !== now) window.seen.push(now)
                requestAnimationFrame(look)
            }
            look()
        }"""
    )
    widget.click("Run")
    showing(widget, "result")
    expect(widget.root.locator(".rd-label")).to_have_text("Result")
    seen: list[str] = widget.page.evaluate("window.seen")
    after = seen[seen.index("step: Step 3 of 3") + 1 :]
    assert after[-1] == "result: Result"
    assert not [now for now in after if "regions" in now or "Preview" in now], "it never falls back"
    widget.page.wait_for_function("host.kernel.acks.at(-1)?.[1] === 3")


def test_a_hint_gives_the_status_back_and_never_covers_a_run(open_widget: Open) -> None:
    widget = open_widget(hold=2)
    draw_pair(widget)
    widget.click("Brush")
    expect(widget.status).to_contain_text("Paint the region")
    expect(widget.status).to_have_text("Ready")
    widget.click("Run")
    expect(widget.status).to_contain_text("Step 2")
    widget.click("Lasso")
    expect(widget.button("Lasso")).to_have_attribute("aria-pressed", "true")
    expect(widget.status).to_contain_text("Step 2", timeout=1)


def test_stop_ends_a_run_and_keeps_the_drawing(open_widget: Open) -> None:
    widget = open_widget(hold=2)
    draw_pair(widget)
    widget.click("Run")
    expect(widget.status).to_contain_text("Step 2")
    widget.click("Stop")
    expect(widget.button("Stop")).to_be_disabled()
    widget.page.evaluate("host.kernel.go()")
    expect(widget.status).to_contain_text("Stopped")
    showing(widget, "regions")
    assert widget.mask("target").any()


def test_a_second_run_replaces_the_first(open_widget: Open) -> None:
    widget = open_widget(hold=2)
    draw_pair(widget)
    widget.click("Run")
    widget.page.wait_for_function("host.kernel.acks.at(-1)?.[1] === 2")  # so it is held by now
    widget.page.evaluate("host.kernel.hold = 0")
    widget.press("Control+Enter")
    showing(widget, "result")
    assert [run["run"] for run in widget.sent("run")] == [1, 2]
    expect(widget.root.locator(".rd-thumb")).to_have_count(1)


def test_an_error_is_told_with_its_remedy_as_text(open_widget: Open) -> None:
    widget = open_widget(hold=1)
    draw_pair(widget)
    widget.click("Run")
    expect(widget.status).to_contain_text("Step 1")
    error = {"v": 1, "type": "error", "run": 1, "message": "<b>Broken</b>", "remedy": "Run it again."}
    widget.page.evaluate("message => host.model.receive(message)", error)
    alert = widget.root.get_by_role("alert")
    expect(alert).to_contain_text("<b>Broken</b>")
    expect(alert).to_contain_text("Run it again.")
    assert widget.root.locator("b").count() == 0
    expect(widget.button("Run")).to_be_enabled()
    widget.click("Dismiss")
    expect(alert).to_be_hidden()


def test_compare_by_slider_side_and_holding(done: Widget) -> None:
    result = colour_at(done, 0.3, 0.57)
    done.click("Compare")
    original = colour_at(done, 0.3, 0.57)
    assert original != result, "left of the divider lies the original"
    divider = done.root.get_by_role("slider", name="Divider between original and result")
    divider.press("Home")
    done.page.wait_for_timeout(50)
    assert colour_at(done, 0.3, 0.57) == result
    done.click("Side by side")
    expect(done.root.locator(".rd-sides span").first).to_be_visible()
    done.click("Side by side")
    done.canvas.focus()
    done.page.keyboard.down("c")
    expect(done.root.locator(".rd-label")).to_have_text("Original")
    assert colour_at(done, 0.3, 0.57) == original
    done.page.keyboard.up("c")
    expect(done.root.locator(".rd-label")).to_have_text("Result")


def test_the_divider_follows_the_mouse(done: Widget) -> None:
    done.click("Compare")
    box = done.canvas.bounding_box()
    assert box is not None
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 3)
    done.page.mouse.move(*middle)
    done.page.mouse.down()
    done.page.mouse.move(box["x"] + box["width"] * 0.8, middle[1], steps=4)
    done.page.mouse.up()
    divider = done.root.get_by_role("slider", name="Divider between original and result")
    assert int(divider.get_attribute("aria-valuenow") or 0) == pytest.approx(80, abs=2)


def test_accept_makes_the_result_the_picture(done: Widget) -> None:
    done.click("Accept")
    showing(done, "regions")
    assert done.sent("accept") == [{"v": 1, "type": "accept", "result": "r1"}]
    assert done.page.evaluate("host.model.get('_image_info').rev") == 2
    expect(done.root.locator(".rd-pair")).to_have_count(0)
    expect(done.button("Undo")).to_be_enabled()  # it takes the Accept back


def test_discard_keeps_the_regions(done: Widget) -> None:
    done.click("Discard")
    showing(done, "regions")
    assert done.mask("handle").any()
    expect(done.button("Accept")).to_be_disabled()


def test_another_seed_runs_again(done: Widget) -> None:
    done.click("Another seed")
    expect(done.root.locator(".rd-thumb")).to_have_count(2)
    seeds = [run["params"]["seed"] for run in done.sent("run")]
    assert seeds[0] == 0
    assert seeds[1] != 0
    assert done.page.evaluate("host.model.get('settings').seed") == seeds[1]


def test_an_earlier_result_is_brought_back(done: Widget) -> None:
    done.click("Discard", "Run")
    showing(done, "result")
    done.root.locator(".rd-thumb").first.click()
    assert done.sent("restore") == [{"v": 1, "type": "restore", "result": "r1"}]
    expect(done.root.locator(".rd-thumb").first).to_have_attribute("aria-current", "true")


def test_taking_a_tool_goes_back_to_the_regions(done: Widget) -> None:
    done.press("b")
    showing(done, "regions")
    done.click("Result")
    showing(done, "result")


@pytest.mark.parametrize(
    "control", ["New pair", "Undo", "Delete pair", "Duplicate", "Flip across", "Back to start", "Clear"]
)
def test_what_changes_regions_shows_them(done: Widget, control: str) -> None:
    done.click(control)
    showing(done, "regions")


def test_keys_that_change_regions_show_them(done: Widget) -> None:
    for key in ("Control+c", "Control+v", "Control+z", "Control+Shift+z"):
        done.press(key)
        if key != "Control+c":
            showing(done, "regions")
            done.click("Result")
        showing(done, "result")


def test_drawing_on_a_result_goes_on_with_the_regions(done: Widget) -> None:
    before = int(done.mask("handle").sum())
    done.click("Brush", "Result")
    showing(done, "result")
    done.drag((250, 40), (280, 60))
    showing(done, "regions")
    assert int(done.mask("handle").sum()) > before


def test_the_result_can_be_downloaded(done: Widget) -> None:
    with done.page.expect_download() as download:
        done.click("Download PNG")
    assert download.value.suggested_filename == "mock-dragged-0.png"
    content = download.value.path().read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"


def test_settings_reach_the_kernel_and_reset(open_widget: Open) -> None:
    widget = open_widget()
    widget.click("Settings")
    drawer = widget.root.get_by_role("complementary", name="Settings of the edit")
    drawer.get_by_label("Prompt", exact=True).fill("<i>a cup</i>")
    drawer.get_by_role("spinbutton", name="Seed").fill("42")
    drawer.get_by_role("spinbutton", name="Steps").fill("8")
    drawer.get_by_label("Where it was").select_option("keep")
    drawer.get_by_role("slider", name="Stop").fill("0.7")
    widget.page.wait_for_function("host.model.patches.some(p => p.settings?.stop === 0.7)")
    settings: dict[str, Any] = widget.page.evaluate("host.model.get('settings')")
    assert {k: settings[k] for k in ("prompt", "seed", "steps", "vacated")} == {
        "prompt": "<i>a cup</i>", "seed": 42, "steps": 8, "vacated": "keep",
    }  # fmt: skip
    assert settings["start"] >= settings["stop"], "the edit cannot begin below where it stops"
    drawer.get_by_role("slider", name="Start").press("Home")
    assert widget.page.evaluate("document.activeElement.value") == "0.05", "no noise at all edits nothing"
    drawer.get_by_role("button", name="Reset").click()
    assert widget.page.evaluate("host.model.get('settings').steps") is None, "the model decides again"
    assert drawer.get_by_role("spinbutton", name="Steps").input_value() == "15"
    assert drawer.get_by_label("Prompt", exact=True).input_value() == ""


def test_settings_of_a_model_that_is_not_loaded_are_automatic_until_it_is(open_widget: Open) -> None:
    own = {"steps": None, "start": None, "stop": None, "model": "some/model"}
    defaults = {"prompt": "", "seed": 0, "vacated": "fill", "matte": "auto", "live": None, **own}
    widget = open_widget(state={"settings": defaults, "_defaults": defaults})
    widget.click("Settings")
    drawer = widget.root.get_by_role("complementary", name="Settings of the edit")
    steps = drawer.get_by_role("spinbutton", name="Steps")
    assert (steps.input_value(), steps.get_attribute("placeholder")) == ("", "automatic")
    assert drawer.get_by_text("automatic", exact=True).count() == 3, "start, stop and guidance say it too"
    loaded = {**defaults, "steps": 4, "start": 0.5, "stop": 0.2}
    widget.page.evaluate("loaded => host.model.update({ _defaults: loaded })", loaded)
    assert steps.input_value() == "4"
    assert drawer.get_by_role("slider", name="Start").input_value() == "0.5"
    assert widget.page.evaluate("host.model.get('settings').steps") is None
