"""What the reverse pass imposes and for how long, in bare latents and along a composite."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from regiondrag_widget.engine.denoise import EditPlan
from regiondrag_widget.engine.inversion import Inversion, draw_path_noise, invert
from regiondrag_widget.engine.plan import gather_of, latent_plan, pixel_plan
from regiondrag_widget.engine.settings import EditSettings
from regiondrag_widget.models.levels import edit_levels
from regiondrag_widget.regions import Correspondence
from tests.unit.engine_kit import tiny_embeds, tiny_pipeline

CELLS = Correspondence([[2, 3], [3, 3], [2, 4], [3, 4]], [[9, 9], [10, 9], [9, 10], [10, 10]])
IN_LATENTS = {"content": "latents", "matte": "none"}


def clean_latents(seed: int = 4) -> Tensor:
    return torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def inversion() -> Inversion:
    pipe = tiny_pipeline()
    levels = edit_levels(pipe.backbone.alphas_cumprod, steps=20, start=0.5)
    noise = draw_path_noise(len(levels), (4, 16, 16), torch.Generator().manual_seed(5))
    return invert(pipe.network(), clean_latents()[0], levels, noise)


def target_cells() -> Tensor:
    mask = torch.zeros(16, 16, dtype=torch.bool)
    mask[9:11, 9:11] = True
    return mask


def source_cells() -> Tensor:
    mask = torch.zeros(16, 16, dtype=torch.bool)
    mask[3:5, 2:4] = True
    return mask


def plan_of(
    inversion: Inversion, *, editable: Tensor | None = None, copy_until: float | None = None, **changes: Any
) -> EditPlan:
    settings = EditSettings(**{**IN_LATENTS, **changes})
    rng = torch.Generator().manual_seed(1)
    return latent_plan(inversion, CELLS, settings, editable=editable, copy_until=copy_until, generator=rng)


def pasted_levels(inversion: Inversion, plan: EditPlan) -> list[float]:
    """The fractions of the schedule at which the target's cells are imposed."""
    return [
        inversion.levels.fraction(k)
        for k in range(len(plan.pinned))
        if bool(plan.pinned[k][target_cells()].all())
    ]


# ---- the gather ----


def test_a_gather_takes_every_target_cell_from_its_source():
    x = clean_latents()[0]
    moved = gather_of(CELLS, 16, 16, x.device)(x)
    assert torch.equal(moved[:, 9:11, 9:11], x[:, 3:5, 2:4])
    assert torch.equal(moved[:, ~target_cells()], x[:, ~target_cells()])


def test_a_target_cell_named_twice_keeps_its_last_source():
    twice = Correspondence([[1, 1], [2, 2]], [[5, 5], [5, 5]])
    x = clean_latents()[0]
    assert torch.equal(gather_of(twice, 16, 16, x.device)(x)[:, 5, 5], x[:, 2, 2])


def test_a_cell_outside_the_grid_is_refused():
    with pytest.raises(ValueError, match="outside the latent grid of 16x16"):
        gather_of(Correspondence([[1, 1]], [[16, 0]]), 16, 16, torch.device("cpu"))


# ---- stop ----


@pytest.mark.parametrize(("stop", "lowest"), [(0.0, 0.0), (0.2, 0.2), (0.225, 0.25), (0.5, 0.5)])
def test_content_is_pasted_while_the_level_is_at_or_above_stop(
    inversion: Inversion, stop: float, lowest: float
):
    pasted = pasted_levels(inversion, plan_of(inversion, stop=stop))
    assert min(pasted) == pytest.approx(lowest)
    assert max(pasted) == pytest.approx(0.5)


@pytest.mark.parametrize(("stop", "lowest"), [(0.0, 0.0), (0.2, 0.2), (0.5, 0.5)])
def test_stop_holds_along_a_composite_too(inversion: Inversion, stop: float, lowest: float):
    empty = torch.zeros(16, 16, dtype=torch.bool)
    plan = pixel_plan(
        inversion,
        clean_latents(9)[0],
        EditSettings(stop=stop),
        vacated=empty,
        target=target_cells(),
        hidden=empty,
        correspondence=CELLS,
        copied=False,
    )
    assert min(pasted_levels(inversion, plan)) == pytest.approx(lowest)
    assert bool(plan.pinned[:, ~target_cells()].all())


def test_what_lies_outside_the_target_is_never_pasted_over(inversion: Inversion):
    assert not bool(plan_of(inversion, stop=0.0).pinned[:, ~target_cells()].any())


