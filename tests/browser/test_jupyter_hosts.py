"""What a notebook does to a widget: keys, several views, restarts, saving, export."""

from __future__ import annotations

import json
import re
from typing import Any

import nbformat
import pytest
from nbconvert.exporters.html import HTMLExporter
from playwright.sync_api import expect

from tests.browser.jupyter_host import SETUP, SHOW, WATCH, draw_ellipse_and_drag
from tests.browser.mock_host.page import Widget

pytest_plugins = ["tests.browser.jupyter_fixtures"]
pytestmark = pytest.mark.browser

QUICK = SHOW.replace("steps=8", "steps=2")


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_the_notebook_steals_no_key_while_the_canvas_has_focus_and_gets_them_back_on_escape(
    app, notebook
) -> None:
    page, _ = notebook(app, [SETUP, SHOW])
    page.run("FakeEngine")
    page.run("RegionDragWidget")
    widget = page.widget()
    cells = page.page.locator(".jp-Cell").count()
    widget.canvas.click(position={"x": 5, "y": 5})
    widget.press("b", "a", "d", "d", "x", "e")
    expect(widget.button("Eraser")).to_have_attribute("aria-pressed", "true")
    assert page.page.locator(".jp-Cell").count() == cells
    page.page.keyboard.press("Escape")
    assert not widget.canvas.evaluate("c => c === document.activeElement")
    page.page.keyboard.press("b")
    expect(page.page.locator(".jp-Cell")).to_have_count(cells + 1)


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_the_widget_is_shown_and_not_the_picture_kept_for_exports(app, notebook, server) -> None:
    page, _ = notebook(app, [SETUP, QUICK])
    page.run("FakeEngine")
    output = page.run("RegionDragWidget").locator(".jp-OutputArea-output")
    page.widget()
    expect(output.locator(".rd-root")).to_have_count(1)
    expect(output.locator(".jp-RenderedImage, img[src^='data:image/png']")).to_have_count(0)
    page.save()
    (saved,) = nbformat.read(server.notebooks / page.name, 4).cells[1].outputs
    assert {"application/vnd.jupyter.widget-view+json", "image/png"} <= saved.data.keys()


def test_two_views_of_one_widget_stay_in_step(notebook, keep) -> None:
    page, kernel = notebook(
        "lab", [SETUP, QUICK.replace("steps=2", "steps=2, height=300, live=False"), "w  # again"]
    )
    page.run("FakeEngine")
    page.run("RegionDragWidget")
    page.run("again")
    first, second = page.widget(0), page.widget(1)
    first.canvas.scroll_into_view_if_needed()
    draw_ellipse_and_drag(first)
    expect(second.button("Pair 1")).to_be_visible()
    second.canvas.scroll_into_view_if_needed()
    second.click("Run")
    for view in (first, second):
        expect(view.canvas).to_have_attribute("data-showing", "result")
    keep(second, "two-views")
    assert kernel.ask("[len(w.pairs), len(w.history)]") == [1, 1]


def test_masks_set_in_python_show_up_in_the_browser(notebook) -> None:
    page, kernel = notebook(
        "lab", [SETUP, SHOW, "w.add_pair(rd.examples.load().pair.handle, matrix=np.eye(3), name='<b>x</b>')"]
    )
    page.run("FakeEngine")
    page.run("RegionDragWidget")
    widget = page.widget()
    page.run("add_pair")
    name = widget.root.get_by_role("textbox", name="Name of pair 1")
    expect(name).to_have_value("<b>x</b>")
    assert widget.root.locator("b").count() == 0
    widget.canvas.scroll_into_view_if_needed()
    widget.click("Delete pair")
    expect(name).to_have_count(0)
    page.until(lambda: kernel.ask("len(w.pairs)") == 0, "the kernel has heard of it", 20)


def test_after_a_kernel_restart_the_drawings_stay_and_the_widget_says_so(notebook, server, keep) -> None:
    page, _ = notebook("lab", [SETUP, SHOW])
    page.run("FakeEngine")
    page.run("RegionDragWidget")
    widget = page.widget()
    draw_ellipse_and_drag(widget)
    page.page.evaluate(
        "async () => { const w = window.jupyterapp.shell.currentWidget;"
        " await w.context.sessionContext.session.kernel.restart() }"
    )
    expect(widget.status).to_contain_text("Kernel gone: run the cell again", timeout=40_000)
    expect(widget.button("Pair 1")).to_be_visible()
    assert widget.canvas.get_attribute("data-showing") == "regions"
    keep(widget, "kernel-gone")


def test_a_failing_engine_is_told_in_the_widget_in_words(notebook, keep) -> None:
    failing = SETUP + "engine.error = RuntimeError('CUDA out of memory. Tried to allocate 20 GiB')\n"
    page, kernel = notebook("lab", [failing, SHOW])
    page.run("FakeEngine")
    page.run("RegionDragWidget")
    widget = page.widget()
    draw_ellipse_and_drag(widget)
    widget.click("Run")
    alert = widget.root.get_by_role("alert")
    expect(alert).to_contain_text("more memory than there is")
    expect(alert).to_contain_text("Try a smaller picture")
    keep(widget, "out-of-memory")
    assert "Traceback" in kernel.ask("w.last_error")
    kernel.ask("setattr(engine, 'error', None)")
    widget.click("Run")
    expect(widget.canvas).to_have_attribute("data-showing", "result")


