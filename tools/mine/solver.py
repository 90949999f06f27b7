"""Who reaches an effect: names are resolved across the modules of a library, and effects flow from callee to caller.

The call graph has an edge only where the callee is known: a name, an import, a method of self, of a base class or of an
object whose class is written in the source. A mask travels with each effect: the parameters that decide what is done.
Where a caller passes a constant the effect stays the library's own and is dropped, unless it harms by itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from tools.mine.facts import Call, Class, Function, Module
from tools.mine.frontend import LAST_BIT
from tools.mine.primitives import CONSTANT_IS_HARMLESS, METHODS, Effect, primitive

__all__ = ["SHARED", "Library", "Reached", "World"]

#: Levels of calls between a function and the primitive. Measured on the standard library, torch and pandas: all known
#: gadgets lie within 7; deeper paths are mostly mistakes of resolution.
DEEPEST = 9
_HOPS = 16
_FEW = 3
#: Levels that libraries share with others: google.cloud.storage has two.
SHARED = 3

#: Read by a person: these reach a primitive only on paths that a caller cannot take to anything of its own.
REVIEWED = frozenset(
    {
        "warnings.warn",  # reads the source line that the warning is about
        "warnings.warn_explicit",
        "inspect.signature",  # evaluates names of __text_signature__, which only C functions have
        "inspect.Signature.from_callable",
        "inspect.getfullargspec",
        "inspect.getsource",  # reads the file that an existing object came from
        "inspect.getsourcelines",
        "inspect.getsourcefile",
        "inspect.getfile",
        "inspect.getmodule",
        "inspect.stack",
        "inspect.getouterframes",
        "inspect.getframeinfo",
        "typing.get_type_hints",  # evaluates annotations of an existing function
        "collections.namedtuple",  # field names are checked to be identifiers before they become code
        "dataclasses.dataclass",
        "dataclasses.make_dataclass",
        "enum.EnumType.__call__",
        "enum.EnumMeta.__call__",
        "logging.getLogger",
        "traceback.format_exc",
        "traceback.print_exc",
        "traceback.format_exception",
        "traceback.extract_stack",
        "linecache.getline",
        "linecache.checkcache",
        "gettext.gettext",
        "locale.getpreferredencoding",
        "mimetypes.guess_type",
        "textwrap.dedent",
        "uuid.uuid4",
        "uuid.uuid1",
        "platform.system",
        "platform.machine",
        "platform.python_version",
        "os.cpu_count",
        "copy.copy",
        "copy.deepcopy",
        "atexit.register",
        "weakref.finalize",
        "functools.reduce",
        "builtins.map",
        "builtins.filter",
    }
) - {"linecache.getline"}


class Reached(NamedTuple):
    """An effect that a function reaches: by which parameters it is steered, over how many calls, over which callee."""

    mask: int
    depth: int
    via: str


class Library:
    """The modules of one release, and what its functions reach once solved.

    `guess` also follows a call on an object of unknown class, where at most three classes of the library have a method of
    that name. It finds more, some of it wrong: for libraries of which only gadgets are told.
    """

    def __init__(self, modules: Iterable[Module], *, guess: bool = False):
        self.guess = guess
        self.modules: dict[str, Module] = {}
        self.functions: dict[str, list[Function]] = {}
        self.classes: dict[str, tuple[Class, str]] = {}
        self.home: dict[str, str] = {}  # function or class -> its module
        self.stubs: dict[
            str, Module
        ] = {}  # beside a source: only for names that the source makes at run time
        for module in modules:
            held = self.modules.get(module.name)
            if held is not None and module.stub is not held.stub:
                self.stubs[module.name] = module if module.stub else held
                module = held if module.stub else module
            self.modules[module.name] = module
        for module in self.modules.values():
            for function in module.functions:
                name = f"{module.name}.{function.qual}"
                self.functions.setdefault(name, []).append(function)
                self.home[name] = module.name
            for one in module.classes:
                name = f"{module.name}.{one.qual}"
                self.classes.setdefault(name, (one, module.name))
                self.home[name] = module.name
        self.reached: dict[str, dict[Effect, Reached]] = {}
        self.named: dict[str, list[str]] = {}  # method name -> methods
        self.methods: dict[str, list[str]] = {}  # class -> methods
        self.setters: dict[str, list[str]] = {}  # class -> names of its properties that can be set
        for name, functions in self.functions.items():
            owner, _, last = name.rpartition(".")
            if functions[0].bound:
                self.named.setdefault(last, []).append(name)
                self.methods.setdefault(owner, []).append(name)
                if any(function.setter for function in functions):
                    self.setters.setdefault(owner, []).append(last)

    def tops(self) -> set[str]:
        """What the library's names begin with: its top-level modules, or its parts of a package without a file of its own
        (`google.cloud.storage`), which several libraries share."""
        found = set()
        for name in self.modules:
            parts = name.split(".")
            for number in range(1, min(len(parts), SHARED + 1) + 1):
                head = ".".join(parts[:number])
                if head in self.modules:
                    found.add(head)
                    break
        return found


class World:
    """All libraries that are solved so far; a later one may call an earlier one."""

    def __init__(self) -> None:
        self._tops: dict[str, Library] = {}
        self._found: dict[str, tuple[str, str]] = {}
        self._bases: dict[str, list[str]] = {}

    def add(self, library: Library) -> None:
        """Take `library` in and solve it. One that has the same top-level names replaces the earlier one."""
        for top in library.tops():
            self._tops[top] = library
        self._found.clear()
        self._bases.clear()
        self._solve(library)

    def library(self, name: str) -> Library | None:
        """The library that has the top-level package of `name`, or its part of a package that several share."""
        first, _, rest = name.partition(".")
        found = self._tops.get(first)
        while found is None and rest and first.count(".") < SHARED:
            step, _, rest = rest.partition(".")
            first = f"{first}.{step}"
            found = self._tops.get(first)
        return found

    # --- names ---------------------------------------------------------------------------------------------------

    def find(self, name: str, hops: int = 0) -> tuple[str, str]:
        """What an absolute dotted name is: ("function" | "class" | "module" | "object" | "outside", its own name)."""
        found = self._found.get(name)
        if found is None:
            self._found[name] = "outside", name  # modules that import all of each other end here
            if hops < _HOPS and name.count(".") < _HOPS:
                found = self._found[name] = self._find(name, hops)
            else:
                found = "outside", name
        return found

    def _find(self, name: str, hops: int) -> tuple[str, str]:
        library = self.library(name)
        if library is None:
            return "outside", name
        if name in library.functions:
            return "function", name
        if name in library.classes:
            return "class", name
        head, _, last = name.rpartition(".")
        if name in library.modules:
            # `from .sympify import sympify` in a package hides the module of that name from everybody else.
            bound = library.modules[head].names.get(last) if head in library.modules else None
            if bound is None or bound in (name, f"={name}") or not bound.startswith(f"={name}."):
                return "module", name
            return self.find(bound[1:], hops + 1)
        head = name
        while head not in library.modules:
            head, _, _ = head.rpartition(".")
            if not head:
                return "outside", name
        return self._inside(library.modules[head], name[len(head) + 1 :], name, hops)

    def _inside(self, module: Module, rest: str, name: str, hops: int) -> tuple[str, str]:
        first, _, tail = rest.partition(".")
        library = self.library(module.name)
        if tail and library is not None and f"{module.name}.{first}" in library.classes:
            return self._member(f"{module.name}.{first}", tail, name)
        bound = module.names.get(first)
        if bound is not None:
            if bound.startswith("inst:"):
                kind, made = self.resolve(module.name, bound[5:], hops + 1)
                if kind == "class":
                    return self._member(made, tail, name) if tail else ("object", made)
                return "outside", name
            kind, target = self.resolve(module.name, bound, hops + 1) if bound != first else ("outside", name)
            if not tail:
                return kind, target
            if kind == "class":
                return self._member(target, tail, name)
            return self.find(f"{target}.{tail}", hops + 1)
        for star in module.stars:
            if star == module.name or not self._public(star, first):
                continue
            found = self.find(f"{star}.{rest}", hops + 1)
            if found[0] != "outside" or primitive(f"{star}.{rest}"):
                return found
        return "outside", name

    def _public(self, module: str, name: str) -> bool:
        """Whether `from module import *` takes `name`."""
        library = self.library(module)
        known = library.modules.get(module) if library else None
        if known is None:
            return not name.startswith("_")
        return name in known.public if known.public else not name.startswith("_")

    def _member(self, owner: str, tail: str, name: str) -> tuple[str, str]:
        first, _, rest = tail.partition(".")
        if rest:
            library = self.library(owner)
            inner = f"{owner}.{first}"
            return (
                self._member(inner, rest, name) if library and inner in library.classes else ("outside", name)
            )
        found = self.method(owner, first)
        return ("function", found) if found else ("outside", name)

    def resolve(self, module: str, name: str, hops: int = 0) -> tuple[str, str]:
        """What `name`, as written in `module`, is."""
        if name.startswith("="):
            return self.find(name[1:], hops)
        library = self.library(module)
        first, _, _ = name.partition(".")
        if library is not None and module in library.modules:
            known = library.modules[module]
            local = f"{module}.{name}"
            if local in library.functions:
                return "function", local
            if local in library.classes:
                return "class", local
            if first in known.names or f"{module}.{first}" in library.classes:
                return self._inside(known, name, local, hops + 1) if hops < _HOPS else ("outside", local)
            for star in known.stars:
                if not self._public(star, first):
                    continue
                found = self.find(f"{star}.{name}", hops + 1)
                if found[0] != "outside" or primitive(f"{star}.{name}"):
                    return found
        return "outside", "builtins." + name

    def bases(self, name: str) -> list[str]:
        """The classes that `name` derives from, nearest first, itself among them; unknown ones as written."""
        known = self._bases.get(name)
        if known is not None:
            return known
        self._bases[name] = [name]  # a cycle ends here
        order = [name]
        library = self.library(name)
        held = library.classes.get(name) if library else None
        if held is not None:
            for base in held[0].bases:
                _, target = self.resolve(held[1], base)
                for one in self.bases(target):
                    if one not in order:
                        order.append(one)
        self._bases[name] = order
        return order

    def method(self, owner: str, name: str, skip: int = 0) -> str:
        """The function that `owner.name` is, through its bases; "" if none is known."""
        for base in self.bases(owner)[skip:]:
            library = self.library(base)
            full = f"{base}.{name}"
            if library is not None and full in library.functions:
                return full
            if library is not None and base in library.classes:
                alias = library.modules[library.classes[base][1]].names.get(
                    f"{library.classes[base][0].qual}.{name}"
                )
                if alias and not alias.startswith("inst:"):
                    kind, target = self.resolve(library.classes[base][1], alias)
                    if kind == "function":
                        return target
            if primitive(full):
                return full
        return ""

    # --- calls ---------------------------------------------------------------------------------------------------

    def callees(self, module: str, owner: str, function: Function, call: Call) -> list[tuple[str, int]]:
        """Functions that a call may run, each with how arguments are laid: 0 plain, 1 after a receiver, 2 after a new object."""
        target = call.target
        marker, _, rest = target.partition(".")
        if marker in ("self", "super") and owner:
            return self._own(owner, function, marker, rest)
        if target.startswith("inst:"):
            kind_name, _, method = target[5:].partition("|")
            kind, made = self.resolve(module, kind_name)
            if kind in ("class", "object"):
                found = self._through(made, method)
                return [(found, 1)] if found else []
            if primitive(f"{made}.{method}"):
                return [(f"{made}.{method}", 1)]
            return self._guessed(module, method)
        if "|" in target or ":" in target:
            return []
        kind, made = self.resolve(module, target)
        if kind == "function":
            library = self.library(made)
            first = library.functions[made][0] if library and made in library.functions else None
            return [(made, 1 if first is not None and first.bound == 3 else 0)]
        if kind == "class":
            return self.making(made)
        if kind == "object":
            found = self.method(made, "__call__")
            return [(found, 1)] if found else []
        return [(made, 0)]

    def _guessed(self, module: str, method: str) -> list[tuple[str, int]]:
        library = self.library(module)
        found = library.named.get(method, ()) if library is not None and library.guess else ()
        return [(one, 1) for one in found] if len(found) <= _FEW else []

    def making(self, name: str) -> list[tuple[str, int]]:
        """What making an instance of class `name` runs."""
        found = [
            (one, 2) for part in ("__new__", "__init__", "__post_init__") if (one := self.method(name, part))
        ]
        return found + [(base, 0) for base in self.bases(name) if primitive(base)]

    def _own(self, owner: str, function: Function, marker: str, rest: str) -> list[tuple[str, int]]:
        if marker == "super":
            found = self.method(owner, rest, skip=1)
            return [(found, 1)] if found else []
        if not rest:
            if function.bound == 3:
                return self.making(owner)
            found = self.method(owner, "__call__")
            return [(found, 1)] if found else []
        found = self._through(owner, rest)
        known = [(found, 1)] if found else []
        guessed = [] if "." in rest else self._guessed(owner, rest)
        return known + [
            one for one in guessed if one not in known and owner in self.bases(one[0].rpartition(".")[0])
        ]

    def _through(self, owner: str, path: str) -> str:
        """The method at the end of `a.b.c` from an object of class `owner`, by the known classes of attributes."""
        *steps, last = path.split(".")
        for step in steps[:3]:
            owner = self._attribute(owner, step)
            if not owner:
                return ""
        return self.method(owner, last)

    def _attribute(self, owner: str, name: str) -> str:
        for base in self.bases(owner):
            library = self.library(base)
            held = library.classes.get(base) if library else None
            if held is None:
                continue
            for attribute, kind in held[0].attributes:
                if attribute == name:
                    what, made = self.resolve(held[1], kind)
                    return made if what == "class" else ""
        return ""

    # --- flow ----------------------------------------------------------------------------------------------------

    def _solve(self, library: Library) -> None:
        callers: dict[str, list[tuple[str, Call, int]]] = {}
        queue: deque[str] = deque()
        for name, functions in library.functions.items():
            owner = name.rpartition(".")[0]
            for function in functions:
                own = owner if function.bound and owner in library.classes else ""
                for call in function.calls:
                    if self._begin(library, name, own, function, call, callers):
                        queue.append(name)
        waiting = set(queue)
        while queue:
            callee = queue.popleft()
            waiting.discard(callee)
            for name, call, layout in callers.get(callee, ()):
                if (
                    name != callee
                    and self._flow(library, name, callee, library, call, layout)
                    and name not in waiting
                ):
                    waiting.add(name)
                    queue.append(name)

    def _begin(
        self, library: Library, name: str, owner: str, function: Function, call: Call,
        callers: dict[str, list[tuple[str, Call, int]]],
    ) -> bool:  # fmt: skip
        """Note a call's edges into the same library, and the effects that it has by itself; whether there are any."""
        callees = self.callees(library.home[name], owner, function, call)
        new = not callees and self._direct(library, name, call)
        for callee, layout in callees:
            other = self.library(callee)
            if callee in REVIEWED:
                continue
            if primitive(callee) is not None:
                new |= self._primitive(library, name, callee, call)
            elif other is library:
                callers.setdefault(callee, []).append((name, call, layout))
            elif other is not None and callee in other.reached:
                new |= self._flow(library, name, callee, other, call, layout)
        return new

    def _note(self, library: Library, name: str, effect: Effect, mask: int, depth: int, via: str) -> bool:
        if not mask and effect in CONSTANT_IS_HARMLESS:
            return False
        held = library.reached.setdefault(name, {}).get(effect)
        if held is None:
            library.reached[name][effect] = Reached(mask, depth, via)
            return True
        if held.mask | mask != held.mask:
            library.reached[name][effect] = Reached(
                held.mask | mask, held.depth, held.via if held.mask else via
            )
            return True
        return False

    def _direct(self, library: Library, name: str, call: Call) -> bool:
        """Effects that the form of the call shows: a parameter is called, a method name that means one thing."""
        target = call.target
        if target.startswith("param:"):
            return self._note(library, name, Effect.CALLS, 1 << min(int(target[6:]), LAST_BIT), 1, "")
        if target.startswith("var:"):
            return self._note(library, name, Effect.CALLS, call.receiver, 1, "")
        if target == "attr:":
            return self._note(library, name, Effect.REFLECT, call.receiver, 1, "")
        if "|" in target:
            method = target.rpartition("|")[2].rpartition(".")[2]
            if method not in METHODS:
                return False
            effect, _ = METHODS[method]
            everything = call.receiver | call.star
            for mask in (*call.args, *(mask for _, mask in call.named)):
                everything |= mask
            return bool(everything) and self._note(library, name, effect, everything, 1, "." + method)
        return False

    def _primitive(self, library: Library, name: str, callee: str, call: Call) -> bool:
        found = primitive(callee)
        if found is None:
            return False
        effect, position = found
        mask = call.star
        if position is None or position >= len(call.args):
            for one in (*call.args, *(word for _, word in call.named)):
                mask |= one
            if position is None:
                mask |= call.receiver
        else:
            mask |= call.args[position]
        if effect is Effect.READ and any(letter in call.mode for letter in "wax+"):
            effect = Effect.WRITE
        return self._note(library, name, effect, mask, 1, callee)

    def _flow(
        self, library: Library, name: str, callee: str, origin: Library, call: Call, layout: int
    ) -> bool:
        """Hand the callee's effects to its caller; whether that told anything new."""
        new = False
        effects = origin.reached.get(callee)
        if not effects:
            return False
        params = origin.functions[callee][0].params
        for effect, reached in tuple(effects.items()):
            if reached.depth >= DEEPEST or (effect is Effect.CALLS and layout == 2 and reached.mask == 1):
                continue
            mask = _carried(params, reached.mask, call, layout)
            new |= self._note(library, name, effect, mask, reached.depth + 1, callee)
        return new

    def path(self, name: str, effect: Effect) -> list[str]:
        """The names from `name` to the primitive."""
        steps = [name]
        while len(steps) < DEEPEST + 2:
            library = self.library(steps[-1])
            reached = library.reached.get(steps[-1], {}).get(effect) if library else None
            if reached is None or not reached.via or reached.via in steps:
                break
            steps.append(reached.via)
        return steps


def _carried(params: tuple[str, ...], mask: int, call: Call, layout: int) -> int:
    """The caller's parameters that arrive in those of the callee that `mask` has."""
    everything = call.star
    for one in call.args:
        everything |= one
    for _, one in call.named:
        everything |= one
    carried = 0
    for number, param in enumerate(params):
        if not mask >> min(number, LAST_BIT) & 1:
            continue
        if number == 0 and layout:
            carried |= call.receiver if layout == 1 else everything
            continue
        place = number - (1 if layout else 0)
        if param.startswith("**"):
            carried |= call.star
            for word, one in call.named:
                carried |= one if word not in params else 0
        elif param.startswith("*"):
            carried |= call.star
            for one in call.args[place:]:
                carried |= one
        else:
            carried |= call.star
            if place < len(call.args):
                carried |= call.args[place]
            for word, one in call.named:
                if word == param:
                    carried |= one
    return carried