def test_copy_until_names_the_timestep_where_pasting_ends(inversion: Inversion):
    plan = plan_of(inversion, stop=0.0, copy_until=299)
    lowest = min(pasted_levels(inversion, plan))
    assert lowest == pytest.approx(0.3)
    assert len(pasted_levels(inversion, plan_of(inversion, copy_until=300))) == 4


def test_the_released_preset_pastes_at_every_step_and_not_after_the_last(inversion: Inversion):
    pasted = pasted_levels(inversion, plan_of(inversion, preset="released"))
    assert len(pasted) == len(inversion.levels)
    assert min(pasted) > 0


def edited(**options: Any) -> Tensor:
    arguments = {"correspondence": CELLS, "steps": 20, "start": 0.5, "output_type": "latent", "seed": 0}
    return tiny_pipeline()(latents=clean_latents(), **{**arguments, **options}).images[0]


def test_pasting_to_the_end_leaves_the_handles_own_latents_in_the_target():
    out = edited(stop=0.0)
    assert torch.allclose(out[:, target_cells()], clean_latents()[0][:, source_cells()], atol=1e-6)


def test_content_below_stop_is_free():
    results = {stop: edited(stop=stop)[:, target_cells()] for stop in (0.0, 0.2, 0.5)}
    handle = clean_latents()[0][:, source_cells()]
    errors = {stop: float((found - handle).norm()) for stop, found in results.items()}
    assert errors[0.0] < 1e-5
    assert errors[0.2] > 1e-4
    assert not torch.allclose(results[0.2], results[0.5], atol=1e-4)


def test_stop_and_copy_until_say_the_same():
    assert torch.equal(edited(stop=0.3), edited(copy_until=299))


def test_a_stop_above_start_is_refused_for_latents_too():
    with pytest.raises(ValueError, match=r"stop \(0\.6\) lies above start \(0\.5\)"):
        edited(stop=0.6)


# ---- the vacated place along a composite ----


def composite_plan(inversion: Inversion, composite: Tensor, *, copied: bool, **changes: Any) -> EditPlan:
    nothing = torch.zeros(16, 16, dtype=torch.bool)
    return pixel_plan(
        inversion,
        composite,
        EditSettings(**changes),
        vacated=source_cells(),
        target=target_cells(),
        hidden=nothing,
        correspondence=CELLS,
        copied=copied,
        generator=torch.Generator().manual_seed(1),
    )


def test_only_the_vacated_place_is_free_along_a_composite(inversion: Inversion):
    plan = composite_plan(inversion, clean_latents(9)[0], copied=False)
    assert torch.equal(~plan.pinned, source_cells().expand_as(plan.pinned))
    assert torch.equal(plan.anchors[0], clean_latents(9)[0])


def test_a_copied_texture_keeps_its_noise_and_its_residuals(inversion: Inversion):
    plan = composite_plan(inversion, clean_latents(9)[0], copied=True)
    assert not bool(plan.deterministic.any())
    assert torch.equal(plan.residuals[:, :, target_cells()], inversion.residuals[:, :, source_cells()])


def test_a_place_filled_without_a_copy_is_made_afresh(inversion: Inversion):
    assert torch.equal(
        composite_plan(inversion, clean_latents(9)[0], copied=False).deterministic, source_cells()
    )


def test_a_vacated_place_of_noise_is_made_afresh_along_a_composite_too(inversion: Inversion):
    plan = composite_plan(inversion, clean_latents(9)[0], copied=True, vacated="noise")
    assert torch.equal(plan.deterministic, source_cells())
    assert not torch.allclose(plan.start[:, source_cells()], plan.anchors[-1][:, source_cells()], atol=1e-2)


# ---- the rest of the plan ----


def test_cells_that_may_not_change_do_not(inversion: Inversion):
    editable = torch.zeros(1, 1, 16, 16)
    editable[..., 8:, 8:] = 1
    out = edited(stop=0.2, editable=editable)
    assert torch.allclose(out[:, :8], clean_latents()[0][:, :8], atol=1e-5)
    assert torch.allclose(out[:, :, :8], clean_latents()[0][:, :, :8], atol=1e-5)
    assert not torch.allclose(out[:, target_cells()], clean_latents()[0][:, target_cells()], atol=1e-2)


def test_a_target_that_may_not_change_keeps_its_content():
    out = edited(stop=0.0, editable=~target_cells())
    assert torch.allclose(out[:, target_cells()], clean_latents()[0][:, target_cells()], atol=1e-5)


def test_editable_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"editable must have the latents' size \(16, 16\)"):
        edited(editable=torch.ones(1, 1, 8, 8))


