"""Ten seconds of the soak test; soak_live.py by hand drags for as long as is wanted."""

from __future__ import annotations

import pytest

from tests.kernel.soak_live import judge, soak


@pytest.mark.slow
def test_dragging_without_a_pause_grows_nothing_and_sends_nothing_old(engine, rgb):
    count = soak(10, rgb, engine)
    assert judge(count, most_grown=24.0) == []
    assert count.runs > 0
