"""The order in which a thread may take the package's locks is checked when they are taken."""

from __future__ import annotations

import ast
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

import regiondrag_widget as rd
from regiondrag_widget.locks import LockOrderError, OrderedLock, Rank
from regiondrag_widget.models.turns import Turns

PACKAGE = Path(rd.__file__).parent


def in_a_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(5)
    assert not thread.is_alive()


def test_locks_may_be_taken_in_the_order_of_their_ranks():
    locks = [OrderedLock(rank) for rank in Rank]
    for lock in locks:
        lock.acquire()
    assert all(lock.held() for lock in locks)
    for lock in reversed(locks):
        lock.release()
    assert not any(lock.held() for lock in locks)


@pytest.mark.parametrize(("lower", "higher"), list(pairwise(Rank)))
def test_a_lock_of_lower_rank_is_refused_while_a_higher_one_is_held(lower, higher):
    first, second = OrderedLock(higher), OrderedLock(lower)
    with first, pytest.raises(LockOrderError, match=f"{lower.name}.*{higher.name}"):
        second.acquire()
    with second, first:  # and nothing is left behind
        pass


def test_two_locks_of_one_rank_are_refused_in_any_order():
    one, other = OrderedLock(Rank.DOCUMENT), OrderedLock(Rank.DOCUMENT)
    with one, pytest.raises(LockOrderError), other:
        pass


def test_a_networks_turn_is_part_of_the_order():
    turns = Turns()
    with turns, turns, pytest.raises(LockOrderError), OrderedLock(Rank.DOCUMENT):
        pass
    with OrderedLock(Rank.CACHE), pytest.raises(LockOrderError), turns:
        pass
    with OrderedLock(Rank.DOCUMENT), turns:
        pass


def test_a_reentrant_lock_may_be_taken_again_and_is_free_after_as_many_releases():
    lock = OrderedLock(Rank.DOCUMENT, reentrant=True)
    free = []
    with lock:
        with lock, OrderedLock(Rank.WORKER), lock:  # held already: no waiting, so no order to keep
            pass
        in_a_thread(lambda: free.append(lock.acquire(timeout=0.01)))
    in_a_thread(lambda: free.append(lock.acquire(timeout=1)))
    assert free == [False, True]


def test_a_lock_that_is_not_reentrant_refuses_its_own_thread_instead_of_hanging():
    lock = OrderedLock(Rank.WORKER)
    with lock, pytest.raises(LockOrderError):
        lock.acquire()


def test_a_lock_that_is_not_waited_for_is_outside_the_order():
    lock = OrderedLock(Rank.RECORDED_CALLS)
    with OrderedLock(Rank.CACHE):
        assert lock.acquire(blocking=False)
        lock.release()


def test_only_the_thread_that_holds_a_lock_can_release_it():
    lock = OrderedLock(Rank.CACHE)
    with pytest.raises(RuntimeError, match="does not hold"):
        lock.release()
    lock.acquire()
    seen = []
    in_a_thread(lambda: seen.append(lock.held()))
    assert seen == [False]
    assert lock.held()
    lock.release()


def test_what_follows_a_release_is_called_once_the_lock_is_free():
    lock = OrderedLock(Rank.DOCUMENT, reentrant=True)
    held = []
    lock.after_release = lambda: held.append(lock.held())
    with lock, lock:
        pass
    assert held == [False]


def test_a_condition_can_wait_with_an_ordered_lock():
    wake = threading.Condition(OrderedLock(Rank.WORKER))
    got = []

    def wait():
        with wake:
            got.append(wake.wait(0.01))
            got.append(wake.wait(5))

    thread = threading.Thread(target=wait)
    thread.start()
    while len(got) < 1:
        time.sleep(0.001)
    with wake:
        wake.notify_all()
    thread.join(5)
    assert got == [False, True]


def test_taking_a_lock_costs_little():
    lock = OrderedLock(Rank.CACHE)
    began = time.perf_counter()
    for _ in range(10_000):
        with lock:
            pass
    assert (time.perf_counter() - began) / 10_000 < 50e-6


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.relative_to(PACKAGE).as_posix()
)
def test_every_lock_of_the_package_is_part_of_the_order(path):
    if path.relative_to(PACKAGE).as_posix() in {"locks.py", "models/turns.py"}:
        return  # what the order itself is made of
    made = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and (
            node.func.attr in {"Lock", "RLock", "Semaphore"}
            or (node.func.attr == "Condition" and not node.args)
        )
    ]
    assert not made, f"use regiondrag_widget.locks.OrderedLock (lines {made})"
