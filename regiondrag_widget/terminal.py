"""What the command line and the benchmarks share: exit codes, and sentences on stderr."""

from __future__ import annotations

import sys

__all__ = ["DONE", "FAILURE", "INTERRUPTED", "WRONG_INPUT", "say"]

DONE, FAILURE, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130


def say(sentence: str, code: int) -> int:
    """Print a sentence to stderr and return the exit code that goes with it."""
    print(sentence, file=sys.stderr)
    return code
