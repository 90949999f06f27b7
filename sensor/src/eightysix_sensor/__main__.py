"""`python -m eightysix_sensor where` and `install DIR`: the path of the native part, and a copy for an init container."""

from __future__ import annotations

import sys

from eightysix_sensor import placing

__all__ = ["main"]

USAGE = """usage: python -m eightysix_sensor where [ARCHITECTURE-LIBC]
       python -m eightysix_sensor install DIR

where    print the path of the native part for this machine: what LD_PRELOAD is to name
install  copy the package and its native part into DIR: DIR/eightysix_sensor and DIR/eightysix_preload.so
"""


def main(arguments: list[str] | None = None) -> int:
    """Do as the command line says; 0 done, 1 not possible, 2 usage."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        if words[:1] == ["where"] and len(words) <= 2:
            sys.stdout.write(f"{placing.where(*words[1:])}\n")
            return 0
        if words[:1] == ["install"] and len(words) == 2:
            placed = placing.install(words[1])
            sys.stdout.write("".join(f"{line}\n" for line in placed))
            return 0
    except (OSError, placing.NoNativeError) as reason:
        sys.stderr.write(f"eightysix-sensor: {reason}\n")
        return 1
    sys.stderr.write(USAGE)
    return 2


if __name__ == "__main__":
    sys.exit(main())
