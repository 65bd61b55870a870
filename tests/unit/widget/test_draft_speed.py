"""The running median of drafts, and when they are quick enough to follow a pointer."""

from __future__ import annotations

import pytest

from regiondrag_widget.widget.draft_speed import KEPT, QUICK, SLOW, DraftSpeed


def measured(*seconds):
    latency = DraftSpeed()
    for each in seconds:
        latency.add(each)
    return latency


def test_before_the_first_draft_nothing_is_known():
    assert measured().draft_ms is None
    assert not measured().quick


def test_the_median_counts_not_the_one_draft_that_waited():
    latency = measured(0.1, 0.1, 3.0, 0.1, 0.1)
    assert latency.draft_ms == 100.0
    assert latency.quick


def test_only_the_latest_drafts_count():
    latency = measured(*[1.0] * 20, *[0.1] * KEPT)
    assert latency.draft_ms == 100.0


@pytest.mark.parametrize(("seconds", "quick"), [(QUICK - 0.001, True), (QUICK, False), (SLOW, False)])
def test_a_first_draft_under_the_limit_is_quick(seconds, quick):
    assert measured(seconds).quick is quick


def test_between_the_limits_it_stays_as_it_was():
    between = (QUICK + SLOW) / 2
    quick, slow = measured(0.1), measured(1.0)
    for _ in range(2 * KEPT):
        quick.add(between)
        slow.add(between)
    assert quick.quick
    assert not slow.quick
    for _ in range(KEPT):
        quick.add(SLOW)
    assert not quick.quick


@pytest.mark.parametrize(("seconds", "doubtful"), [(0.1, False), (0.4, True), (5.0, False)])
def test_a_draft_that_is_a_little_too_slow_leaves_a_doubt(seconds, doubtful):
    assert measured(seconds).doubtful is doubtful


def test_a_new_beginning_forgets_what_was_before():
    latency = measured(*[2.0] * KEPT)
    latency.begin(0.05)
    assert latency.draft_ms == 50.0
    assert latency.quick
    latency.forget()
    assert latency.draft_ms is None
    assert not latency.quick
