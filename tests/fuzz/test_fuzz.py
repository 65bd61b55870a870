"""A short run of each fuzzer; ``make fuzz`` runs them long."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.fuzz.faults import fuzz_faults
from tests.fuzz.files import fuzz_archives, fuzz_pictures
from tests.fuzz.messages import fuzz_messages
from tests.fuzz.outcome import Outcome
from tests.fuzz.threads import fuzz_threads


@pytest.mark.parametrize(
    ("fuzz", "count"),
    [(fuzz_messages, 1500), (fuzz_archives, 300), (fuzz_pictures, 150)],
    ids=["messages", "archives", "pictures"],
)
def test_nothing_gets_through(fuzz: Callable[[int, int], Outcome], count: int):
    outcome = fuzz(count, 1)
    print(outcome)
    assert outcome.done == count
    assert outcome.refused > count // 10, "the damage is not worth the name"
    assert not outcome.escapes, str(outcome)


def test_a_fault_at_any_step_leaves_nothing_behind():
    outcome = fuzz_faults(40, 1)
    print(outcome)
    assert outcome.done == 40
    assert not outcome.escapes, str(outcome)


def test_ten_threads_make_the_pictures_of_one():
    outcome = fuzz_threads(40, 1)
    print(outcome)
    assert outcome.done == 40
    assert not outcome.escapes, str(outcome)
