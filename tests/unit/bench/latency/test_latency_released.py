"""The released schedule, the baseline of the latency benchmark, and the networks it is timed on."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from transformers import CLIPTextConfig, CLIPTextModel

import regiondrag_widget as rd
from regiondrag_widget.bench.latency import networks
from regiondrag_widget.bench.latency.lora_training import adapted, train_adapters
from regiondrag_widget.bench.latency.networks import ARCHITECTURES, Architecture, load_network, random_unet
from regiondrag_widget.bench.latency.released import released_calls, released_edit, released_latents
from regiondrag_widget.bench.latency.rows import SAME_LEVELS, WARM, edit_rows
from regiondrag_widget.models.levels import edit_levels, released_levels
from regiondrag_widget.regions import RegionPairs
from tests.unit.engine_kit import box_pair, counted, picture, relative_error, tiny_pipeline


def test_it_computes_what_the_engine_computes_by_the_released_preset():
    pipe = tiny_pipeline()
    levels = released_levels(pipe.backbone.alphas_cumprod, 20, 0.5)
    rng = torch.Generator().manual_seed(5)
    clean = torch.randn(1, 4, 16, 16, generator=rng)
    noise = torch.randn(len(levels), 4, 16, 16, generator=rng)
    source = [[x, y] for y in range(3, 7) for x in range(2, 6)]
    target = [[x + 7, y + 5] for x, y in source]
    correspondence = rd.Correspondence(source, target)
    handle_noise = torch.randn(4, len(source), generator=rng)
    with torch.no_grad():
        ours = released_latents(
            pipe, pipe.network().condition, clean[0], levels, noise, correspondence, handle_noise
        )
    theirs = pipe(
        latents=clean,
        correspondence=correspondence,
        steps=20,
        start=0.5,
        path_noise=noise,
        handle_noise=handle_noise,
        preset="released",
        output_type="latent",
    ).images[0]
    assert relative_error(ours, theirs) < 1e-4
    assert relative_error(ours, clean[0]) > 0.1  # an edit, not the picture again


def test_an_edit_is_ten_calls_of_one_picture_each_way_and_encodes_it_each_time():
    pipe = tiny_pipeline()
    image = picture(128, 128)
    pairs = RegionPairs([box_pair((128, 128))])
    with counted(pipe) as counts:
        edited = released_edit(pipe, image, pairs)
        assert counts == {"unet": 20, "latents": 20, "encode": 1, "decode": 1}
        released_edit(pipe, image, pairs)
        assert counts == {"unet": 40, "latents": 40, "encode": 2, "decode": 2}
    assert released_calls() == 20
    assert edited.shape == image.shape
    assert edited.dtype == np.uint8


def test_no_hook_stays_on_the_network():
    pipe = tiny_pipeline()
    released_edit(pipe, picture(128, 128), RegionPairs([box_pair((128, 128))]))
    assert not any(part._forward_hooks for part in pipe.unet.modules())


# ---- networks ----

MILLIONS = {"sd15": 859.52, "sd21": 865.91, "sdxl": 2567.46}


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_an_architecture_has_as_many_parameters_as_its_checkpoint(name: str):
    with torch.device("meta"):
        unet = random_unet(ARCHITECTURES[name])
    assert sum(p.numel() for p in unet.parameters()) / 1e6 == pytest.approx(MILLIONS[name], abs=0.005)


def test_so_have_the_autoencoder_and_the_text_encoder():
    with torch.device("meta"):
        vae = AutoencoderKL(**networks._VAE)
        text = CLIPTextModel(CLIPTextConfig(**ARCHITECTURES["sd15"].text))
    assert sum(p.numel() for p in vae.parameters()) / 1e6 == pytest.approx(83.65, abs=0.005)
    assert sum(p.numel() for p in text.parameters()) / 1e6 == pytest.approx(123.06, abs=0.005)


@pytest.fixture
def small_architectures(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same parts a hundredth as wide, and no checkpoint in the hub's cache."""
    widths = {"block_out_channels": (8, 16, 16, 16), "norm_num_groups": 4, "attention_head_dim": 2}
    clip = {**networks._CLIP_L, "hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2}
    clip |= {"num_hidden_layers": 2, "vocab_size": 64, "projection_dim": 16}
    vae = {"block_out_channels": (4, 4, 4, 4), "norm_num_groups": 2}
    sd15 = Architecture(
        {**ARCHITECTURES["sd15"].unet, **widths, "cross_attention_dim": 16}, 128, "no/such", clip, vae=vae
    )
    xl = {**ARCHITECTURES["sdxl"].unet, **widths, "block_out_channels": (8, 16, 16)}
    xl |= {"cross_attention_dim": 32, "addition_time_embed_dim": 8, "attention_head_dim": [2, 2, 2]}
    xl |= {"projection_class_embeddings_input_dim": 6 * 8 + 16, "transformer_layers_per_block": [1, 1, 1]}
    sdxl = Architecture(xl, 128, "no/such", clip, clip, {**vae, "force_upcast": True})
    monkeypatch.setattr(networks, "ARCHITECTURES", {"sd15": sd15, "sdxl": sdxl})


@pytest.mark.parametrize("name", ["sd15", "sdxl"])
def test_an_architecture_without_checkpoint_edits_with_random_weights(name: str, small_architectures: None):
    pipe = load_network(name, device="cpu", dtype="bfloat16")
    assert pipe.name == f"{name}, random weights"
    assert next(pipe.unet.parameters()).dtype == torch.bfloat16
    edited = released_edit(pipe, picture(128, 128), RegionPairs([box_pair((128, 128))]))
    assert edited.shape == (128, 128, 3)
    session = rd.ImageSession(pipe, picture(128, 128), steps=4)
    assert [step.index for step in session.edit([box_pair((128, 128))])] == [1, 2]
    assert pipe.draft_vae is not None  # drafts are timed with a small decoder
    for _ in session.draft([box_pair((128, 128))], calls=1):
        pass
    assert load_network(name, device="cpu", draft_vae=None).draft_vae is None


def test_making_a_network_leaves_torchs_defaults_alone(small_architectures: None):
    load_network("sd15", device="cpu", dtype="bfloat16")
    assert torch.get_default_dtype() == torch.float32


def test_the_bundled_network_may_have_random_weights_too():
    trained, random = (
        load_network("mini", device="cpu"),
        load_network("mini", random_weights=True, device="cpu"),
    )
    assert random.name == "mini, random weights"
    assert not torch.equal(trained.unet.conv_in.weight, random.unet.conv_in.weight)


def test_an_unknown_network_is_refused_in_one_sentence():
    with pytest.raises((ValueError, FileNotFoundError), match="no-such"):
        load_network("./no-such-model")
    with pytest.raises(ValueError, match="dtype"):
        load_network("mini", dtype="float8")


def test_the_tokenizer_pads_every_prompt_to_77_tokens():
    words = networks._tokenizer()
    tokens = words("a duck", padding="max_length", max_length=words.model_max_length, truncation=True)
    assert len(tokens.input_ids) == 77
    assert json.dumps(tokens.input_ids)


# ---- the rival's training ----


def test_adapters_learn_the_picture_and_leave_the_network_as_it_was():
    pipe = tiny_pipeline()
    before = {name: p.clone() for name, p in pipe.unet.named_parameters()}
    image = picture(64, 64)
    with adapted(pipe.unet) as parameters:
        assert len(parameters) == 2 * sum(
            isinstance(m, torch.nn.Linear) and ".attn" in n for n, m in pipe.unet.named_modules()
        )
    assert np.isfinite(train_adapters(pipe, image, steps=3))
    for name, p in pipe.unet.named_parameters():
        assert torch.equal(p, before[name])
        assert p.requires_grad
    assert not any(part._forward_hooks for part in pipe.unet.modules())


def test_adapters_begin_as_nothing_and_are_all_trained():
    pipe = tiny_pipeline()
    x, t = torch.randn(1, 4, 16, 16), torch.tensor([500])
    plain = pipe.network().predict(x, t)
    with adapted(pipe.unet) as parameters:
        output = pipe.network().predict(x, t)
        assert torch.equal(output, plain)
        output.square().sum().backward()
        assert all(up.grad is not None and up.grad.abs().sum() > 0 for up in parameters[1::2])


def test_as_many_levels_as_released_are_as_many():
    """The row's edits are asked for what makes its number of calls, whatever the model's own schedule is."""
    asked: list[dict[str, float]] = []
    work = SimpleNamespace(pipe=lambda *_, **__: None, warm=lambda _pipe, **options: asked.append(options))
    (row,) = [row for row in edit_rows(work, levels=3) if row.name == WARM + SAME_LEVELS]
    row.prepare()
    alphas = tiny_pipeline().scheduler.alphas_cumprod
    assert len(edit_levels(alphas, **asked[0])) == row.calls == released_calls() // 2
