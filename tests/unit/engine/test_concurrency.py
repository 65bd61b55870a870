"""Edits from several threads: every picture is the one a single thread makes, and nothing is left behind."""

from __future__ import annotations

import random
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline

import regiondrag_widget as rd
from regiondrag_widget import api
from regiondrag_widget.models.turns import Turns, turns_of
from tests.unit.engine_kit import (
    box_pair,
    picture,
    processors_of,
    tiny_embeds,
    tiny_pipeline,
    tiny_scheduler,
    tiny_text_encoder,
    tiny_tokenizer,
    tiny_unet,
    tiny_vae,
)

SHAPE = (96, 128)
THREADS = 6


def pixels(result: Any) -> np.ndarray:
    return np.asarray(result.image)


def in_threads(work: Callable[[int], Any], count: int = THREADS) -> list[Any]:
    """What `work(i)` gives in each of the threads, begun together."""
    together = threading.Barrier(count)

    def begin(i: int) -> Any:
        together.wait()
        return work(i)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))


@pytest.mark.looks_anew
@pytest.mark.parametrize("content", ["pixels", "latents"])
@pytest.mark.parametrize("keys_values", ["device", "recompute"])
def test_edits_of_one_network_from_many_threads_are_the_serial_ones(content: str, keys_values: str):
    pipe = tiny_pipeline()
    before = processors_of(pipe.unet)

    def edited(seed: int) -> np.ndarray:
        session = rd.ImageSession(pipe, picture(*SHAPE, seed=seed), seed=seed, keys_values=keys_values)
        for _ in session.edit([box_pair(SHAPE)], content=content):
            pass
        return pixels(session.result)

    serial = [edited(seed) for seed in range(THREADS)]
    for threaded in (in_threads(edited) for _ in range(3)):
        for ours, expected in zip(threaded, serial, strict=True):
            assert np.array_equal(ours, expected)
    assert all(processors_of(pipe.unet)[name] is p for name, p in before.items())


def test_pipelines_that_share_a_network_take_turns():
    first = tiny_pipeline()
    second = type(first).from_pipe(first)
    second.profile = first.profile
    assert second.unet is first.unet

    def edited(i: int) -> np.ndarray:
        pipe = (first, second)[i % 2]
        session = rd.ImageSession(pipe, picture(*SHAPE, seed=i), seed=i)
        list(session.edit([box_pair(SHAPE)]))
        return pixels(session.result)

    serial = [edited(i) for i in range(THREADS)]
    assert all(np.array_equal(a, b) for a, b in zip(in_threads(edited), serial, strict=True))


def test_a_session_may_be_edited_from_two_threads():
    session = rd.ImageSession(tiny_pipeline(), picture(*SHAPE), seed=0)
    pairs = [[box_pair(SHAPE, dx=8 * (i + 1))] for i in range(THREADS)]

    def edited(i: int) -> torch.Tensor:
        return [step.latents.clone() for step in session.edit(pairs[i])][-1]

    serial = [edited(i) for i in range(THREADS)]
    assert all(torch.equal(a, b) for a, b in zip(in_threads(edited), serial, strict=True))


def test_edits_that_are_cancelled_at_random_leave_the_others_right():
    pipe = tiny_pipeline()
    before = processors_of(pipe.unet)
    image = picture(*SHAPE)
    expected = pixels(rd.edit(image, [box_pair(SHAPE)], pipe))

    def edit_some(i: int) -> list[np.ndarray]:
        rng, whole = random.Random(i), []
        for _ in range(6):
            steps = rd.ImageSession(pipe, image, seed=0)
            running = steps.edit([box_pair(SHAPE)])
            stop_after = rng.choice([0, 1, 2, None])
            for step in running:
                if stop_after is not None and step.index > stop_after:
                    running.close()
                    break
            if stop_after is None:
                whole.append(pixels(steps.result))
        return whole

    finished = [image for images in in_threads(edit_some) for image in images]
    assert finished
    assert all(np.array_equal(image, expected) for image in finished)
    assert all(processors_of(pipe.unet)[name] is p for name, p in before.items())


def test_failing_edits_leave_the_others_right():
    pipe = tiny_pipeline()
    before = processors_of(pipe.unet)
    image = picture(*SHAPE)
    expected = pixels(rd.edit(image, [box_pair(SHAPE)], pipe))
    failing = threading.local()

    def fail(*_: Any) -> None:
        if getattr(failing, "now", False):
            raise RuntimeError("a crash in the middle of a step")

    hook = pipe.unet.mid_block.register_forward_pre_hook(fail)

    def edit(i: int) -> np.ndarray | None:
        failing.now = i % 2 == 0
        if failing.now:
            with pytest.raises(RuntimeError, match="a crash"):
                rd.edit(image, [box_pair(SHAPE)], pipe)
            return None
        return pixels(rd.edit(image, [box_pair(SHAPE)], pipe))

    images = [image for image in in_threads(edit) if image is not None]
    hook.remove()
    assert len(images) == THREADS // 2
    assert all(np.array_equal(image, expected) for image in images)
    assert all(processors_of(pipe.unet)[name] is p for name, p in before.items())


