"""Calls from fixed tensors: one graph for every level and drag, the same edit, plain calls where it fails."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._dynamo.testing import CompileCounter

import regiondrag_widget as rd
from regiondrag_widget.models.device import DeviceLostError, device_errors, lost_device
from regiondrag_widget.models.graphs import Accelerator, accelerator_for
from tests.unit.engine_kit import box_pair, picture, processors_of, tiny_pipeline

SHAPE = (96, 128)
HERE, THERE = [box_pair(SHAPE)], [box_pair(SHAPE, dx=20, dy=30), box_pair(SHAPE, dx=5, dy=40)]
Call = Callable[[], Tensor]


def edited(session: rd.ImageSession, pairs: list[Any], **settings: Any) -> Tensor:
    return [step.latents for step in session.edit(pairs, **settings)][-1]


def session_of(pipe: rd.RegionDragPipeline, **options: Any) -> rd.ImageSession:
    return rd.ImageSession(pipe, picture(*SHAPE), **options)


def use(pipe: rd.RegionDragPipeline, record: Callable[[Call], Call], **options: Any) -> Accelerator:
    """Let the pipeline's calls be replayed by what `record` makes of them, as a GPU's would by a graph."""
    made = Accelerator(record, "recorded", **options)
    pipe.backbone._acceleration = (True, pipe.backbone.device, made)
    return made


def from_tensors_alone(pipe: rd.RegionDragPipeline, log: list[str]) -> Callable[[Call], Call]:
    """A stand-in for a CUDA graph: its replay sees the call's own tensors and the layers of its recording."""

    def record(call: Call) -> Call:
        log.append("recorded")
        layers = [(m, m.processor) for m in pipe.unet.modules() if hasattr(m, "get_processor")]

        def replay() -> Tensor:
            log.append("replayed")
            now = [(m, m.processor) for m, _ in layers]
            for module, processor in layers:
                module.set_processor(processor)
            try:
                return call()
            finally:
                for module, processor in now:
                    module.set_processor(processor)

        return replay

    return record


@pytest.fixture
def pipe() -> rd.RegionDragPipeline:
    return tiny_pipeline()


# ---- the same edit ----


@pytest.mark.parametrize(
    "settings", [{}, {"content": "latents"}, {"attention_swap": False}, {"vacated": "keep"}]
)
def test_an_edit_replayed_is_the_edit(pipe: rd.RegionDragPipeline, settings: dict[str, Any]):
    plain = [edited(session_of(pipe), pairs, **settings) for pairs in (HERE, THERE)]
    log: list[str] = []
    use(pipe, from_tensors_alone(pipe, log))
    session = session_of(pipe)
    replayed = [edited(session, pairs, **settings) for pairs in (HERE, THERE)]
    assert log.count("recorded") == 1
    assert log.count("replayed") == 6
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(replayed, plain, strict=True))


def test_one_recording_serves_every_level_number_of_levels_seed_and_drag(pipe: rd.RegionDragPipeline):
    log: list[str] = []
    use(pipe, from_tensors_alone(pipe, log))
    edited(session_of(pipe), HERE)
    edited(session_of(pipe, steps=8, seed=3), THERE)
    assert log.count("recorded") == 1


def test_two_edits_taken_in_turns_do_not_read_each_others_tensors(pipe: rd.RegionDragPipeline):
    alone = [edited(session_of(pipe, seed=s), p) for s, p in ((0, HERE), (5, THERE))]
    use(pipe, from_tensors_alone(pipe, []))
    last: list[Any] = []
    both = (session_of(pipe, seed=0).edit(HERE), session_of(pipe, seed=5).edit(THERE))
    for steps in zip(*both, strict=True):
        last = [step.latents for step in steps]
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(last, alone, strict=True))


def test_a_replayed_call_counts(pipe: rd.RegionDragPipeline):
    use(pipe, from_tensors_alone(pipe, []))
    session = session_of(pipe)
    edited(session, HERE)
    before = session._network.calls
    edited(session, HERE)
    assert session._network.calls - before == 3


def test_another_prompt_is_read(pipe: rd.RegionDragPipeline):
    embeds = [torch.randn(1, 5, 16, generator=torch.Generator().manual_seed(s)) for s in (0, 1)]
    plain = [edited(session_of(pipe, prompt_embeds=e), HERE) for e in embeds]
    log: list[str] = []
    use(pipe, from_tensors_alone(pipe, log))
    replayed = [edited(session_of(pipe, prompt_embeds=e), HERE) for e in embeds]
    assert log.count("recorded") == 1
    assert not torch.allclose(plain[0], plain[1], atol=1e-3)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(replayed, plain, strict=True))


