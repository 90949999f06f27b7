"""Judges what a stream does to objects: puts items in, sets attributes, shares, nests, asks for things from outside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from eightysix.scan.artifact import Artifact
from eightysix.scan.index import RoleKind, predicates
from eightysix.scan.index.role import is_inert_source
from eightysix.scan.pickle import opcodes as op
from eightysix.scan.pickle.joblib import behind_array, is_wrapper, wrapper_files
from eightysix.scan.pickle.notes import with_state
from eightysix.scan.pickle.seen import Encoded, Observation
from eightysix.scan.pickle.values import (
    CONTAINER,
    FETCHED,
    NAME,
    NOTED,
    PLACE,
    Dtype,
    Heap,
    Items,
    Made,
    Name,
    Storage,
    Unknown,
    Value,
    Written,
)
from eightysix.scan.pickle.words import escaped, value_text

__all__ = ["Changes"]

MOST_SEEN: Final = 200
"""Observations kept of one stream; the limit of findings of a file is the same."""

MOST_ENCODED: Final = 64
MOST_STORAGES: Final = 1 << 18

LAUGHS: Final = 100_000_000
"""Ways through shared lists and dictionaries to one value, from which on nobody can print, copy or compare the whole."""

MOST_PARTS: Final = 64
"""Parts of a persistent id that are looked at; torch's has six."""

HUGE: Final = 1 << 30
"""Bytes that an opcode may announce and not bring before that is meant to exhaust memory: loaders allocate first."""

BIG_SLOT: Final = 1 << 20
"""Memo slots from which on a gap costs the loader memory: CPython allocates 16 bytes for every slot below."""

_BASE64 = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_\n")
_HEX = frozenset(b"0123456789abcdefABCDEF")
_TEXT_STARTS = b"c(i]}"
_SHORTEST_ENCODED = 16
_TWO_BYTES = 0xC2
"""First byte of 0x80, the opcode PROTO, where latin-1 is written as UTF-8."""

LONGEST_MADE: Final = 16 << 20
"""Bytes of one such text that are decoded."""


def _is_plain(value: Value) -> bool:
    if value is None:
        return True
    return isinstance(value, str) and "/" not in value and "\\" not in value and value != ".."


_STATED: dict[str, Callable[[Value], bool]] = {
    "source": lambda value: isinstance(value, str) and is_inert_source(value),
    "empty": lambda value: value is None,
    "plain": _is_plain,
}
"""Predicates about what stands under a key of a state."""


