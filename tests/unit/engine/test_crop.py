"""The reverse pass on the changing part of the latents alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import regiondrag_widget as rd
from regiondrag_widget.engine.denoise import HALO, WHOLE, EditPlan, crop_of, reverse
from regiondrag_widget.engine.inversion import Inversion, draw_path_noise, invert
from regiondrag_widget.models.levels import edit_levels
from tests.unit.engine_kit import box, picture, relative_error, tiny_pipeline

GRID = (32, 40)
SHAPE = (256, 256)


def plan_of(inversion: Inversion, open_cells: torch.Tensor) -> EditPlan:
    """All but some cells stay on the inversion's own path; those begin elsewhere."""
    start = torch.where(open_cells, inversion.latents[-1].flip(-1), inversion.latents[-1])
    pinned = (~open_cells).expand(len(inversion.latents), *GRID)
    hidden = torch.zeros(GRID, dtype=torch.bool)
    hidden[2:5, 2:5] = True
    return EditPlan(
        start,
        inversion.latents,
        pinned,
        inversion.residuals,
        torch.zeros(GRID, dtype=torch.bool),
        hidden,
        open_cells,
    )


@pytest.fixture(scope="module")
def pipe() -> Any:
    return tiny_pipeline()


@pytest.fixture(scope="module")
def inversion(pipe: Any) -> Inversion:
    levels = edit_levels(pipe.backbone.alphas_cumprod, 6, 0.5)
    generator = torch.Generator().manual_seed(2)
    clean = torch.randn(4, *GRID, generator=generator)
    return invert(pipe.network(), clean, levels, draw_path_noise(len(levels), (4, *GRID), generator))


def cells(y0: int, y1: int, x0: int, x1: int) -> torch.Tensor:
    found = torch.zeros(GRID, dtype=torch.bool)
    found[y0:y1, x0:x1] = True
    return found


def steps_of(
    pipe: Any, inversion: Inversion, plan: EditPlan, crop: Any = WHOLE
) -> tuple[list[Any], set[Any]]:
    sizes = set()
    hook = pipe.unet.register_forward_pre_hook(lambda _, args: sizes.add(tuple(args[0].shape[-2:])))
    steps = list(reverse(pipe.network(), inversion, plan, True, crop=crop))
    hook.remove()
    return steps, sizes


# ---- which part ----


def test_the_window_holds_what_is_open_and_a_halo_in_whole_multiples(inversion: Inversion):
    rows, columns = crop_of(plan_of(inversion, cells(2, 5, 3, 6)), 4)
    assert (rows.start, columns.start) == (0, 0)
    assert rows.stop >= 5 + min(HALO, 4)
    assert columns.stop >= 6 + min(HALO, 4)
    assert rows.stop % 4 == columns.stop % 4 == 0


def test_half_of_the_grid_or_more_is_computed_whole(inversion: Inversion):
    assert crop_of(plan_of(inversion, cells(0, 28, 0, 28)), 4) == WHOLE


def test_where_nothing_is_open_the_whole_is_computed(inversion: Inversion):
    assert crop_of(plan_of(inversion, cells(0, 0, 0, 0)), 4) == WHOLE


def test_cells_open_at_one_level_alone_count(inversion: Inversion):
    plan = plan_of(inversion, cells(2, 5, 3, 6))
    pinned = torch.ones(len(inversion.latents), *GRID, dtype=torch.bool)
    pinned[1, 30, 38] = False
    rows, columns = crop_of(EditPlan(plan.start, plan.anchors, pinned, plan.residuals, plan.deterministic), 4)
    assert rows.start <= 30 < rows.stop
    assert columns.start <= 38 < columns.stop


# ---- what it gives ----


def test_the_network_sees_the_window_and_the_steps_show_the_whole(pipe: Any, inversion: Inversion):
    plan = plan_of(inversion, cells(2, 5, 3, 6))
    crop = crop_of(plan, 2)
    steps, sizes = steps_of(pipe, inversion, plan, crop)
    assert sizes == {(crop[0].stop - crop[0].start, crop[1].stop - crop[1].start)}
    assert next(iter(sizes)) < GRID
    for step in steps:
        assert step.latents.shape == step.clean.shape == (4, *GRID)


def test_all_that_is_pinned_is_as_in_the_whole_pass(pipe: Any, inversion: Inversion):
    open_cells = cells(2, 5, 3, 6)
    plan = plan_of(inversion, open_cells)
    ours, expected = (steps_of(pipe, inversion, plan, w)[0][-1].latents for w in (crop_of(plan, 2), WHOLE))
    assert torch.equal(ours[:, ~open_cells], expected[:, ~open_cells])
    assert relative_error(ours[:, open_cells], expected[:, open_cells]) < 0.5
    assert not torch.equal(ours[:, open_cells], inversion.latents[0][:, open_cells])


def test_a_window_of_everything_is_the_whole_pass(pipe: Any, inversion: Inversion):
    plan = plan_of(inversion, cells(2, 20, 3, 30))
    everything = slice(0, GRID[0]), slice(0, GRID[1])
    ours, expected = (steps_of(pipe, inversion, plan, w)[0][-1].latents for w in (everything, WHOLE))
    assert relative_error(ours, expected) < 1e-6


def test_latents_assigned_to_a_step_are_gone_on_from(pipe: Any, inversion: Inversion):
    plan = plan_of(inversion, cells(2, 5, 3, 6))
    crop = crop_of(plan, 2)
    finals = []
    for change in (0.0, 1.0):
        for step in reverse(pipe.network(), inversion, plan, True, crop=crop):
            if step.index == 1:
                step.latents = step.latents + change
            final = step.latents
        finals.append(final)
    assert not torch.equal(*finals)


# ---- in a session ----


@pytest.fixture(scope="module")
def mini() -> Any:
    return rd.RegionDragPipeline.from_pretrained("mini", dtype="float32")


def edited(pipe: Any, pair: rd.RegionPair, crop: bool = False, **settings: Any) -> np.ndarray:
    session = rd.ImageSession(pipe, picture(*SHAPE))
    for _ in session.edit([pair], prefill="smooth", crop=crop, **settings):
        pass
    return session.result.array


def test_a_cropped_edit_changes_nothing_outside_and_nearly_the_same_inside(mini: Any):
    pair = rd.RegionPair.move(box(SHAPE, 20, 20, 60, 60), 50, 0)
    whole, crop = edited(mini, pair), edited(mini, pair, crop=True)
    touched = pair.handle | pair.target
    assert np.array_equal(crop[~touched], picture(*SHAPE)[~touched])
    assert not np.array_equal(crop, whole)
    change = np.abs(whole.astype(float) - picture(*SHAPE))[touched].mean()
    assert np.abs(crop.astype(float) - whole)[touched].mean() < 0.2 * change


def test_a_large_edit_is_not_cropped(mini: Any):
    pair = rd.RegionPair.move(box(SHAPE, 10, 10, 180, 240), 60, 0)
    assert np.array_equal(edited(mini, pair, crop=True), edited(mini, pair))


@pytest.mark.parametrize("crop", [1, "yes", 0.5])
def test_a_crop_that_is_no_yes_or_no_is_refused(mini: Any, crop: Any):
    with pytest.raises(TypeError, match="crop must be True or False"):
        edited(mini, rd.RegionPair.move(box(SHAPE, 20, 20, 60, 60), 50, 0), crop=crop)
