"""Methods that use a network, on a tiny random one: what they may touch, what counts, what they depend on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
import torch

from regiondrag_widget.bench.methods import pointdrag
from regiondrag_widget.bench.methods.diffusion import diffusion_methods
from regiondrag_widget.bench.methods.fewpoints import few_points
from regiondrag_widget.bench.methods.method import Method
from regiondrag_widget.bench.methods.network import BenchNetwork
from regiondrag_widget.bench.methods.own_edits import POSITION_STEPS, ours, released, session_method
from regiondrag_widget.bench.methods.pointdrag import PointDrag, point_drag
from regiondrag_widget.bench.methods.sdedit import sdedit
from regiondrag_widget.bench.truth.ablations import ablations
from regiondrag_widget.bench.truth.metrics import measure
from regiondrag_widget.bench.truth.scene import Scene
from regiondrag_widget.bench.truth.scenes import build_scenes
from regiondrag_widget.engine.inversion import Inversion
from regiondrag_widget.models.keyvalues import KeyValueCache
from regiondrag_widget.models.levels import edit_levels
from regiondrag_widget.models.unet import UNetNetwork
from regiondrag_widget.pipeline import RegionDragPipeline
from tests.unit.engine_kit import tiny_pipeline


@pytest.fixture(scope="module")
def scene() -> Scene:
    return next(build_scenes((), count=1, size=96))


@pytest.fixture(scope="module")
def network() -> BenchNetwork:
    return BenchNetwork(tiny_pipeline())


SHORT = PointDrag(points=2, steps=2, levels=4, start=0.5)


def cheap(network: BenchNetwork) -> list[Method]:
    """Each method of the main table and the few points, the costly one cut short."""
    main = [method for method in diffusion_methods(network) if method.name != "point drag"]
    return [*main, point_drag(network, SHORT), few_points(network)[1]]


def test_no_method_changes_a_pixel_outside_handle_and_target(scene: Scene, network: BenchNetwork) -> None:
    for method in cheap(network):
        output = method.run(scene)
        assert measure(scene, output.image).outside == 0, method.name
        assert (output.image != scene.before).any(), method.name


def test_a_transformer_has_the_methods_it_is_capable_of(scene: Scene) -> None:
    pipe = RegionDragPipeline.from_pretrained("mini-flow", device="cpu", dtype="float32")
    pipe.profile = replace(pipe.profile, side=96, min_side=96)  # of the scene
    methods = {method.name: method for method in diffusion_methods(BenchNetwork(pipe))}
    positions = ["drag by position 1", "drag by position 0.5"]
    assert list(methods) == ["ours", *positions, "SDEdit 0.3", "SDEdit 0.5", "warp + inpaint"]
    outputs = {name: method.run(scene) for name, method in methods.items()}
    for name, output in outputs.items():
        assert measure(scene, output.image).outside == 0, name
        assert (output.image != scene.before).any(), name
    assert outputs["drag by position 1"].network_calls == POSITION_STEPS  # nothing is inverted
    assert outputs["ours"].network_calls == 10  # 5 levels, up and down


def test_a_method_gives_the_same_picture_again(scene: Scene, network: BenchNetwork) -> None:
    for method in cheap(network):
        assert np.array_equal(method.run(scene).image, method.run(scene).image), method.name


def test_each_picture_of_a_batch_counts_as_a_call(scene: Scene, network: BenchNetwork) -> None:
    # 3 levels: once through each on the way up, in one batch, and once on the way down
    assert ours(network).run(scene).network_calls == 6
    assert sdedit(network, 0.5).run(scene).network_calls == 10
    assert point_drag(network, SHORT).run(scene).network_calls == 2 + 2 + 2 + 2


def test_counting_leaves_the_network_as_it_was(scene: Scene, network: BenchNetwork) -> None:
    before = dict(network.pipe.unet.attn_processors)
    point_drag(network, SHORT).run(scene)
    assert dict(network.pipe.unet.attn_processors) == before
    assert not network.pipe.unet._forward_pre_hooks
    assert not network.pipe.unet.up_blocks[-2]._forward_hooks


def test_presets_choose_which_edits_of_ours_run(network: BenchNetwork) -> None:
    assert "released rule" not in {method.name for method in diffusion_methods(network, ["default"])}
    assert "ours" not in {method.name for method in diffusion_methods(network, ["released"])}
    assert [m.group for m in diffusion_methods(network) if m.name in ("ours", "released rule")] == [
        "ours",
        "baseline",
    ]


def test_the_costly_methods_see_few_scenes(network: BenchNetwork) -> None:
    few = {method.name for method in diffusion_methods(network, few_scenes=5) if method.most_scenes == 5}
    assert few == {"point drag"}
    assert all(method.most_scenes == 5 for method in ablations(network, 5))


def test_ablations_have_a_name_each_and_leave_the_defaults_own_values_out(network: BenchNetwork) -> None:
    names = [method.name for method in ablations(network)]
    assert len(set(names)) == len(names)
    assert {"attention swap gathered", "released rule, attention swap gathered"} <= set(names)
    assert {"attention swap none", "vacated noise", "matte none", "content latents", "stop 0"} <= set(names)
    assert not {"attention swap all", "vacated fill", "matte auto", "content pixels", "stop 0.2"} & set(names)


def test_an_ablation_of_every_group_gives_a_picture(scene: Scene, network: BenchNetwork) -> None:
    for method in {method.group: method for method in ablations(network)}.values():
        output = method.run(scene)
        assert measure(scene, output.image, output.drawn).outside == 0, method.name


def test_an_ablation_visits_as_many_levels_as_its_name_says(scene: Scene, network: BenchNetwork) -> None:
    methods = {method.name: method for method in ablations(network)}
    for count in (2, 8):
        assert methods[f"{count} levels"].run(scene).network_calls == 2 * count


def test_a_changed_start_keeps_the_number_of_levels(scene: Scene, network: BenchNetwork) -> None:
    methods = {method.name: method for method in ablations(network)}
    assert methods["start 0.35"].run(scene).network_calls == ours(network).run(scene).network_calls


def test_results_depend_on_the_defaults_of_the_model() -> None:
    first, second = BenchNetwork(tiny_pipeline()), BenchNetwork(tiny_pipeline())
    defaults = {**second.pipe.profile.defaults, "matte": "none"}
    second.pipe.profile = replace(second.pipe.profile, defaults=defaults)
    assert ours(first).settings != ours(second).settings


def test_the_released_rule_is_the_released_preset(scene: Scene, network: BenchNetwork) -> None:
    same = session_method(network, "same", "baseline", {"preset": "released"})
    assert np.array_equal(released(network).run(scene).image, same.run(scene).image)


class Steady:
    """A network that sees the same noise in everything, so that the way back is exactly the way there."""

    prediction_type = "epsilon"

    def predict(self, x: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        return torch.randn(x.shape[1:], generator=torch.Generator().manual_seed(4)).expand(x.shape)

    def capture(self, x: torch.Tensor, timesteps: torch.Tensor, cache: KeyValueCache) -> torch.Tensor:
        return self.predict(x, timesteps)

    @contextmanager
    def inject(self, *_: object) -> Iterator[Callable[[int, int, torch.Tensor], torch.Tensor]]:
        yield lambda k, timestep, x: self.predict(x, torch.tensor([timestep]))

    def batch_size(self, height: int, width: int) -> int:
        return 4


def test_inversion_and_denoising_undo_each_other(network: BenchNetwork) -> None:
    clean, steady = torch.rand(4, 8, 8), cast(UNetNetwork, Steady())
    levels = edit_levels(network.pipe.backbone.alphas_cumprod, 20, 0.7)
    inversion = pointdrag._deterministic_inversion(steady, clean, levels)
    assert (inversion.latents[-1] - clean).abs().mean() > 0.3
    assert torch.allclose(pointdrag._denoised(steady, inversion, inversion.latents[-1]), clean, atol=1e-4)


class Still:
    """A network that predicts nothing, and whose features are its input."""

    prediction_type = "epsilon"

    def __init__(self) -> None:
        self.unet = torch.nn.Module()
        self.unet.up_blocks = torch.nn.ModuleList([torch.nn.Identity(), torch.nn.Identity()])

    def predict(self, x: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        return self.unet.up_blocks[-2](x) * 0  # type: ignore[index, operator, no-any-return]


def test_the_optimisation_drags_a_point_to_its_target_and_stops(
    network: BenchNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    ys, xs = torch.meshgrid(torch.arange(24.0), torch.arange(24.0), indexing="ij")
    blob = torch.exp(-((xs - 8) ** 2 + (ys - 12) ** 2) / 8)[None]
    levels = edit_levels(network.pipe.backbone.alphas_cumprod, 10, 0.2)
    path = blob.expand(len(levels) + 1, -1, -1, -1)
    inversion = Inversion(levels, path, path[1:], path[1:], KeyValueCache())
    handles, targets = torch.tensor([[8.0, 12.0]]), torch.tensor([[12.0, 12.0]])
    track, seen = pointdrag._tracked, []

    def noted(*args: Any) -> torch.Tensor:
        seen.append(track(*args))
        return seen[-1]

    monkeypatch.setattr(pointdrag, "_tracked", noted)
    how = PointDrag(steps=200, rate=0.05, supervised=3)
    everywhere, still = torch.ones(24, 24, dtype=torch.bool), cast(UNetNetwork, Still())
    moved = pointdrag._optimised(still, inversion, everywhere, handles, targets, (24, 24), how)
    assert (seen[-1] - targets).norm() <= 1
    assert len(seen) < how.steps - 1
    assert moved[0, 12, 12] > 0.5
