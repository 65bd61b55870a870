"""Points, careless drawings, claims and verdicts: the parts of the benchmark that need no network."""

from __future__ import annotations

import numpy as np
import pytest

from regiondrag_widget.bench.methods.method import Method, MethodOutput
from regiondrag_widget.bench.methods.points import fewpoints_name, point_pairs, spread_out
from regiondrag_widget.bench.truth.careless import careless_name, carelessly_drawn, resized_mask
from regiondrag_widget.bench.truth.claims import claims
from regiondrag_widget.bench.truth.decisions import decisions
from regiondrag_widget.bench.truth.metrics import measure
from regiondrag_widget.bench.truth.report import markdown
from regiondrag_widget.bench.truth.result_store import Row
from regiondrag_widget.bench.truth.run import Report, run
from regiondrag_widget.bench.truth.scene import Image, Scene
from regiondrag_widget.bench.truth.scenes import build_scenes
from regiondrag_widget.regions import RegionPair, RegionPairs


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return list(build_scenes((), count=9, size=96))


def square(low: int, high: int, size: int = 64) -> np.ndarray:
    mask = np.zeros((size, size), bool)
    mask[low:high, low:high] = True
    return mask


def blended(scene: Scene, share: float) -> Image:
    """The truth by as much as ``share``, the rest the picture before."""
    return np.rint(share * scene.after + (1 - share) * scene.before.astype(float)).astype(np.uint8)


def method(name: str, share: float, group: str, seconds: float = 1.0) -> Method:
    return Method(name, lambda scene: MethodOutput(blended(scene, share), seconds, 2), group)


def test_points_spread_from_the_middle_to_the_corners() -> None:
    xy = np.stack(np.meshgrid(np.arange(11.0), np.arange(11.0)), axis=-1).reshape(-1, 2)
    chosen = xy[spread_out(xy, 5)].tolist()
    assert chosen[0] == [5, 5]
    assert sorted(chosen[1:]) == [[0, 0], [0, 10], [10, 0], [10, 10]]


def test_no_more_points_are_drawn_than_there_are() -> None:
    assert len(spread_out(np.array([[0.0, 0.0], [4.0, 0.0]]), 9)) == 2


def test_points_of_a_pair_follow_its_matrix_and_lie_inside() -> None:
    matrix = np.array([[1.0, 0, 12], [0, 1, 5], [0, 0, 1]])
    pair = RegionPair(square(10, 30), matrix=matrix)
    handles, targets = point_pairs(RegionPairs([pair]), 4)
    assert np.allclose(targets - handles, [12, 5], atol=1e-3)
    assert all(pair.target[int(y), int(x)] for x, y in targets)


@pytest.mark.parametrize("pixels", [2, 8])
def test_a_mask_grows_and_shrinks_by_so_many_pixels(pixels: int) -> None:
    mask = square(20, 44)
    rows = [np.flatnonzero(resized_mask(mask, p).any(axis=1)) for p in (pixels, -pixels)]
    assert (rows[0][0], rows[0][-1]) == (20 - pixels, 43 + pixels)
    assert (rows[1][0], rows[1][-1]) == (20 + pixels, 43 - pixels)


def test_a_mask_never_shrinks_to_nothing() -> None:
    assert resized_mask(square(30, 34), -16).any()


def test_a_careless_drawing_keeps_the_movement(scenes: list[Scene]) -> None:
    scene = scenes[0]
    drawn = carelessly_drawn(scene, 4)
    assert np.array_equal(np.asarray(drawn[0].matrix), np.asarray(scene.pairs[0].matrix))
    assert drawn[0].handle.sum() > scene.handle.sum()
    assert drawn[0].target.sum() > scene.target.sum()


def test_where_a_method_may_change_the_picture_is_where_it_was_drawn(scenes: list[Scene]) -> None:
    scene = scenes[0]
    drawn = carelessly_drawn(scene, 6)
    touched = drawn.handle | drawn.target
    edited = np.where(touched[..., None], 255 - scene.before, scene.before)
    assert measure(scene, edited).outside > 0
    assert measure(scene, edited, touched).outside == 0


def test_damage_outside_the_scenes_regions_shows_in_the_whole_picture(scenes: list[Scene]) -> None:
    scene = scenes[0]
    damaged = np.where(scene.touched[..., None], scene.after, 255 - scene.after)
    assert measure(scene, damaged).psnr == 60
    assert measure(scene, damaged).psnr_picture < 20


