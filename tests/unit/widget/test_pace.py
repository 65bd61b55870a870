"""What the time left is told from."""

from __future__ import annotations

from regiondrag_widget.widget.pace import COLD, OF_DRAFTS, Pace, first_guess


def test_nothing_is_told_before_anything_was_seen():
    assert Pace().expect("mini", prepared=False) is None


def test_the_latest_edit_of_the_same_kind_is_what_the_next_will_take():
    pace = Pace()
    pace.learn("mini", False, 4.0)
    pace.learn("mini", False, 2.0)
    assert pace.expect("mini", False, draft=1.0) == 2.0
    assert pace.expect("another", False) is None


def test_an_edit_of_another_kind_or_a_draft_tells_roughly():
    pace = Pace()
    assert pace.expect("mini", True, draft=0.1) == 0.1 * OF_DRAFTS
    assert pace.expect("mini", False, draft=0.1) == 0.1 * OF_DRAFTS * COLD
    pace.learn("mini", False, 6.0)
    assert pace.expect("mini", True, draft=0.1) == 6.0 / COLD
    pace = Pace()
    pace.learn("mini", True, 2.0)
    assert pace.expect("mini", False) == 2.0 * COLD


def test_the_first_edit_is_guessed_by_the_picture_and_the_weights():
    small, large = 512 * 512, 6000 * 4000
    assert 0 < first_guess(small, 0) < first_guess(large, 0) < first_guess(large, 5 * 10**9)
    assert first_guess(small, None) is None, "how long a download takes is not known"
