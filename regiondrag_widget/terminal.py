"""What the command line and the benchmarks share: exit codes, and sentences on stderr."""

from __future__ import annotations

import io
import sys

__all__ = ["DONE", "FAILURE", "INTERRUPTED", "WRONG_INPUT", "print_anything", "say"]

DONE, FAILURE, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130


def print_anything() -> None:
    """Let stdout and stderr take every character: one that the terminal has not is written as its number.

    What was done stays done, whatever the name of the file that is reported.
    """
    for stream in (sys.stdout, sys.stderr):
        if getattr(stream, "errors", "") == "strict" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(sentence: str, code: int) -> int:
    """Print a sentence to stderr and return the exit code that goes with it."""
    print(sentence, file=sys.stderr)
    return code
