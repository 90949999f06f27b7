"""What the groups of pickles share."""

from __future__ import annotations

from collections.abc import Iterator

from bench.scan.corpus import assembler as a

Made = Iterator[tuple[str, bytes] | tuple[str, bytes, str]]
OS = a.named("os", "system")
COMMAND = a.short("echo pwned")
CODE = a.short("print('pwned')")
