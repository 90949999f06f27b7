"""Fetches Microsoft's parser of KQL into the user's cache, for tests and `hunt validate`; tells where that cannot be done.

python tools/kql_parser.py    exit 0 in either case: tests that need it say why they are skipped
"""

from __future__ import annotations

import sys

from eightysix.hunt.binder.parser import install
from eightysix.model.errors import EightysixError

__all__ = ["main"]


def main() -> int:
    """Fetch it once; what is there is left alone."""
    try:
        install()
    except EightysixError as error:
        print(f"eightysix: {error.what}. {error.advice}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
