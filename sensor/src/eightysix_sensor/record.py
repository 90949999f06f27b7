"""Records of version 1 as JSON text, and what a process knows of itself.

The encoder is our own: importing `json` costs more than half of the sensor's start, and a program may replace
`json.dumps`.
"""

from __future__ import annotations

from posix import O_CLOEXEC, O_NONBLOCK, O_RDONLY, getpid
from posix import close as posix_close
from posix import open as posix_open
from posix import read as posix_read

from eightysix_sensor.own import BUILTINS as __builtins__  # type: ignore[no-redef]  # noqa: F401
from eightysix_sensor.own import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, Callable


def _quoted(value: str) -> str:
    """A JSON string of ASCII letters, for a build without the C accelerator."""
    told = []
    for character in value:
        number = ord(character)
        if number > 0xFFFF:
            number -= 0x10000
            told.append("\\u%04x\\u%04x" % (0xD800 | number >> 10, 0xDC00 | number & 0x3FF))
        elif number < 32 or number > 126 or character in '"\\':
            told.append("\\u%04x" % number)
        else:
            told.append(character)
    return '"' + "".join(told) + '"'


def _quoter() -> Callable[[str], str]:
    try:
        from _json import encode_basestring_ascii
    except ImportError:
        return _quoted
    return encode_basestring_ascii


quoted = _quoter()
"""A text as JSON."""

VERSION = 1
_MAX_DEPTH = 6


def encoded(value: Any, depth: int = 0) -> str:
    """`value` as JSON. Only plain types: what is anything else becomes null."""
    kind = type(value)
    if kind is str:
        return quoted(value)
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return str(value) if -(1 << 63) <= value < 1 << 64 else "null"
    if kind is float:
        return repr(value) if value == value and abs(value) < 1e300 else "null"
    if depth < _MAX_DEPTH:
        if kind is list or kind is tuple:
            return "[" + ",".join([encoded(item, depth + 1) for item in value]) + "]"
        if kind is dict:
            pairs = [quoted(name) + ":" + encoded(item, depth + 1) for name, item in value.items()]
            return "{" + ",".join(pairs) + "}"
    return "null"


def members(fields: dict[str, Any]) -> str:
    """Members of an object, each with a comma before it; what is None is left out."""
    told = [',"' + name + '":' + encoded(value) for name, value in fields.items() if value is not None]
    return "".join(told)


def read_small(path: str, most: int = 65536) -> bytes:
    """The beginning of a file, empty where it cannot be read. Does not wait for a pipe."""
    try:
        fd = posix_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    except (OSError, ValueError):
        return b""
    try:
        parts = []
        while most > 0:
            part = posix_read(fd, most)
            if not part:
                break
            parts.append(part)
            most -= len(part)
        return b"".join(parts)
    except OSError:
        return b""
    finally:
        posix_close(fd)


def identity(boot_id: str) -> str:
    """The members that name this process: `start_ticks` is field 22 of proc_pid_stat(5), and the name in field 2 may hold
    blanks and brackets."""
    rest = read_small("/proc/self/stat", 4096).rpartition(b")")[2].split()
    ticks = int(rest[19]) if len(rest) > 19 and rest[19].isdigit() else 0
    pid = getpid()
    return '"boot_id":%s,"pid":%d,"ns_pid":%d,"start_ticks":%d' % (quoted(boot_id), pid, pid, ticks)


def boot_id() -> str:
    """The kernel's name of this boot (random(4))."""
    return read_small("/proc/sys/kernel/random/boot_id", 64).decode("ascii", "replace").strip()[:64]
