"""The command line: parse, run one command, print errors that help, exit with the documented code.

Nothing heavy is imported before a command is chosen: `--help` and `--version` stay within 60 ms.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from eightysix import __version__
from eightysix.cli.terminal import inert_line
from eightysix.model.errors import EightysixError, RuleError

__all__ = ["entry", "main"]

EPILOG = """\
exit codes: 0 nothing found, 1 the tool failed, 2 usage, 3 nothing to read, 10 incomplete,
11 low or watch, 12 medium, 13 suspect or suspicious, 14 contain or malicious; the highest wins
"""

YOUNG_OBJECTS = 100_000
"""New containers before the cycle collector looks at them. Records make many and no cycles: Python's 700 (2,000 from 3.12
on) cost 8 % of a run over Tetragon's export, and memory stays the same."""

COMMANDS = (
    "detect",
    "watch",
    "incident",
    "reconstruct",
    "coverage",
    "backtest",
    "scan",
    "gate",
    "posture",
    "rules",
    "baseline",
    "exception",
    "generate",
    "hunt",
    "store",
    "lab",
)
"""In the order of the help; each is the module of this package that has its parser."""


def build_parser(asked: str = "") -> argparse.ArgumentParser:
    """The parser with all commands, or, where the first argument `asked` is one, with that alone: the others' parsers cost
    a scan of a small file a tenth."""
    parser = argparse.ArgumentParser(
        prog="eightysix",
        description="Finds the chain from a poisoned artifact to stolen credentials in AI pods on Kubernetes.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"eightysix {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in (asked,) if asked in COMMANDS else COMMANDS:
        import_module(f"eightysix.cli.{command}").add_parser(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = build_parser(given[0] if given else "")
    parsed = parser.parse_args(given)
    try:
        return int(parsed.run(parsed, sys.stdout, sys.stderr))
    except BrokenPipeError:
        return 1
    except OSError as error:
        print(f"eightysix: {inert_line(str(error))}", file=sys.stderr)
        return 1
    except EightysixError as error:
        print(f"eightysix: {inert_line(_place(error) + error.what)}", file=sys.stderr)
        if error.advice:
            print(f"           {inert_line(error.advice)}", file=sys.stderr)
        return error.exit_code


def _place(error: EightysixError) -> str:
    if not isinstance(error, RuleError) or not error.file:
        return ""
    return f"{error.file}:{error.line}:{error.column}: " if error.line else f"{error.file}: "


def entry() -> None:
    """The console script. A closed pipe downstream is no error of ours; Ctrl-C ends quietly."""
    gc.set_threshold(YOUNG_OBJECTS)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - until the process ends
    try:
        code = main()
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes standard output at exit: give it something that cannot fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)
