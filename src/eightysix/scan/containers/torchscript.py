"""Judges TorchScript: the text that torch compiles from an archive, and operator names in its other forms.

torch's compiler resolves `torch.x` and `ops.prim.x` to operators, `torch.classes.ns.C` to native classes, and a method that a
value does not have to the operator `aten::method` (torch/csrc/jit/frontend/sugared_value.cpp, `SimpleValue::attr`). So every
dotted name is looked at, whatever it hangs on; literals and comments are cut out first. The text is taken apart by string
methods alone, in time linear in its length.
"""

from __future__ import annotations

from collections.abc import Iterator

from eightysix.scan.artifact import Artifact
from eightysix.scan.containers.torchscript_ops import CLASSES, operators
from eightysix.scan.interface import Scan

__all__ = ["judge", "judge_bytecode", "judge_export"]

_LONGEST = 32 << 20
"""Bytes of one source file that are read; ours. Traced models of some thousand layers have below 10 MB."""

_SHOWN = 8
_MOST_NAMES = 100_000

_EFFECTS = {"file": "opens a file whose name the model gives", "remote": "calls code on another machine"}

_KEPT = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.(")
_TABLE = {code: (chr(code) if chr(code) in _KEPT else " ") for code in range(128)}


def judge(artifact: Artifact, scan: Scan) -> None:
    """Judge one source file of a TorchScript archive."""
    if len(artifact) > _LONGEST:
        scan.report("torchscript-unread", artifact, f"{len(artifact):,} bytes of code are more than are read")
        return
    try:
        text = artifact.head(_LONGEST).decode()
    except UnicodeDecodeError:
        scan.report("torchscript-unread", artifact, "it is no UTF-8 text")
        return
    plain, literals = _without_literals(text, scan)
    names = _names(plain, scan)
    _Judged(artifact, scan).code(names, plain, literals)


def judge_bytecode(artifact: Artifact, scan: Scan) -> None:
    """Judge the operators that mobile bytecode names: `space::name` in its strings."""
    judged = _Judged(artifact, scan)
    for space, name in _qualified(artifact, b"::"):
        judged.operator(space, name)
    judged.tell()


def judge_export(artifact: Artifact, scan: Scan) -> None:
    """Judge the operators that an exported program names: `torch.ops.space.name` in its JSON."""
    judged = _Judged(artifact, scan)
    place = artifact.find(b"torch.ops.")
    for _ in range(_MOST_NAMES):
        if place < 0:
            break
        words = _word(artifact.at(place, 256)).split(".")
        if len(words) > 3:
            judged.operator(words[2], words[3])
        place = artifact.find(b"torch.ops.", place + 10)
    judged.tell()


class _Judged:
    """What was met in one part: effects are told one by one, unknown names together."""

    def __init__(self, artifact: Artifact, scan: Scan) -> None:
        self.artifact = artifact
        self.scan = scan
        self.table = operators()
        self.unknown: dict[str, None] = {}

    def operator(self, space: str, name: str) -> None:
        effect = self.table.effects.get((space, name))
        if effect:
            self.effect(f"{space}::{name}", effect)
        elif (space, name) not in self.table.known:
            self.unknown[f"{space}::{name}"] = None

    def effect(self, what: str, effect: str) -> None:
        self.scan.report("torchscript-effect", self.artifact, f"{what} {_EFFECTS[effect]}")

    def tell(self) -> None:
        if self.unknown:
            names = list(self.unknown)
            more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
            self.scan.report(
                "torchscript-unknown",
                self.artifact,
                f"it uses {', '.join(name[:80] for name in names[:_SHOWN])}{more}",
                names=[name.replace("::", ".") for name in names[:_SHOWN]],
            )

    def code(self, names: set[str], plain: str, literals: set[str]) -> None:
        methods = self.table.methods()
        if "getattr(" in names or "hasattr(" in names:
            for name in sorted(literals & methods.keys()):
                self.effect(f"aten::{name}, taken by getattr,", methods[name])
        for chain in names:
            called = chain.endswith("(")
            parts = chain.rstrip("(").split(".")
            if parts[0] == "torch":
                self._torch(parts)
            elif parts[0] == "ops":
                if len(parts) < 3:
                    self.unknown["::".join(parts)] = None
                else:
                    self.operator(parts[1], parts[2])
            elif parts[:3] == ["__torch__", "torch", "classes"]:
                if len(parts) > 3 and parts[3] not in CLASSES:
                    self.unknown["::".join(parts[2:])] = None
            elif parts[0] != "__torch__" and len(parts) > 1 and parts[-1] in methods:
                self._method(parts[-1], methods[parts[-1]], called, plain)
        self.tell()

    def _torch(self, parts: list[str]) -> None:
        if len(parts) == 1:
            self.unknown["torch"] = None  # torch itself as a value: what is taken from it cannot be seen
        elif parts[1] == "classes":
            if len(parts) < 3 or parts[2] not in CLASSES:
                self.unknown["::".join(parts[1:])] = None
        elif parts[1] == "ops":
            self.operator(parts[2] if len(parts) > 2 else "", parts[3] if len(parts) > 3 else "")
        else:
            self.operator("aten", parts[-1])

    def _method(self, name: str, effect: str, called: bool, plain: str) -> None:
        if f"def {name}(" in plain:
            self.unknown[f"aten::{name}"] = (
                None  # the code has a method of that name: which is meant is not known
            )
        elif called:
            self.effect(f"aten::{name}, called as a method,", effect)
        elif f"{name} :" not in plain and f"{name}:" not in plain:
            self.unknown[f"aten::{name}"] = None


def _without_literals(text: str, scan: Scan) -> tuple[str, set[str]]:
    """`text` with a space for each string and comment, and the strings that are single names."""
    pieces: list[str] = []
    literals: set[str] = set()
    place = 0
    quotes = {mark: text.find(mark) for mark in "\"'#"}
    while True:
        ahead = {mark: at for mark, at in quotes.items() if at >= 0}
        if not ahead:
            pieces.append(text[place:])
            return " ".join(pieces), literals
        mark, at = min(ahead.items(), key=lambda pair: pair[1])
        pieces.append(text[place:at])
        if mark == "#":
            end = text.find("\n", at)
            place = len(text) if end < 0 else end
        else:
            place = _end_of_string(text, at, mark)
            if place - at < 80:
                literals.add(text[at:place].strip(mark))
        for one, found in quotes.items():
            if 0 <= found < place:
                quotes[one] = text.find(one, place)
        if not len(pieces) % 1000:
            scan.budget.step(1000)


def _end_of_string(text: str, at: int, mark: str) -> int:
    """Where the literal that begins at `at` ends: torch's lexer knows single and triple quotes, and backslashes."""
    close = mark * 3 if text.startswith(mark * 3, at) else mark
    place = at + len(close)
    while True:
        end = text.find(close, place)
        if end < 0:
            return len(text)
        slashes = end
        while slashes > place and text[slashes - 1] == "\\":
            slashes -= 1
        if not (end - slashes) % 2:
            return end + len(close)
        place = end + 1


def _names(plain: str, scan: Scan) -> set[str]:
    """Every dotted name in the code, with a bracket behind those that are called. Layout does not hide one."""
    scan.budget.step(len(plain) // 8)
    text = " ".join(plain.translate(_TABLE).split())
    text = text.replace(" .", ".").replace(". ", ".").replace(" (", "(").replace("(", "( ")
    text = text.replace("( .", "(.").replace(" .", ".")
    return {word for word in text.split() if word.strip("(").replace(".", "")}


def _qualified(artifact: Artifact, mark: bytes) -> Iterator[tuple[str, str]]:
    """Every text of the form `space::name` in a pickle: its length stands in front of it."""
    place = artifact.find(mark)
    for _ in range(_MOST_NAMES):
        if place < 0:
            return
        first = max(0, place - 64)
        around = artifact.at(first, 256)
        text = _text_around(around, place - first)
        space, found, name = text.partition("::")
        if found and space:
            yield space, name.partition(".")[0]
        place = artifact.find(mark, place + len(mark))


def _text_around(data: bytes, middle: int) -> str:
    """The pickled text of up to 64 characters before `middle` that goes over it; empty where none does."""
    for start in range(middle - 1, 1, -1):
        if start >= 5 and data[start - 5] == 0x58:  # BINUNICODE
            length = int.from_bytes(data[start - 4 : start], "little")
        elif data[start - 2] == 0x8C:  # SHORT_BINUNICODE
            length = data[start - 1]
        else:
            continue
        if middle - start < length <= len(data) - start:
            text = data[start : start + length]
            if text.replace(b"::", b"").replace(b".", b"").replace(b"_", b"").isalnum():
                return text.decode("ascii", "replace")
    return ""


def _word(data: bytes) -> str:
    end = 0
    while end < len(data) and (data[end : end + 1].isalnum() or data[end] in b"_."):
        end += 1
    return data[:end].decode("ascii", "replace")
