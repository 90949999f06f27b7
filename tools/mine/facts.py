"""What the miner keeps of a source file: its names, classes and functions, and of each function whom it calls with what.

A function's data flow is reduced to bit masks: bit i of a mask says "derived from parameter i". That is all the solver
needs to answer whether what a caller controls arrives at an effect.
"""

from __future__ import annotations

import msgspec

__all__ = ["Call", "Class", "Function", "Module", "Native", "Release"]


class Call(msgspec.Struct, frozen=True, array_like=True):
    """One call. `target` is a dotted name, a marker and a name, or "" where the callee is computed.

    Markers: `self.` and `super.` (methods), `inst:CLASS|method` (an object whose class is known), `param:N` (a parameter
    itself is called), `attr:` (an attribute fetched by a computed name is called), `any|method` (the receiver is unknown).
    """

    target: str
    args: tuple[int, ...] = ()
    named: tuple[tuple[str, int], ...] = ()
    star: int = 0  # what *args and **kwargs of the call carry
    receiver: int = 0
    mode: str = ""  # the second argument, or the one called `mode`, where it is a constant text


class Function(msgspec.Struct, frozen=True, array_like=True):
    """A function or method: `qual` is its dotted name in the module."""

    qual: str
    params: tuple[str, ...]
    bound: int  # 0: function, 1: method, 2: static method, 3: class method
    calls: tuple[Call, ...]
    returned: tuple[str, ...] = ()  # __reduce__ only: the dotted names it returns first
    setter: bool = False
    annotations: tuple[str, ...] = ()  # of the parameters, as written; stubs only


class Class(msgspec.Struct, frozen=True, array_like=True):
    """A class: its bases as written, and what is known of the classes of its attributes."""

    qual: str
    bases: tuple[str, ...]
    metaclass: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    exported: str = ""  # set_module("numpy") and the like: the module that its pickles name


class Module(msgspec.Struct, frozen=True, array_like=True):
    """A source file. `names` maps what is imported or assigned at its top level to a dotted name."""

    name: str
    package: bool
    stub: bool
    names: dict[str, str]
    stars: tuple[str, ...]
    public: tuple[str, ...]  # __all__, where it is written out
    functions: tuple[Function, ...]
    classes: tuple[Class, ...]
    typed: tuple[tuple[str, str], ...] = ()  # `name: annotation` at the top level of a stub
    reducers: tuple[str, ...] = ()  # functions given to copyreg.pickle and its kin


class Native(msgspec.Struct, frozen=True, array_like=True):
    """A compiled module: its classes with the methods that are known of, and texts that tell it can act on the system."""

    name: str
    classes: tuple[tuple[str, tuple[str, ...]], ...]
    telling: tuple[str, ...]


class Release(msgspec.Struct, frozen=True):
    """All facts of one wheel's sources."""

    name: str
    version: str
    sha256: str
    modules: tuple[Module, ...]
    unread: tuple[str, ...]  # sources that could not be parsed
