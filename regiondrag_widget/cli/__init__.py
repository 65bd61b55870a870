"""The command line, ``regiondrag``: edits, selections, many edits, benchmarks, data sets and checks.

Exit codes: 0 done, 1 failure, 2 wrong input, 130 interrupted. An error is one sentence on stderr, never a
traceback (``--debug`` shows it); results go to stdout, progress to stderr.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

from regiondrag_widget._version import __version__
from regiondrag_widget.terminal import DONE, FAILURE, INTERRUPTED, WRONG_INPUT, say


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    _print_any_name()
    arguments = _join_negative_values(list(sys.argv[1:] if argv is None else argv))
    try:
        parser = _parser()
        args = parser.parse_args(arguments)
    except SystemExit as stop:  # argparse has printed the error or the help
        return stop.code if isinstance(stop.code, int) else WRONG_INPUT
    debug = bool(getattr(args, "debug", False))
    if not debug:
        _quieten_libraries()
    try:
        with warnings.catch_warnings():
            if not debug:
                warnings.simplefilter("ignore")
                warnings.simplefilter("default", UserWarning)
                warnings.showwarning = _show_warning
            code: int = args.run(args)
            return code
    except KeyboardInterrupt:
        return _say("interrupted", INTERRUPTED)
    except BrokenPipeError:  # the reader of our output has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except Exception as error:
        if debug:
            traceback.print_exc()
        wrong_input = isinstance(
            error, (ValueError, TypeError, FileNotFoundError, IsADirectoryError, NotADirectoryError)
        )
        return _say(f"error: {_one_sentence(error)}", WRONG_INPUT if wrong_input else FAILURE)


# options whose value may begin with a minus
NEGATIVE = ("--move", "--rotate", "--select", "--point", "--not-point", "--box")


def _print_any_name() -> None:
    """Escape what the terminal's encoding lacks: a redirected output on Windows has no Chinese file names."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


class _Parser(argparse.ArgumentParser):
    """Prints errors in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(WRONG_INPUT, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    from regiondrag_widget.cli import batch, bench, check, dataset, demo, edit, info, select

    parser = _Parser(
        prog="regiondrag", description="Drag regions of a picture to new places.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"regiondrag {__version__}")
    commands: Any = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    # each command adds its arguments and sets run=, a function from args to an exit code
    for add_parser in (
        edit.add_parser,
        batch.add_parser,
        select.add_parser,
        demo.add_parser,
        info.add_parser,
        check.add_parser,
    ):
        command: argparse.ArgumentParser = add_parser(commands)
        command.add_argument("--debug", action="store_true", help="show the traceback of an error")
    bench.add_parser(commands)
    dataset.add_parser(commands)
    return parser


def _join_negative_values(arguments: list[str]) -> list[str]:
    """Turn ``--move -40,10`` into ``--move=-40,10``: argparse would read the value as an option."""
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1] in NEGATIVE and re.match(r"-[\d.]", argument):
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


def _quieten_libraries() -> None:
    for name in ("TRANSFORMERS_VERBOSITY", "DIFFUSERS_VERBOSITY", "HF_HUB_VERBOSITY"):
        os.environ.setdefault(name, "error")


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    _say(f"warning: {_one_line(str(message))}", DONE)


def _one_sentence(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "there is not enough memory: try a smaller picture or fewer steps"
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return _one_line(str(error)) or type(error).__name__


def _one_line(text: str) -> str:
    """The first paragraph, on one line."""
    return " ".join(text.strip().split("\n\n")[0].split())


def _say(text: str, code: int) -> int:
    return say(f"regiondrag: {text}", code)