def test_keeping_the_vacated_place_leaves_it_as_it_was():
    out = edited(stop=0.0, vacated="keep", attention_swap=True)
    assert torch.allclose(out[:, source_cells()], clean_latents()[0][:, source_cells()], atol=0.2)


def test_filling_the_vacated_place_lets_go_of_what_was_there(inversion: Inversion):
    plan = plan_of(inversion, vacated="fill")
    assert torch.equal(plan.deterministic, source_cells())
    assert torch.equal(plan.hidden, source_cells())
    assert not torch.allclose(
        plan.start[:, source_cells()], inversion.latents[-1][:, source_cells()], atol=1e-2
    )
    assert torch.equal(plan.start[:, ~source_cells()], inversion.latents[-1][:, ~source_cells()])


def test_filled_latents_continue_their_surroundings():
    """A hole in a plain field is filled with the field."""
    pipe = tiny_pipeline()
    levels = edit_levels(pipe.backbone.alphas_cumprod, 20, 0.5)
    flat = torch.full((4, 16, 16), 0.7)
    flat[:, source_cells()] = 5.0
    noise = torch.zeros(len(levels), 4, 16, 16)
    plan = plan_of(invert(pipe.network(), flat, levels, noise), vacated="fill")
    assert torch.allclose(plan.start, torch.full_like(flat, 0.7 * levels.alphas[-1] ** 0.5), atol=1e-4)


def test_a_vacated_place_of_noise_is_fresh_noise(inversion: Inversion):
    plan = plan_of(inversion, vacated="noise")
    assert torch.equal(plan.deterministic, source_cells())
    assert not torch.allclose(
        plan.start[:, source_cells()], inversion.latents[-1][:, source_cells()], atol=1e-2
    )


def test_residuals_follow_the_content_or_stay(inversion: Inversion):
    followed = plan_of(inversion, residual="follow").residuals
    assert torch.equal(followed[:, :, target_cells()], inversion.residuals[:, :, source_cells()])
    assert torch.equal(plan_of(inversion, residual="stay").residuals, inversion.residuals)


def test_handle_noise_keeps_the_variance_and_touches_the_handle_only(inversion: Inversion):
    noise = torch.ones(4, 4) * 2
    settings = EditSettings(**IN_LATENTS, vacated="keep", handle_noise_scale=0.6)
    start = latent_plan(inversion, CELLS, settings, handle_noise=noise).start
    top = inversion.latents[-1]
    assert torch.allclose(start[:, source_cells()], 0.8 * top[:, source_cells()] + 0.6 * 2, atol=1e-6)
    assert torch.equal(start[:, ~source_cells()], top[:, ~source_cells()])


def test_a_handle_cell_named_twice_keeps_its_last_noise(inversion: Inversion):
    twice = Correspondence([[2, 3], [2, 3]], [[9, 9], [10, 9]])
    noise = torch.tensor([[1.0, 5.0]]).expand(4, 2)
    settings = EditSettings(**IN_LATENTS, vacated="keep", handle_noise_scale=1.0)
    start = latent_plan(inversion, twice, settings, handle_noise=noise).start
    assert torch.equal(start[:, 3, 2], torch.full((4,), 5.0))


def test_handle_noise_of_another_shape_is_refused(inversion: Inversion):
    settings = EditSettings(**IN_LATENTS, handle_noise_scale=1.0)
    with pytest.raises(ValueError, match=r"handle_noise must have shape \(4, 4\), one column a row"):
        latent_plan(inversion, CELLS, settings, handle_noise=torch.zeros(4, 3))


def test_an_edit_is_the_same_for_the_same_seed_and_another_for_another():
    assert torch.equal(edited(seed=3), edited(seed=3))
    assert not torch.allclose(edited(seed=3, stop=0.2), edited(seed=4, stop=0.2), atol=1e-3)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_a_seed_gives_the_same_edit_at_every_batch_size(batch_size: int, monkeypatch: pytest.MonkeyPatch):
    expected = edited(seed=3, handle_noise_scale=0.5)
    monkeypatch.setattr("regiondrag_widget.models.unet.UNetNetwork.batch_size", lambda *_: batch_size)
    assert torch.allclose(edited(seed=3, handle_noise_scale=0.5), expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample"])
def test_every_parametrisation_edits(kind: str):
    pipe = tiny_pipeline(prediction_type=kind)
    out = pipe(
        latents=clean_latents(),
        correspondence=CELLS,
        stop=0.0,
        prompt_embeds=tiny_embeds(),
        output_type="latent",
    )
    assert torch.allclose(out.images[0][:, target_cells()], clean_latents()[0][:, source_cells()], atol=1e-5)
    assert bool(out.images.isfinite().all())
