"""How many threads torch is left with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import torch

from regiondrag_widget.models import threads
from regiondrag_widget.models.threads import available_cpus, settle_threads


@pytest.fixture(autouse=True)
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Four cores, eight threads, torch at its default of four, and nobody having said anything."""
    before = torch.get_num_threads()
    for name in threads.SAID:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 8 if logical else 4)
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def allow(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(threads, "available_cpus", lambda: count)


def test_no_more_threads_than_processors_that_may_be_used(monkeypatch: pytest.MonkeyPatch):
    allow(monkeypatch, 2)
    assert settle_threads() == torch.get_num_threads() == 2


def test_threads_are_never_added(monkeypatch: pytest.MonkeyPatch):
    allow(monkeypatch, 64)
    assert settle_threads() == 4


@pytest.mark.parametrize("name", threads.SAID)
def test_what_the_environment_says_stays(monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.setenv(name, "4")
    allow(monkeypatch, 1)
    assert settle_threads() == 4


def test_what_the_user_set_stays(monkeypatch: pytest.MonkeyPatch):
    torch.set_num_threads(3)
    allow(monkeypatch, 1)
    assert settle_threads() == 3


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu.max": "nonsense"}, None),
        ({}, None),
    ],
)
def test_a_containers_quota_counts(
    tmp_path: Path, files: dict[str, str], quota: int | None, monkeypatch: pytest.MonkeyPatch
):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(16), raising=False)
    assert available_cpus(tmp_path) == (16 if quota is None else quota)


def test_the_affinity_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 5, 6}, raising=False)
    assert available_cpus(tmp_path) == 3