def test_the_network_is_as_it_was_between_steps(pipe: rd.RegionDragPipeline):
    use(pipe, from_tensors_alone(pipe, []))
    before = processors_of(pipe.unet)
    for _ in session_of(pipe).edit(HERE):
        assert all(p is before[name] for name, p in processors_of(pipe.unet).items())


@pytest.mark.slow
def test_a_compiled_edit_is_one_graph_and_the_next_compiles_nothing(pipe: rd.RegionDragPipeline):
    plain = [edited(session_of(pipe), pairs) for pairs in (HERE, THERE)]
    counter = CompileCounter()

    def record(call: Call) -> Call:
        compiled: Call = torch.compile(call, backend=counter, dynamic=False)
        return compiled

    use(pipe, record, needs_layers=True)
    session = session_of(pipe)
    first = edited(session, HERE)
    assert counter.frame_count == 1
    second = edited(session, THERE)
    edited(session_of(pipe, steps=8, seed=3), HERE)
    assert counter.frame_count == 1
    assert torch.allclose(first, plain[0], atol=1e-5)
    assert torch.allclose(second, plain[1], atol=1e-5)


# ---- made anew ----


def test_other_weights_are_recorded_anew(pipe: rd.RegionDragPipeline):
    log: list[str] = []
    use(pipe, from_tensors_alone(pipe, log))
    edited(session_of(pipe), HERE)
    with torch.no_grad():
        pipe.unet.conv_out.weight.mul_(0.5)
    changed = edited(session_of(pipe), HERE)
    assert log.count("recorded") == 2
    pipe.accelerate(False)
    assert torch.allclose(changed, edited(session_of(pipe), HERE), atol=1e-5)


def test_few_recordings_are_kept(pipe: rd.RegionDragPipeline):
    made = use(pipe, from_tensors_alone(pipe, []))
    for tokens in range(1, 8):
        edited(session_of(pipe, prompt_embeds=torch.zeros(1, tokens, 16)), HERE)
    assert len(made._calls) == 4


# ---- where it fails ----


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to"), "eager: not enough memory on the GPU"),
        (RuntimeError("CUDA error: operation not permitted when stream is capturing"), "eager: CUDA error"),
        (ImportError("no compiler found\nin a long story"), "eager: no compiler found"),
    ],
)
def test_what_cannot_be_recorded_is_called_plainly(
    pipe: rd.RegionDragPipeline, error: Exception, words: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    plain = edited(session_of(pipe), HERE)
    asked: list[Call] = []

    def record(call: Call) -> Call:
        asked.append(call)
        raise error

    use(pipe, record)
    session = session_of(pipe)
    assert torch.equal(edited(session, HERE), plain)
    edited(session, HERE)
    assert len(asked) == 1, "once refused, not tried again"
    assert pipe.acceleration.startswith(words)
    assert "\n" not in pipe.acceleration


def test_a_replay_that_fails_is_called_plainly(pipe: rd.RegionDragPipeline):
    plain = edited(session_of(pipe), HERE)
    times = [0]

    def record(call: Call) -> Call:
        def replay() -> Tensor:
            times[0] += 1
            if times[0] == 2:
                raise RuntimeError("the recording is worn out")
            return call()

        return replay

    use(pipe, record, needs_layers=True)
    assert torch.allclose(edited(session_of(pipe), HERE), plain, atol=1e-5)
    assert pipe.acceleration == "eager: the recording is worn out"


def test_a_device_that_is_gone_is_said_in_one_sentence(pipe: rd.RegionDragPipeline):
    def record(call: Call) -> Call:
        raise RuntimeError("CUDA error: unspecified launch failure\nCUDA kernel errors might be")

    before = processors_of(pipe.unet)
    use(pipe, record)
    with pytest.raises(DeviceLostError, match=r"the GPU stopped answering .*: restart the kernel") as caught:
        edited(session_of(pipe), HERE)
    assert "\n" not in str(caught.value)
    assert all(p is before[name] for name, p in processors_of(pipe.unet).items())


def test_weights_that_are_moved_for_each_call_are_called_plainly(pipe: rd.RegionDragPipeline):
    log: list[str] = []
    use(pipe, from_tensors_alone(pipe, log))
    pipe.unet.mid_block._hf_hook = object()
    plain = edited(session_of(pipe), HERE)
    assert log == []
    assert pipe.acceleration == "eager: the UNet is moved or cast for every call (offloading)"
    assert bool(plain.isfinite().all())


def test_another_thread_at_the_same_time_makes_its_own_calls(pipe: rd.RegionDragPipeline):
    plain = edited(session_of(pipe), THERE)
    inside, go_on, log = threading.Event(), threading.Event(), []

    def record(call: Call) -> Call:
        def replay() -> Tensor:
            log.append(threading.current_thread().name)
            inside.set()
            assert go_on.wait(60)
            return call()

        return replay

    use(pipe, record, needs_layers=True)
    first = threading.Thread(target=lambda: edited(session_of(pipe), HERE), name="first")
    other = session_of(tiny_pipeline())
    other._network._backbone._acceleration = pipe.backbone._acceleration
    first.start()
    try:
        assert inside.wait(60)
        assert torch.allclose(edited(other, THERE), plain, atol=1e-5)
        assert set(log) == {"first"}
    finally:
        go_on.set()
        first.join(60)


# ---- what is chosen ----


@pytest.mark.parametrize(
    ("device", "compile", "words"),
    [
        ("cpu", "auto", "eager: nothing to gain on cpu"),
        ("mps", "auto", "eager: nothing to gain on mps"),
        ("cuda", "auto", "CUDA graph"),
        ("cuda", True, "compiled, CUDA graph"),
        ("cpu", True, "compiled"),
        ("cuda", False, "eager"),
    ],
)
def test_what_is_chosen_is_said(device: str, compile: Any, words: str):
    made = accelerator_for(torch.device(device), compile)
    assert (made if isinstance(made, str) else made.words) == words


@pytest.mark.parametrize("compile", ["yes", None, 2])
def test_an_unknown_choice_is_refused(pipe: rd.RegionDragPipeline, compile: Any):
    with pytest.raises(ValueError, match='compile must be "auto", True or False'):
        pipe.accelerate(compile)
    with pytest.raises(ValueError, match='compile must be "auto", True or False'):
        rd.RegionDragPipeline.from_pretrained("mini", device="cpu", compile=compile)


def test_plain_calls_can_be_asked_for(pipe: rd.RegionDragPipeline):
    pipe.accelerate(False)
    assert pipe.acceleration == "eager"


# ---- a device that is gone ----


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (RuntimeError("CUDA error: device-side assert triggered"), True),
        (RuntimeError("CUDA error: unknown error"), True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), True),
        (RuntimeError("CUDA error: out of memory"), False),
        (RuntimeError("CUDA error: no kernel image is available for execution on the device"), False),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), False),
        (RuntimeError("CUDA error: CUBLAS_STATUS_NOT_SUPPORTED when calling `cublasGemmEx`"), False),
        (RuntimeError("CUDA error: invalid device ordinal"), False),
        (RuntimeError("CUDA error: operation not supported"), False),
        (torch.cuda.OutOfMemoryError("CUDA out of memory"), False),
        (RuntimeError("shapes do not fit"), False),
        (ValueError("CUDA error"), False),
    ],
)
def test_a_gpu_that_is_gone_is_told_from_one_that_is_full(error: Exception, lost: bool):
    assert lost_device(error) is lost
    with pytest.raises(DeviceLostError if lost else type(error)), device_errors():
        raise error


