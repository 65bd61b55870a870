"""``regiondrag check``: try everything on this machine; the first thing to run on a new one."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

from regiondrag_widget.cli.info import collect, summary
from regiondrag_widget.terminal import DONE, FAILURE

MARKS = {"ok": "ok     ", "failed": "FAILED ", "skipped": "skipped"}


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add ``check`` to the commands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "check",
        help="try everything on this machine",
        description="Try everything on this machine: reference vectors, edits, drafts, stops, offloading, "
        "and memory that runs out. Exit code 1 if something fails. Its output belongs in every bug report.",
        allow_abbrev=False,
    )
    parser.add_argument("--model", default="mini", help="mini (bundled), a diffusers folder or a hub id")
    parser.add_argument("--device", help="cpu, cuda, mps; chosen automatically")
    parser.add_argument("--dtype", help="float32, float16, bfloat16; chosen automatically")
    parser.add_argument("--compile", action="store_true", help="compile the network too: some minutes more")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Print in words how each part did, and return 1 if one of them failed."""
    from regiondrag_widget.check.checkup import check
    from regiondrag_widget.models.device import choose_device, choose_dtype

    begun = time.perf_counter()
    device = choose_device(args.device)
    dtype = choose_dtype(device, args.dtype)
    found = collect()
    named = {"model": args.model, "device": str(device), "dtype": str(dtype).removeprefix("torch.")}
    if not args.json:
        print("\n".join(summary(found)))
        print(f"\nchecking   {named['model']} on {named['device']} in {named['dtype']}")
    outcomes = []
    for outcome in check(args.model, device, dtype, compile=args.compile):
        outcomes.append(outcome)
        if not args.json:
            print(
                f"{MARKS[outcome.state]}  {outcome.name}: {outcome.words} [{outcome.seconds:.1f} s]",
                flush=True,
            )
        if outcome.traceback and args.debug:
            print(outcome.traceback, file=sys.stderr)
    failed = sum(outcome.state == "failed" for outcome in outcomes)
    seconds = time.perf_counter() - begun
    if args.json:
        record = {
            **found,
            "on": {**named, "ok": not failed, "seconds": round(seconds, 1)},
            "checks": [outcome.as_json() for outcome in outcomes],
        }
        print(json.dumps(record, indent=2))
    else:
        skipped = sum(outcome.state == "skipped" for outcome in outcomes)
        words = f"{failed} of {len(outcomes)} failed" if failed else f"{len(outcomes) - skipped} are well"
        words += f", {skipped} skipped" if skipped else ""
        print(f"\n{words}, in {seconds:.0f} s" + (": please report it, with this output" if failed else ""))
    return FAILURE if failed else DONE
