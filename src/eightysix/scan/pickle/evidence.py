"""What the arguments of an unknown callable give away: nobody knows the callable, and a payload is known by what it is fed.

Picklers write calls of classes, and of private helpers that rebuild them. A public function of a library that nobody
mined, called with a command, an address, a path, source or the name of a gadget, is no data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from eightysix.scan.index import Role, RoleKind
from eightysix.scan.pickle.predicates import Call
from eightysix.scan.pickle.values import NAME, Heap, Items, Made
from eightysix.scan.pythonic import parsed

__all__ = ["evidence", "is_public_function"]

LONGEST: Final = 4_096
MOST: Final = 32
DEEPEST: Final = 2

_PROGRAMS = frozenset(
    "sh bash zsh dash cmd cmd.exe powershell pwsh echo cat curl wget nc ncat python python3 perl ruby php node touch rm"
    " cp mv chmod chown id whoami uname env ls ping nslookup dig calc calc.exe sudo ssh scp tar base64 kill".split()
)
"""First words of a command line: shells, interpreters, and what proofs of concept run."""

_SHELL = ("$(", "> /", ">/", "2>&1")
_BINARY = frozenset(map(chr, (*range(9), *range(14, 32), *range(127, 160))))
"""Characters of no command, path or source: packed numbers have them, and look like anything."""

_JOINTS = str.maketrans(";|&`\n", "\0" * 5)
_DUNDERS = ("__import__", "__builtins__", "__globals__", "__subclasses__", "__class__")
_STARTS = ("/", "./", "../", "~/", "\\\\", "C:\\", "c:\\")


def is_public_function(call: Call, heap: Heap) -> bool:
    """Whether the name reads as a function or method that is meant for callers, and is fed text or plain data.

    Picklers use classes and private helpers, and hand a helper the class or the parts that it puts together.
    """
    last = call.name.qualname.rpartition(".")[2]
    arguments = call.arguments or ()
    if not last[:1].islower() or any(code & NAME for code in arguments):
        return False
    values = [heap.value(code) for code in arguments]
    if any(isinstance(value, Made) for value in values):
        return False
    return any(isinstance(value, str | bytes | Items) for value in values)


def evidence(call: Call, heap: Heap, role: Callable[[str, str], Role]) -> str:
    """What `call` is fed that data is not, in words; empty where nothing."""
    if call.arguments is None:
        return ""
    for text in _texts(heap, call.arguments):
        found = _kind(text, role)
        if found:
            return found
    return ""


def _texts(heap: Heap, codes: Sequence[int], depth: int = 0) -> Iterator[str]:
    for code in codes[:MOST]:
        value = heap.value(code)
        if isinstance(value, bytes):
            value = value[:LONGEST].decode("latin-1")
        if isinstance(value, str) and not _BINARY.intersection(value[:LONGEST]):
            yield value[:LONGEST]
        elif isinstance(value, Items) and value.items and depth < DEEPEST:
            yield from _texts(heap, value.items, depth + 1)


def _kind(text: str, role: Callable[[str, str], Role]) -> str:
    words = text.split()
    if not words:
        return ""
    scheme, found, _ = text[:24].partition("://")
    if found and scheme.isascii() and scheme.replace("+", "").isalnum():
        return "an address"
    if any(dunder in text for dunder in _DUNDERS) or _is_source(text):
        return "source"
    if len(text) > 2 and text.startswith(_STARTS) and not text[1:2].isspace():
        return "a path"
    if len(words) > 1 and _is_command(text):
        return "a command"
    return "the name of what runs things" if _is_gadget(text, role) else ""


def _is_command(text: str) -> bool:
    parts = [part.split() for part in text.translate(_JOINTS).split("\0")]
    firsts = {part[0].rpartition("/")[2].lower() for part in parts if part}
    return not firsts.isdisjoint(_PROGRAMS) or any(mark in text for mark in _SHELL)


def _is_source(text: str) -> bool:
    """Whether `text` is Python that imports or calls. The parser bounds depth itself and evaluates nothing."""
    if "import " not in text and "(" not in text:
        return False
    import ast  # most pickles give no reason to

    try:
        tree = parsed(text)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    return any(isinstance(node, ast.Import | ast.ImportFrom | ast.Call) for node in ast.walk(tree))


def _is_gadget(text: str, role: Callable[[str, str], Role]) -> bool:
    module, _, name = text.replace(":", ".").rpartition(".")
    if not module or not name.isidentifier() or len(text) > 200:
        return False
    found = role(module, name)
    return found.kind in (RoleKind.GADGET, RoleKind.DENIED) and bool(found.effect) and "(" not in text
