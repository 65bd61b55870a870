"""Run the fuzzers long: ``python -m tests.fuzz``, or ``make fuzz``. Exit code 1 if anything got through."""

from __future__ import annotations

import argparse
import sys

from tests.fuzz.faults import fuzz_faults
from tests.fuzz.files import fuzz_archives, fuzz_pictures
from tests.fuzz.messages import fuzz_messages
from tests.fuzz.threads import fuzz_threads

MOST_GROWTH = 20  # MB


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--archives", type=int, default=10_000)
    parser.add_argument("--pictures", type=int, default=1_000)
    parser.add_argument("--faults", type=int, default=500)
    parser.add_argument("--threads", type=int, default=1_000, help="pictures made by ten threads in all")
    args = parser.parse_args()
    failed = False
    for fuzz, count in (
        (fuzz_archives, args.archives), (fuzz_pictures, args.pictures), (fuzz_messages, args.messages),
        (fuzz_faults, args.faults), (fuzz_threads, args.threads),
    ):  # fmt: skip
        if count:
            outcome = fuzz(count, args.seed)
            print(outcome, flush=True)
            failed |= bool(outcome.escapes) or outcome.growth > MOST_GROWTH
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
