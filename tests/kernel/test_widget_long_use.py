"""Long use: many runs and many widgets leave nothing behind."""

from __future__ import annotations

import gc
import threading
import tracemalloc
import weakref

import pytest

import regiondrag_widget as rd
from tests.kernel.fake_browser import FakeBrowser, until


@pytest.mark.slow
def test_two_hundred_runs_grow_neither_threads_nor_history_nor_kept_objects(drawn, engine):
    FakeBrowser(drawn)
    drawn.settings["steps"] = 2
    results = weakref.WeakSet()
    threads = 0
    for number in range(200):
        results.add(drawn.run(wait=True, seed=number))
        if number == 20:
            threads = threading.active_count()
    gc.collect()
    assert threading.active_count() == threads
    assert len(drawn.history) == len(drawn._history) == len(drawn._thumbs) == 20
    assert len(results) <= 22
    assert engine.closed == 200


@pytest.mark.slow
def test_runs_forty_to_two_hundred_take_no_more_memory(drawn, engine):
    browser = FakeBrowser(drawn)
    drawn.settings["steps"] = 2

    def after(numbers):
        for number in numbers:
            drawn.run(wait=True, seed=number)
            browser.messages.clear()
            browser.updates.clear()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = after(range(40))  # by now the history is full and every cache warm
        grown = after(range(40, 200)) - before
    finally:
        tracemalloc.stop()
    one_result = 96 * 128 * 3
    assert grown < 5 * one_result, f"{grown} bytes more after 160 runs"


@pytest.mark.slow
def test_opening_and_closing_fifty_widgets_leaves_nothing(engine, rgb, handle, target):
    alive = weakref.WeakSet()
    threads = threading.active_count()
    for _ in range(50):
        w = rd.RegionDragWidget(rgb, pairs=[rd.RegionPair(handle, target)], steps=1)
        alive.add(w)
        w.run(wait=True)
        w.close()
    del w
    until(lambda: gc.collect() >= 0 and len(alive) == 0, 5)
    assert threading.active_count() <= threads + 1
