"""What unit tests have in common."""

from __future__ import annotations

import pytest

from regiondrag_widget.imaging import find
from regiondrag_widget.imaging.recent import Recent


@pytest.fixture(autouse=True)
def looks_anew(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep nothing of handles looked at before, in tests marked so: of what threads and large pictures do."""
    if request.node.get_closest_marker("looks_anew") is not None:
        monkeypatch.setattr(find, "_recent", Recent(0))
