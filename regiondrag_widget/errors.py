"""Other libraries' errors in one line, for messages of our own."""

from __future__ import annotations

__all__ = ["first_line"]


def first_line(error: BaseException | str) -> str:
    """Return the first line of an error's text, or the name of its class where it has no text.

    Parameters
    ----------
    error
        An exception, or its text.

    Returns
    -------
    str
        One line without surrounding white space.
    """
    lines = str(error).strip().splitlines()
    return lines[0].strip() if lines else type(error).__name__
