"""Judges what a stream would import and call. Nothing is executed; roles come from the index.

Two kinds of judgement. By role: what is a name good for, and is this use of it allowed (`predicates`). By effect, with no
list of names at all: whoever computes what is imported, calls what was computed, or changes an imported object
(`changes`) is not writing data.
"""

from __future__ import annotations

from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable
from typing import Final

from eightysix.scan.artifact import Artifact
from eightysix.scan.budget import OverBudgetError
from eightysix.scan.index import Role, RoleKind
from eightysix.scan.pickle.changes import Changes
from eightysix.scan.pickle.evidence import evidence, is_public_function
from eightysix.scan.pickle.joblib import is_wrapper
from eightysix.scan.pickle.notes import is_noted, note_of
from eightysix.scan.pickle.predicates import Call, allowed, is_buffer, is_dunder, outside_storage, prepare
from eightysix.scan.pickle.seen import Observation
from eightysix.scan.pickle.values import (
    MAKER_SHIFT,
    MOST_NAMES,
    NAME,
    NOTED,
    PLACE,
    Made,
    Module,
    Name,
    Unknown,
    Written,
)
from eightysix.scan.pickle.words import call_text, escaped, value_text

__all__ = ["Effects", "RoleOf"]

RoleOf = Callable[[str, str], Role]

MOST_INNER: Final = 64
"""Artifacts inside of one stream that are loaded by it and looked at."""

LONGEST_WRITTEN: Final = 64 << 20
"""Bytes written as text that are decoded to be read as an artifact of their own; as `Limits.member`."""

MOST_ASKED: Final = 2_000
"""Calls of unknown names whose arguments are looked at: it takes a parser, and the name is reported in any case."""

_ANY_EXTENSION: Final = ("copyreg extension", "any")
"""What the second engine calls it, see `SecondOpinion.names`."""

_BAD = (RoleKind.GADGET, RoleKind.DENIED, RoleKind.UNKNOWN)