class Changes:
    """The part of `Effects` that is about objects which exist already."""

    def __init__(self, artifact: Artifact, *, jump: bool = True) -> None:
        self.heap = Heap(artifact)
        self.jump = jump
        self.nested: Callable[[int], int] | None = None
        self.seen: dict[tuple[str, str], Observation] = {}
        self.encoded: list[Encoded] = []
        self.made_bytes: list[bytes] = []
        self.storages: list[Storage] = []
        self.jumped: list[tuple[int, int]] = []
        self.hold = NAME
        self.held_from = 0
        self._weights: dict[int, int] = {}
        self._judged: set[tuple[int, int, int]] = set()

    def see(self, rule: str, why: str, place: int, names: tuple[str, ...] = ()) -> None:
        """Note one thing. The same is kept once."""
        if len(self.seen) < MOST_SEEN and (rule, why) not in self.seen:
            self.seen[rule, why] = Observation(rule, why, place, names)

    # --- items ---

    def container(self, place: int, items: Sequence[int]) -> int:
        """LIST, DICT and FROZENSET. The code of the container."""
        if items and max(items) >= self.hold:
            self.heap.hold(place, items)
        return place | CONTAINER

    def fill(self, target: int, items: Sequence[int], place: int, how: str) -> None:
        """Items go into `target`, which is no plain container, or one of them is more than data."""
        name = self.heap.name_of(target)
        if name is not None:
            self.see(
                "pickle-changes-import",
                f"puts items into {escaped(name.full)}, which it imported ({how})",
                place,
            )
            return
        maker = self.heap.maker_of(target)
        if maker is not None:
            self._fill_instance(maker, place, how)
        elif target & CONTAINER:
            if items and max(items) >= self.hold:
                self.heap.hold(target & PLACE, items)
        elif isinstance(self.heap.value(target), Unknown):
            self.see("pickle-changes-import", f"puts items into an object that it computed ({how})", place)
        else:
            self.see("pickle-types", f"puts items into {value_text(self.heap, target)} ({how})", place)

    def _fill_instance(self, maker: Name, place: int, how: str) -> None:
        if maker.role.kind == RoleKind.FUNCTION:
            why = f"puts items into what {escaped(maker.full)} gave back ({how})"
            self.see("pickle-changes-result", why, place)
        elif any(one == "noitems" for one, _ in predicates(maker.role)):
            why = f"puts items into a {escaped(maker.full)} ({how}), which acts on what it is given"
            self.see("pickle-arguments", why, place)

    def weigh(self, target: int, items: Sequence[int], place: int) -> None:
        """Count the ways through shared containers: each level that doubles them costs a few bytes of the stream."""
        weights, extra = self._weights, 0
        for item in items:
            if item & CONTAINER:
                weight = weights.get(item & PLACE, 1)
                extra += weight if item & FETCHED else weight - 1
        if extra:
            parent = target & PLACE
            total = min(LAUGHS, weights.get(parent, 1) + extra)
            weights[parent] = total
            if total >= LAUGHS:
                self.see(
                    "bomb",
                    "lists within it share each other so often that nobody can walk through them",
                    place,
                )

    def deep(self, place: int) -> None:
        """Containers lie within each other deeper than any pickler writes them."""
        self.see("bomb", "containers within it are nested deeper than any program can walk", place)

    # --- attributes ---

    def build(self, target: int, state: int, place: int, after: int) -> int:
        """BUILD. The offset at which the stream goes on: behind an array where one follows."""
        heap = self.heap
        name = heap.name_of(target)
        if name is not None:
            self.see(
                "pickle-changes-import", f"sets attributes of {escaped(name.full)}, which it imported", place
            )
            return after
        maker = heap.maker_of(target)
        if maker is None:
            value = heap.value(target)
            if isinstance(value, Unknown) and value.computed:
                self.see("pickle-changes-import", "sets attributes of an object that it computed", place)
            elif not isinstance(value, Dtype | Made | Storage | Unknown):
                self.see("pickle-types", f"sets attributes of {value_text(heap, target)}", place)
            return after
        kind = heap.dtype_of(target)
        if kind is not None:
            heap.note(target & PLACE, with_state(kind, state, heap))
            return after
        if not self.hold:
            self._stated(maker, state, place)
        if state & (NAME | NOTED | CONTAINER):
            self._state(maker, state, place)
        return self._array(state, place, after) if self.jump and is_wrapper(maker) else after

    def _state(self, maker: Name, state: int, place: int) -> None:
        value = self.heap.value(state)
        if not isinstance(value, Items):
            return
        slots: Value = None
        lost = value.kind == "tuple" and self.heap.is_forgotten(state)
        if value.kind == "tuple" and value.items is not None and len(value.items) == 2:
            first, slots = (self.heap.value(item) for item in value.items)
            lost = self.heap.is_forgotten(value.items[1])
        else:
            first = value
        if lost:
            why = f"sets attributes of a {escaped(maker.full)} from a state filled long before: it cannot be followed"
            self.see("pickle-special-attribute", why, place)
        if isinstance(slots, Items) and slots.kind == "dict":
            if any(one == "noitems" for one, _ in predicates(maker.role)):
                self.see(
                    "pickle-arguments", f"sets slots of a {escaped(maker.full)}, which acts on them", place
                )
            self._attributes(maker, slots, place, slots=True)
        if isinstance(first, Items) and first.kind == "dict":
            self._attributes(maker, first, place, slots=False)

    def hold_all(self, place: int) -> None:
        """From `place` on remember what is in every container: a class was imported that acts on its state."""
        if self.hold:
            self.hold, self.held_from = 0, place

    def _stated(self, maker: Name, state: int, place: int) -> None:
        """The class acts on what stands under a key of its state: a text that it runs, a file that it names."""
        for predicate, given in predicates(maker.role) if maker.role.predicate else ():
            judge = _STATED.get(predicate)
            if judge is None:
                continue
            values = self._under(state, given[0])
            if values is None or not all(judge(value) for value in values):
                key = escaped(str(given[0]))
                why = f"sets the state of a {escaped(maker.full)}, which acts on its {key}, to what it must not be"
                self.see("pickle-arguments", why, place)

    def _under(self, state: int, key: int | str) -> list[Value] | None:
        """What the dictionaries of a state hold under `key`; None where that cannot be followed."""
        value = self.heap.value(state)
        pair = isinstance(value, Items) and value.kind == "tuple"
        codes = list(value.items or ()) if pair and isinstance(value, Items) else [state]
        found: list[Value] = []
        for code in codes:
            held = self.heap.value(code)
            if held is None:
                continue
            since = max(self.held_from, self.heap.forgotten)
            if not isinstance(held, Items) or held.kind != "dict" or code & PLACE < since:
                return None
            items = held.items or ()
            found += [
                self.heap.value(one)
                for name, one in zip(items[::2], items[1::2], strict=False)
                if self.heap.value(name) == key
            ]
        return found if codes else None

    def _attributes(self, maker: Name, state: Items, place: int, *, slots: bool) -> None:
        """Only what is more than data is remembered of a dictionary: such keys and values are the ones that matter."""
        items = state.items or ()
        judged = (maker.index, id(items), len(items))
        if judged in self._judged:
            return
        self._judged.add(judged)
        for key, held in zip(items[::2], items[1::2], strict=False):
            text = self.heap.value(key)
            if not isinstance(text, str):
                continue
            if not (text.startswith("__") and text.endswith("__")):
                continue
            # NOTE: the pair's second dictionary is set by setattr, which can change what an object *is* (`__class__`);
            # the first goes into `__dict__`, where such names mean nothing unless they hold something to call.
            computed = self.heap.value(held)
            if slots or held & NAME or (isinstance(computed, Unknown) and computed.computed):
                why = f"sets {escaped(text)} of a {escaped(maker.full)} to {value_text(self.heap, held)}"
                self.see("pickle-special-attribute", why, place)

    def _array(self, state: int, place: int, after: int) -> int:
        outside = wrapper_files(self.heap, state)
        if outside:
            if "/" in outside or "\\" in outside or outside.startswith("."):
                self.see("pickle-arguments", f"an array is read from the file {escaped(outside)}", place)
            return after
        behind = behind_array(self.heap, state, after, self.nested)
        if isinstance(behind, str):
            self.see("pickle-array", behind, place)
            return after
        self.jumped.append((after, behind))
        return behind

    # --- from outside ---

    def persistent(self, identity: int, place: int) -> int:
        """BINPERSID. A storage of torch is noted; anything that could be called has no place in one."""
        heap = self.heap
        parts = (heap.items(identity) or (identity,))[:MOST_PARTS]
        values = [heap.value(part) for part in parts]
        names = [value for value in values if isinstance(value, Name)]
        for name in names:
            if name.role.kind not in (RoleKind.VALUE, RoleKind.CONSTRUCT, RoleKind.UNKNOWN):
                why = f"a persistent id holds {escaped(name.full)}, which its loader may call"
                self.see("pickle-persistent-id", why, place)
        if any(isinstance(value, Unknown) and value.computed for value in values):
            self.see(
                "pickle-persistent-id", "a persistent id holds an object that the stream computed", place
            )
        if len(values) >= 5 and values[0] == "storage" and isinstance(values[1], Name):
            size = values[4]
            storage = Storage(values[1], str(values[2]), size if isinstance(size, int) else None)
            heap.note(place, storage)
            if len(self.storages) < MOST_STORAGES:
                self.storages.append(storage)
            return place | NOTED
        if len(values) >= 2 and values[0] == "module" and isinstance(values[1], Name):
            return parts[1]  # torch before 1.6 gives the class back, with its source for comparing
        if len(values) == 1 and isinstance(values[0], str) and not values[0].isdecimal():
            self._persistent_words(values[0], place)
        return place

    def persistent_text(self, line: bytes, place: int) -> int:
        """PERSID: an id on a line of its own."""
        if not line.isdigit():
            self._persistent_words(line.decode("ascii", "replace"), place)
        return place

    def _persistent_words(self, text: str, place: int) -> None:
        self.see("pickle-persistent-text", f"asks its loader for '{escaped(text)}'", place)

    def buffer(self, place: int) -> None:
        """NEXT_BUFFER, READONLY_BUFFER."""
        self.see("pickle-buffers", "takes buffers that lie outside of the stream", place)

    # --- texts and bytes that may be more ---

    def text(self, place: int, start: int, length: int) -> int:
        """A text whose first character is one of those that mark a special name or an encoded pickle."""
        head = bytes(self.heap.view[start : start + min(length, 24)])
        if head.startswith(b"__"):
            return place | NOTED
        if length >= _SHORTEST_ENCODED:
            self._encoded_text(start, length, head)
        return place

    def line_text(self, place: int, end: int) -> int:
        """UNICODE and STRING: what stands between the opcode and the end of its line."""
        start = place + 1
        quoted = self.heap.view[place] == op.STRING and end - start >= 2
        first, last = (start + 1, end - 1) if quoted else (start, end)
        return self.text(place, first, last - first) if last > first else place

    def _encoded_text(self, start: int, length: int, head: bytes) -> None:
        if len(self.encoded) >= MOST_ENCODED:
            return
        if head[:2] in (b"80", b"63", b"28") and _HEX.issuperset(head):
            self.encoded.append(Encoded(start, length, "hex"))
        elif head[0] in b"gYK" and _BASE64.issuperset(head):
            self.encoded.append(Encoded(start, length, "base64"))

    def blob(self, place: int, start: int, length: int) -> int:
        """Bytes. Those that look like a pickle are remembered; only their ends are looked at."""
        if len(self.encoded) < MOST_ENCODED and length >= 4:
            first, second = self.heap.view[start], self.heap.view[start + 1]
            last = self.heap.view[start + length - 1]
            if (
                first == op.PROTO
                and second <= op.HIGHEST_PROTOCOL
                or first in _TEXT_STARTS
                and last == op.STOP
            ):
                self.encoded.append(Encoded(start, length, "raw"))
        return place

    def made(self, written: Written) -> None:
        """Bytes that protocols below 3 write as an encoded text. Most are told from a pickle by their first byte."""
        start, length = self.heap.extent(written.text & PLACE)
        if length < 4 or len(self.made_bytes) >= MOST_ENCODED:
            return
        first = self.heap.view[start]
        if first == _TWO_BYTES or (first in _TEXT_STARTS and self.heap.view[start + length - 1] == op.STOP):
            data = self.heap.written(written, LONGEST_MADE)
            if data[0] != op.PROTO or data[1] <= op.HIGHEST_PROTOCOL:
                self.made_bytes.append(data)

    # --- the stream itself ---

    def frame(self, place: int, why: str) -> None:
        """A frame and the opcodes in it do not fit."""
        self.see("pickle-frame", why, place)

    def protocol(self, place: int, version: int) -> None:
        """A PROTO that is not at the start, or of a protocol that no Python reads."""
        if version > op.HIGHEST_PROTOCOL:
            self.see("pickle-structure", f"claims protocol {version}, which no Python reads", place)
        else:
            self.see("pickle-structure", "names its protocol again in the middle", place)

    def slot(self, place: int, index: int) -> None:
        """A memo slot with a number larger than any that this many bytes could have filled."""
        if index >= BIG_SLOT:
            why = f"puts a value into memo slot {index:,}, for which the loader allocates all slots below"
            self.see("bomb", why, place)

    def oversized(self, place: int, announced: int, there: int) -> None:
        """An opcode announces more bytes than there are."""
        if announced - there > HUGE:
            self.see("bomb", f"announces {announced:,} bytes and brings {max(0, there):,}", place)