# ---- what a replay would leave out ----


def test_hooks_of_the_user_are_called_at_every_step(pipe: rd.RegionDragPipeline):
    """A replay makes no call of Python: with a forward hook on the network, calls are plain ones."""
    log: list[str] = []
    use(pipe, from_tensors_alone(pipe, log))
    session = session_of(pipe)
    edited(session, HERE)
    assert log.count("replayed") == 3
    calls: list[int] = []
    hook = pipe.unet.mid_block.register_forward_hook(lambda *_: calls.append(1))
    edited(session, HERE)
    before = len(calls)
    edited(session, HERE)
    assert len(calls) - before == 3
    assert log.count("replayed") == 3
    assert pipe.acceleration == (
        "eager: the network has forward hooks (mid_block), which a recording would leave out"
    )
    hook.remove()
    edited(session, HERE)
    assert log.count("replayed") == 6, "without the hook calls are replayed again"
    assert pipe.acceleration == "recorded"


def test_freeu_after_a_recording_is_not_ignored(pipe: rd.RegionDragPipeline):
    log: list[str] = []
    use(pipe, from_tensors_alone(pipe, log))
    session = session_of(pipe)
    edited(session, HERE)
    pipe.unet.enable_freeu(s1=0.9, s2=0.2, b1=1.2, b2=1.4)
    replayed = edited(session, HERE)
    assert log.count("recorded") == 2
    pipe.accelerate(False)
    assert torch.allclose(replayed, edited(session_of(pipe), HERE), atol=1e-5)


def test_a_network_that_fell_back_to_plain_calls_gets_its_crop_back(pipe: rd.RegionDragPipeline):
    """A crop of every size would have to be recorded; plain calls have no such need."""

    def record(call: Call) -> Call:
        raise RuntimeError("not on this card")

    use(pipe, record)
    assert pipe.backbone.replays
    edited(session_of(pipe), HERE)
    assert not pipe.backbone.replays
    assert pipe.acceleration == "eager: not on this card"
    pipe.accelerate(False)
    assert not pipe.backbone.replays