class Effects(Changes):
    """Everything that one stream was seen to do. `role` answers for a name after the renaming of old modules."""

    def __init__(self, artifact: Artifact, role: RoleOf, *, jump: bool = True) -> None:
        super().__init__(artifact, jump=jump)
        self.role = role
        self.plain_makers: dict[int, int] = {}
        self.globals: set[tuple[str, str]] = set()
        self.inner: list[int | bytes] = []
        self.calls = 0
        self._names: dict[tuple[str, str], int] = {}
        self._uses: dict[int, tuple[str, int]] = {}
        self._excused: set[int] = set()
        self._asked = 0
        self._payloads: dict[int, tuple[str, str, int]] = {}

    # --- what was seen ---

    def observations(self) -> list[Observation]:
        """All that was seen, in the order of the stream; names that have no business there, with their first use."""
        for name in self.heap.names:
            if name is not None and name.role.kind in _BAD:
                if name.index not in self._excused or name.index in self._uses:
                    self._see_name(name)
        return sorted(self.seen.values(), key=lambda one: one.place)

    def _see_name(self, name: Name) -> None:
        use, place = self._uses.get(name.index, ("", name.place))
        said = f"calls {use}" if use else f"imports {escaped(name.full)}"
        if not (name.full.isascii() and name.full.isprintable()):
            self.see("pickle-disguised-name", f"{said}; the name imitates another", place)
            return
        if name.role.kind == RoleKind.UNKNOWN:
            if name.index in self._payloads:
                fed, use, place = self._payloads[name.index]
                what = f"is given {fed}" if fed else "is a public function, called while data is built"
                self.see("pickle-unknown-call", f"calls {use}: nobody vouches for it, and it {what}", place)
                return
            known = (
                f": {name.role.library} has nothing of that name that data needs" if name.role.library else ""
            )
            why = f"{said}, for which nobody vouches{known}"
            self.see("pickle-unknown-name", why, place, (name.full,))
            return
        reaches = name.role.effect or "data has no reason to name it"
        via = f" through {name.role.via}" if name.role.via else ""
        rule = "pickle-gadget" if name.role.kind == RoleKind.GADGET else "pickle-denied-name"
        self.see(rule, f"{said}, which {reaches}{via}" if name.role.effect else f"{said}: {reaches}", place)

    def result(self, code: int, place: int) -> None:
        """What the stream gives as a whole."""
        name = self.heap.name_of(code)
        if name is not None and name.role == Role(RoleKind.UNKNOWN) and not self.calls:
            why = f"does nothing but import {escaped(name.full)}, for which nobody vouches"
            self.see("pickle-import-only", why, place)

    # --- names ---

    def name(self, module: str, qualname: str, place: int, protocol: int) -> int:
        """An import. The code of what it gives."""
        self.globals.add((module, qualname))
        written = (module, qualname)
        if protocol < 3:
            # NOTE: as CPython does (fix_imports): a pair is renamed as a pair, else its module alone.
            if written in NAME_MAPPING:
                module, qualname = NAME_MAPPING[written]
            elif module in IMPORT_MAPPING:
                module = IMPORT_MAPPING[module]
        return self._named(written, module, qualname, place)

    def _named(self, written: tuple[str, str], module: str, qualname: str, place: int) -> int:
        known = self._names.get((module, qualname))
        if known is not None:
            return known
        index = len(self.heap.names)
        if index > MOST_NAMES:
            raise OverBudgetError("names", MOST_NAMES)
        name = Name(index, written, module, qualname, self.role(module, qualname), place)
        prepare(name)
        name.noted = is_noted(name)
        self.heap.names.append(name)
        code = NAME | index << MAKER_SHIFT | place
        self._names[module, qualname] = code
        if "@" in name.role.predicate and name.role.kind == RoleKind.CONSTRUCT:
            self.hold_all(place)
        if name.role.kind == RoleKind.CONSTRUCT and not name.role.predicate and not is_wrapper(name):
            self.plain_makers[code] = index
        return code

    def line_name(self, module: bytes, qualname: bytes, place: int, protocol: int) -> int:
        """GLOBAL and INST: two lines."""
        return self.name(
            module.decode("utf-8", "replace"), qualname.decode("utf-8", "replace"), place, protocol
        )

    def stack_name(self, module: int, qualname: int, place: int, protocol: int) -> int:
        """STACK_GLOBAL: two values, which must be texts that stand in the stream."""
        parts = [self.heap.value(code) for code in (module, qualname)]
        if all(self.heap.is_text(code) for code in (module, qualname)) and all(
            isinstance(part, str) for part in parts
        ):
            return self.name(str(parts[0]), str(parts[1]), place, protocol)
        shown = " and ".join(value_text(self.heap, code) for code in (module, qualname))
        self.see(
            "pickle-computed-name", f"imports by a name that does not stand in the stream: {shown}", place
        )
        return self._computed(place)

    def extension(self, place: int, number: int) -> int:
        """EXT1, EXT2, EXT4: a name by its number in a registry of the process that loads."""
        self.globals.add(_ANY_EXTENSION)
        self.see(
            "pickle-extension",
            f"imports number {number} of copyreg's registry, whatever that is there",
            place,
        )
        return self._computed(place)

    def _computed(self, place: int) -> int:
        return place | NOTED

    # --- calls ---

    def call(
        self, callee: int, arguments: tuple[int, ...] | None, place: int, how: str, named: int | None = None
    ) -> int:
        """A call by `how`. The code of its result."""
        self.calls += 1
        name = self.heap.name_of(callee)
        if name is None:
            return self._call_computed(callee, place)
        call = Call(name, arguments, how, named is not None)
        resolved = self._resolved(call, place)
        if resolved is not None:
            return resolved
        kind = name.role.kind
        if kind in _BAD:
            self._use(call, place)
        elif kind == RoleKind.VALUE:
            self._called_value(call, place)
        else:
            self._judge(call, place)
        return self._result(call, place)

    def _use(self, call: Call, place: int) -> None:
        # NOTE: `_reconstructor` names the class that it makes; the class is what a reader wants to see.
        if call.name.index not in self._uses:
            self._uses[call.name.index] = (call_text(self.heap, call.name, call.arguments), place)
        if call.name.role.kind != RoleKind.UNKNOWN or call.name.index in self._payloads:
            return
        self._asked += 1
        if self._asked <= MOST_ASKED:
            fed = evidence(call, self.heap, self.role)
            if fed or is_public_function(call, self.heap):
                self._payloads[call.name.index] = (
                    fed,
                    call_text(self.heap, call.name, call.arguments),
                    place,
                )

    def _called_value(self, call: Call, place: int) -> None:
        """A call of what data only refers to. Where the miner saw no effect of it and nothing speaks of a payload, a
        reader may decide: libraries have more helpers that rebuild objects than anybody has seen in use."""
        shown = call_text(self.heap, call.name, call.arguments)
        self._asked += 1
        fed = ""
        if not call.name.role.effect and self._asked <= MOST_ASKED:
            fed = evidence(call, self.heap, self.role)
            if not fed and not is_public_function(call, self.heap):
                why = f"calls {shown}, which no data was seen to call"
                self.see("pickle-unseen-call", why, place, (call.name.full,))
                return
        reason = call.name.role.effect or (f"is given {fed}" if fed else "")
        why = f"calls {shown}, which may be referred to only" + (f": it {reason}" if reason else "")
        self.see("pickle-value-called", why, place)

    def _judge(self, call: Call, place: int) -> None:
        wrong = allowed(call, self.heap)
        if wrong:
            shown = call_text(self.heap, call.name, call.arguments)
            self.see("pickle-arguments", f"calls {shown}: {wrong}", place)
        outside = outside_storage(call, self.heap) if call.name.views else ""
        if outside:
            self.see(
                "tensor-outside-storage", f"makes a tensor with {escaped(call.name.full)}: {outside}", place
            )
        for number in call.name.loads:
            self._load(call, number)

    def _load(self, call: Call, number: int) -> None:
        if call.arguments is None or number >= len(call.arguments) or len(self.inner) >= MOST_INNER:
            return
        code = call.arguments[number]
        value = self.heap.value(code)
        if is_buffer(value) and isinstance(value, Made) and value.arguments:
            code = value.arguments[0]
            value = self.heap.value(code)
        written = self.heap.written_at(code)
        if written is not None:
            self.inner.append(self.heap.written(written, LONGEST_WRITTEN))
        elif self.heap.is_bytes(code):
            self.inner.append(code & PLACE)
        elif isinstance(value, bytes):
            self.inner.append(value)

    def _result(self, call: Call, place: int) -> int:
        code = call.name.index << MAKER_SHIFT | place
        note = note_of(call, self.heap) if call.name.noted else None
        if note is None:
            return code
        if isinstance(note, Name):  # copyreg makes an instance of the class that it is given
            return note.index << MAKER_SHIFT | place
        if isinstance(note, Written):
            self.made(note)
        self.heap.note(place, note)
        return code | NOTED

    def _call_computed(self, callee: int, place: int) -> int:
        value = self.heap.value(callee)
        if isinstance(value, Made | Module | Unknown):
            self.see(
                "pickle-computed-call",
                f"calls {value_text(self.heap, callee)}, an object made by the stream",
                place,
            )
        else:
            self.see("pickle-types", f"calls {value_text(self.heap, callee)}, which cannot be called", place)
        return self._computed(place)

    def _resolved(self, call: Call, place: int) -> int | None:
        """An import that picklers write as a call with constant texts: the name that it gives; None for other calls."""
        if call.name.qualname == "getattr" and call.name.module == "builtins":
            return self._attribute(call, place)
        if call.name.module == "dill._dill" and call.arguments:
            return self._dill(call, place)
        return None

    def _dill(self, call: Call, place: int) -> int | None:
        """dill before 0.3.5 imports functions of extension modules by two calls: a module, and an attribute of it."""
        values = [self.heap.value(code) for code in call.arguments or ()]
        if call.name.qualname == "_import_module" and isinstance(values[0], str):
            module, _, last = values[0].rpartition(".")
            found = self.role(module or last, last)
            if not found.library or (module and found.kind in (RoleKind.GADGET, RoleKind.DENIED)):
                return None
            self._excused.add(call.name.index)
            self.heap.note(place, Module(values[0]))
            return place | NOTED
        if call.name.qualname == "_get_attr" and len(values) == 2:
            owner, attribute = values
            if isinstance(owner, Module) and isinstance(attribute, str):
                self._excused.add(call.name.index)
                return self._named((owner.name, attribute), owner.name, attribute, place)
        return None

    def _attribute(self, call: Call, place: int) -> int | None:
        """`getattr(class, text)`: how picklers write a class inside another, and methods as data."""
        if call.arguments is None or len(call.arguments) != 2:
            return None
        owner, attribute = (self.heap.value(code) for code in call.arguments)
        if isinstance(owner, Made):
            return self._method(call, owner, attribute, place)
        if not isinstance(owner, Name) or not isinstance(attribute, str) or not attribute.isidentifier():
            return None
        if is_dunder(attribute):
            return None
        inside = f"{owner.qualname}.{attribute}"
        found = self.role(owner.module, inside)
        if found.kind in (RoleKind.CONSTRUCT, RoleKind.FUNCTION, RoleKind.VALUE):
            self._excused.update((call.name.index, owner.index))
            return self._named((owner.module, inside), owner.module, inside, place)
        if owner.role.kind not in (RoleKind.CONSTRUCT, RoleKind.UNKNOWN):
            return None
        self._excused.add(call.name.index)
        if found.kind in (RoleKind.DENIED, RoleKind.UNKNOWN) and owner.role.kind == RoleKind.CONSTRUCT:
            return self._computed(place)  # a method as data; a call of it is a call of a computed object
        return self._named((owner.module, inside), owner.module, inside, place)

    def _method(self, call: Call, owner: Made, attribute: object, place: int) -> int | None:
        """`getattr(object, text)`: a method of an object that the stream made, kept as data (hooks of torch's modules). A
        call of it is a call of a computed object."""
        if not isinstance(attribute, str) or not attribute.isidentifier() or is_dunder(attribute):
            return None
        if owner.by.role.kind != RoleKind.CONSTRUCT:
            return None
        if self.role(owner.by.module, f"{owner.by.qualname}.{attribute}").kind == RoleKind.GADGET:
            return None
        self._excused.add(call.name.index)
        return self._computed(place)