def test_a_users_own_pipeline_is_right_while_ours_edits(tmp_path: Path):
    users = StableDiffusionPipeline(
        vae=tiny_vae(),
        text_encoder=tiny_text_encoder(),
        tokenizer=tiny_tokenizer(tmp_path),
        unet=tiny_unet(),
        scheduler=tiny_scheduler(steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    users.set_progress_bar_config(disable=True)
    ours = rd.RegionDragPipeline.from_pipe(users)
    image = picture(*SHAPE)

    def generated() -> np.ndarray:
        return users(
            "a dog",
            num_inference_steps=3,
            height=64,
            width=64,
            output_type="np",
            generator=torch.Generator().manual_seed(0),
        ).images

    def edited() -> np.ndarray:
        return pixels(rd.edit(image, [box_pair(SHAPE)], ours, steps=6, prompt="a dog"))

    expected = generated(), edited()

    def alternate(i: int) -> list[bool]:
        kind = min(i, 1)  # one generates: two that do disturb each other's tokenizer, without us
        make = (generated, edited)[kind]
        return [np.array_equal(make(), expected[kind]) for _ in range(6)]

    assert all(all(right) for right in in_threads(alternate, 4))
    assert np.array_equal(generated(), expected[0])


def test_a_call_that_another_thread_has_begun_is_the_owners_after_our_removal_too():
    """The network's owner has fetched the processor, and we are gone before it runs."""
    pipe = tiny_pipeline()
    layer = pipe.unet.down_blocks[0].attentions[0].transformer_blocks[0].attn1
    fetched: list[Any] = []
    hook = pipe.unet.mid_block.register_forward_hook(lambda *_: fetched.append(layer.processor))
    list(rd.ImageSession(pipe, picture(*SHAPE)).edit([box_pair(SHAPE)]))
    hook.remove()
    x = torch.randn(1, 16, layer.to_q.in_features, generator=torch.Generator().manual_seed(0))
    expected = layer.processor(layer, x)
    for ours in fetched:
        assert ours is not layer.processor
        ours.key = ours.value = torch.zeros(1, 16, layer.to_k.out_features)  # as before they are let go
        (answer,) = in_threads(lambda _, ours=ours: ours(layer, x), 1)
        assert torch.equal(answer, expected)


def test_a_processor_set_by_someone_else_meanwhile_stays():
    from diffusers.models.attention_processor import AttnProcessor

    pipe = tiny_pipeline()
    theirs = AttnProcessor()
    layer = pipe.unet.down_blocks[0].attentions[0].transformer_blocks[0].attn1
    once = pipe.unet.mid_block.register_forward_hook(lambda *_: layer.set_processor(theirs))
    rd.edit(picture(*SHAPE), [box_pair(SHAPE)], pipe)
    once.remove()
    assert layer.processor is theirs


def test_a_cold_model_is_loaded_once(monkeypatch: pytest.MonkeyPatch):
    loads: list[object] = []
    real = rd.RegionDragPipeline.from_pretrained

    def counting(model: Any, **options: Any) -> Any:
        loads.append(model)
        return real(model, **options)

    monkeypatch.setattr(rd.RegionDragPipeline, "from_pretrained", counting)
    monkeypatch.setattr(api, "_kept", type(api._kept)())
    pipes = in_threads(lambda _: rd.load_pipeline("mini", dtype="float32"))
    assert len(loads) == 1
    assert all(pipe is pipes[0] for pipe in pipes)


def test_cold_loads_of_several_models_leave_torch_as_it_was():
    """In a process of its own: what it guards against would stay with every later test."""
    code = """
        import threading, torch, regiondrag_widget as rd
        kinds = ["float32", "bfloat16"] * 2
        threads = [threading.Thread(target=rd.RegionDragPipeline.from_pretrained, kwargs={"dtype": kind})
                   for kind in kinds]
        [t.start() for t in threads]
        [t.join() for t in threads]
        assert torch.nn.Linear(2, 2).weight.device.type == "cpu"
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_turns_are_given_in_the_order_of_asking():
    turns, order = Turns(), []
    asked = [threading.Event() for _ in range(4)]

    def wait(i: int) -> None:
        asked[i].set()
        with turns:
            order.append(i)

    threads = [threading.Thread(target=wait, args=(i,)) for i in range(4)]
    with turns:
        for i, thread in enumerate(threads):
            thread.start()
            asked[i].wait()
            while len(turns._waiting) <= i:
                pass
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3]


def test_a_turn_can_be_taken_again_by_its_owner_and_is_free_afterwards():
    turns = Turns()
    with turns, turns:
        pass
    assert in_threads(lambda i: bool(turns.__enter__() or turns.__exit__(None, None, None) or True), 2)


def test_a_step_waits_for_the_network_and_the_time_between_steps_does_not():
    pipe = tiny_pipeline()
    session = rd.ImageSession(pipe, picture(*SHAPE), prompt_embeds=tiny_embeds())
    running = session.edit([box_pair(SHAPE)])
    next(running)
    taken = in_threads(lambda _: bool(turns_of(pipe.unet).__enter__() or True), 1)
    assert taken == [True]  # another thread could take the turn while this edit stands between two steps
