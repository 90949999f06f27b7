"""What a compiled module tells without being loaded: its classes, by the names that the compiler wrote into it.

Cython, and C by convention, store a type's full name ("sklearn.tree._tree.Tree"), and Cython the full name of every
function that can appear in a traceback ("sklearn.tree._tree.Tree.__reduce__"). A name that is there both alone and with
something below it is a class.
"""

from __future__ import annotations

import re

from tools.mine.facts import Native

__all__ = ["read_native"]

#: A module that has one of these texts can do what no class of its should do while a file is loaded. The Cython
#: classes of such a module are left out of the index, all of them: which method does it cannot be told from here.
_TELLING = tuple(
    f"\0{text}\0".encode()
    for text in """_fopen fopen fopen64 _system system _popen popen _dlopen dlopen _execve execve _fork fork _socket socket
    _connect _unlink unlink _remove open eval exec popen subprocess import_module""".split()
)
_LONGEST = 200


def read_native(name: str, data: bytes) -> Native:
    """Classes of the compiled module `name`, with the methods that are named, and whether it can act on the system."""
    pattern = re.compile(
        rb"\0" + re.escape(name.encode()) + rb"\.([A-Za-z_][A-Za-z0-9_.]{0,%d})(?=\0)" % _LONGEST
    )
    found = {match.decode() for match in pattern.findall(data)}
    methods: dict[str, set[str]] = {}
    for one in found:
        head, _, tail = one.rpartition(".")
        # A class in Python's own syntax inside a Cython file has no full name of its own; functions do not start upper.
        if head in found or (head.lstrip("_")[:1].isupper() and "." not in head):
            methods.setdefault(head, set()).add(tail)
    reducer = re.compile(
        rb"\0_{0,2}(?:pyx_pw_[0-9a-zA-Z_]*)?__pyx_unpickle_([A-Za-z_][A-Za-z0-9_]{0,%d})(?=\0)" % _LONGEST
    )
    for match in reducer.findall(data):
        methods.setdefault(match.decode(), set()).add("__pyx_unpickle")
    telling = tuple(sorted({text[1:-1].decode() for text in _TELLING if text in data}))
    return Native(name, tuple(sorted((one, tuple(sorted(names))) for one, names in methods.items())), telling)
