"""`python -m eightysix.lab.services SPEC.json`: serve until standard input ends.

Prints one line of JSON when everything listens, and one at the end: how many lines did not fit into the files. It ends with
0 at the end of standard input or on SIGTERM, with 1 when it cannot start, with 2 when the spec is wrong; so it never
outlives the run that started it.
"""

from __future__ import annotations

import signal
import sys
from contextlib import suppress
from pathlib import Path

import msgspec

from eightysix.lab.services import spec as specs

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """Serve what the spec says."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m eightysix.lab.services SPEC.json\n")
        return 2
    try:
        spec = specs.read(Path(arguments[0]))
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        sys.stderr.write(f"the spec cannot be used: {error}\n")
        return 2
    try:
        from eightysix.lab.services.assembly import Services
    except ImportError as error:
        sys.stderr.write(f"{error}: pip install 'eightysix[lab]'\n")
        return 2
    signal.signal(signal.SIGTERM, _interrupt)
    services = None
    try:
        services = Services(spec)
        services.start()
        sys.stdout.write(msgspec.json.encode(services.told).decode() + "\n")
        sys.stdout.flush()
        while sys.stdin.buffer.read(1 << 16):
            pass
    except OSError as error:
        sys.stderr.write(f"the services cannot run: {error}\n")
        return 1
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if services is not None:
            with suppress(KeyboardInterrupt):
                services.stop()
            with suppress(OSError):  # nobody listens any more
                sys.stdout.write(
                    msgspec.json.encode({"ended": True, "dropped": services.record.dropped}).decode() + "\n"
                )
                sys.stdout.flush()
    return 0


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
