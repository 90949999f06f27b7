"""`python -m eightysix.lab.kernel`: see `options.USAGE`."""

from __future__ import annotations

import json
import sys
from typing import Any

from eightysix.lab.kernel.options import USAGE, parse
from eightysix.lab.kernel.session import run
from eightysix.model.errors import EightysixError


def main(arguments: list[str]) -> int:
    """Run and return the exit code."""
    if arguments in (["--help"], ["-h"]):
        sys.stdout.write(USAGE)
        return 0
    try:
        _say(run(parse(arguments), _say, sys.stdin.buffer))
    except EightysixError as error:
        sys.stderr.write(f"eightysix: {error.what}\n{error.advice}")
        return error.exit_code
    except OSError as error:
        sys.stderr.write(f"eightysix: {error}\n")
        return 1
    return 0


def _say(told: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