def test_a_method_of_few_scenes_sees_the_first_only(scenes: list[Scene]) -> None:
    few = Method("few", lambda scene: MethodOutput(scene.before, 0.0), "vacated", most_scenes=2)
    report = run(scenes, [few, method("ours", 0.9, "ours")])
    assert [row.scene for row in report.select("few")] == [scene.name for scene in scenes[:2]]
    assert len(report.select("ours")) == len(scenes)


def test_an_ablation_is_read_against_ours_on_the_same_scenes(scenes: list[Scene]) -> None:
    few = Method("matte none", lambda scene: MethodOutput(scene.before, 0.0), "matte", most_scenes=2)
    report = run(scenes, [method("ours", 0.9, "ours"), few])
    common = report.common(["ours", "matte none"])
    assert common.scene_count == 2
    table = markdown(report).split("## Matte")[1]
    assert f"| ours | 2 | **{common.mean('ours', 'psnr'):.2f}** |" in table


def test_a_decision_is_earned_lost_or_even(scenes: list[Scene]) -> None:
    methods = [
        method("ours", 0.8, "ours"),
        method("matte none", 0.5, "matte"),
        method("prefill smooth", 0.97, "prefill"),
        method("method other", 0.8, "method"),
    ]
    found = {d.method: d.verdict for d in decisions(run(scenes, methods), "ours")}
    assert found["matte none"] == "earned"
    assert found["prefill smooth"].startswith("lost")
    assert found["method other"] == "even"


def test_what_wins_by_blur_is_called_so() -> None:
    def row(scene: int, name: str, psnr: float, texture: float) -> Row:
        figures = {"psnr": psnr + scene, "flip": 0.2 - psnr / 1000, "texture": texture, "seconds": 1.0}
        return Row(f"{scene}", "k", "m", name, "ours" if name == "ours" else "prefill", figures)

    rows = [row(s, *r) for s in range(5) for r in (("ours", 20.0, 0.9), ("prefill smooth", 22.0, 0.4))]
    methods = (method("ours", 1, "ours"), method("prefill smooth", 1, "prefill"))
    assert decisions(Report(tuple(rows), methods), "ours")[0].verdict == "lost, by blur or noise"


def test_claims_are_judged_where_their_methods_ran(scenes: list[Scene]) -> None:
    methods = [
        method("ours", 0.9, "ours", seconds=0.5),
        method("released rule", 0.5, "baseline", seconds=0.25),
        method("attention swap none", 0.8, "attention swap"),
        method("point drag", 0.2, "baseline", seconds=60.0),
        method(careless_name(4), 0.5, "drawing"),
        method(fewpoints_name(None), 0.6, "region or points"),
        method(fewpoints_name(4), 0.3, "region or points"),
    ]
    report = run(scenes, methods)
    found = {bar.claim: bar for bar in claims(report)}
    held = {claim for claim, bar in found.items() if bar.holds}
    assert any(claim.startswith("attention swap removes seams (ours") for claim in held)
    assert any("handle 4 px too large" in claim for claim in found.keys() - held)
    assert found["100 times faster than dragging points (ours)"].found.startswith(
        "120 times (0.50 s, 2 calls"
    )
    assert found["100 times faster than dragging points (released rule)"].holds
    assert "## What the paper claims" in markdown(report)


def test_a_report_without_a_network_claims_nothing(scenes: list[Scene]) -> None:
    report = run(scenes[:2], [method("paste", 0.5, "baseline")])
    assert not claims(report)
    assert "What the paper claims" not in markdown(report)


@pytest.mark.parametrize(("share", "vacuous"), [(0.8, True), (0.95, False)])
def test_layers_that_do_nothing_are_named_in_the_claim(
    scenes: list[Scene], share: float, vacuous: bool
) -> None:
    methods = [
        method("ours", 0.7, "ours"),
        method("attention swap none", 0.8, "attention swap", seconds=2.0),
        method("attention swap middle", share, "attention swap"),
        method("attention swap up", 0.6, "attention swap"),
    ]
    (found,) = (bar for bar in claims(run(scenes[:3], methods)) if bar.claim.startswith("middle"))
    assert ("attends to nothing in the middle" in found.found) == vacuous
    assert found.holds != vacuous