def test_two_notebooks_on_one_server_do_not_meet(notebook) -> None:
    still = QUICK.replace("steps=2", "steps=2, live=False")  # with Live a slow drag is an edit of its own
    pages = [notebook(app, [SETUP, still]) for app in ("lab", "notebook")]
    for page, _ in pages:
        page.run("FakeEngine")
        page.run("RegionDragWidget")
    (one, kernel_one), (two, kernel_two) = pages
    draw_ellipse_and_drag(one.widget())
    one.widget().click("Run")
    expect(one.widget().canvas).to_have_attribute("data-showing", "result")
    assert kernel_one.ask("[len(w.pairs), len(w.history)]") == [1, 1]
    assert kernel_two.ask("[len(w.pairs), len(w.history)]") == [0, 0]
    assert two.widget().canvas.get_attribute("data-showing") == "regions"


def test_the_views_are_drawn_by_ipycanvas_and_the_replay_scrubs_without_the_kernel(notebook, keep) -> None:
    cells = [
        SETUP,
        "example = rd.examples.load()\nw = rd.RegionDragWidget(example.image, pairs=[example.pair], steps=6)",
        "rd.views.correspondence(w.image, w.pairs)",
        "from regiondrag_widget.engine.result import EditResult\n"
        "steps = [np.full((64, 64, 3), 40 * i, np.uint8) for i in range(1, 6)]\n"
        "rd.views.replay(EditResult(image=w.image, before=w.image, steps=steps))",
    ]
    page, _ = notebook("lab", cells)
    for text in ("FakeEngine", "RegionDragWidget"):
        page.run(text)
    canvas = page.run("correspondence").locator("canvas").first
    expect(canvas).to_be_visible()
    blues = """c => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data
      let n = 0
      for (let i = 0; i < d.length; i += 4)
        if (Math.abs(d[i] - 38) + Math.abs(d[i + 1] - 110) + Math.abs(d[i + 2] - 245) < 30) n++
      return n }"""
    page.until(lambda: canvas.evaluate(blues) > 300, "the arrows are drawn")
    keep(Widget(page.page), "correspondence")

    replay = page.run("views.replay")
    middle = "c => c.getContext('2d').getImageData(c.width / 2, c.height / 2, 1, 1).data[0]"
    shown = replay.locator("canvas:visible")
    expect(shown).to_have_count(1)
    handle = replay.locator(".noUi-handle")
    handle.focus()
    for _ in range(2):
        handle.press("ArrowRight")
    page.until(lambda: shown.first.evaluate(middle) == 80, "the second step is shown")
    keep(Widget(page.page), "replay")


def test_a_saved_notebook_shows_everything_read_only_without_its_kernel(
    notebook, server, mock_browser, keep
) -> None:
    page, _ = notebook("lab", [SETUP, QUICK])
    page.run("FakeEngine")
    page.run("RegionDragWidget")
    widget = page.widget()
    draw_ellipse_and_drag(widget)
    widget.click("Run")
    expect(widget.canvas).to_have_attribute("data-showing", "result")
    page.save_with_widget_state()
    server.end(page.name)
    page.page.goto("about:blank")

    saved = nbformat.read(server.notebooks / page.name, 4)
    html, _ = HTMLExporter().from_notebook_node(saved)
    for notebook_state in (
        saved.metadata.widgets["application/vnd.jupyter.widget-state+json"],
        exported_state(html),
    ):
        (model,) = [m for m in notebook_state["state"].values() if "_regions_rev" in m["state"]]
        carried = {tuple(buffer["path"]) for buffer in model["buffers"]}
        assert {("_image",), ("_result",)} <= carried
        assert sum(path[0] == "_masks" for path in carried) == 2

    page.open()
    widget = page.widget()
    expect(widget.status).to_contain_text("read only", timeout=20_000)
    expect(widget.canvas).to_have_attribute("data-showing", "result")
    expect(widget.button("Pair 1")).to_be_visible()
    expect(widget.button("Run")).to_be_disabled()
    keep(widget, "read-only")


def exported_state(html: str) -> dict[str, Any]:
    """The widgets' state in an exported page."""
    found = re.search(
        r'<script type="application/vnd.jupyter.widget-state\+json">(.*?)</script>', html, re.DOTALL
    )
    assert found
    state: dict[str, Any] = json.loads(found.group(1))
    return state


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_the_bundled_model_moves_a_lighthouse(notebook, keep) -> None:
    cells = [
        "import numpy as np\nimport regiondrag_widget as rd\nexample = rd.examples.load()",
        # a quarter of the pixels: the point is the way through all parts, not the picture
        "half = example.image.resize((256, 256))\n"
        "w = rd.RegionDragWidget(half, pairs=[rd.RegionPair.move(example.handle[::2, ::2], 56, 0)])\n"
        # many levels, to have time to look at them, and a place that the network paints from nothing:
        # what it adds to the smooth fill is too little to be told in a small copy of the canvas
        "w.settings['steps'] = 100\nw.settings['vacated'] = 'noise'\nw",
    ]
    page, kernel = notebook("lab", cells, color_scheme="dark")
    page.page.evaluate(
        "window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})"
    )
    page.run("import regiondrag")
    page.run("RegionDragWidget")
    widget = page.widget()
    keep(widget, "dark-1-drawn")
    page.page.evaluate(WATCH)
    widget.click("Run")
    expect(widget.canvas).to_have_attribute("data-showing", "step", timeout=600_000)
    expect(widget.status).to_contain_text(re.compile(r"Step \d"))
    keep(widget, "dark-2-running")
    expect(widget.canvas).to_have_attribute("data-showing", "result", timeout=600_000)
    keep(widget, "dark-3-result")
    assert page.page.evaluate("window.seen.size") >= 3
    changed = kernel.mask("(np.asarray(w.result.image) != np.asarray(w.image)).any(-1)")
    allowed = kernel.mask("w.pairs[0].handle | w.pairs[0].target")
    assert not (changed & ~allowed).any()
    assert changed.sum() > 0.3 * allowed.sum()
