"""A whole `detection`: its selections and its condition, with every problem in it found in one pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from eightysix.detect.fieldnames import ACTIONS, FIELD_BY_NAME
from eightysix.detect.rule import Detection
from eightysix.detect.sigma.condition import (
    RESERVED,
    ConditionError,
    fold,
    is_selection_name,
    parse_condition,
)
from eightysix.detect.sigma.items import MAX_VALUES, ItemError, compile_item
from eightysix.detect.sigma.parts import Part, join_all, join_any, negated
from eightysix.model.errors import RuleError

__all__ = ["MAX_SELECTIONS", "DetectionError", "DetectionProblem", "compile_detection"]

MAX_SELECTIONS: Final = 64
"""Most selections of a detection, and most maps of a selection, and most fields of a map."""

_OTHER_ACTION: Final = "\0"
"""Stands for an action that no rule can name, so that negations are counted as matching it."""

Path = tuple["str | int", ...]


class DetectionProblem(Struct, frozen=True):
    """One thing wrong with a detection. `path` leads there from the detection itself (keys and indexes); `at_key` says
    that the key, not its value, is meant; `offset` counts characters into a text value."""

    path: Path
    what: str
    advice: str = ""
    at_key: bool = False
    offset: int = 0


class DetectionError(RuleError):
    """A detection that cannot be compiled; `problems` holds everything that was found in it."""

    def __init__(self, problems: Sequence[DetectionProblem]) -> None:
        super().__init__(problems[0].what, problems[0].advice)
        self.problems = tuple(problems)


def compile_detection(tree: object) -> Detection:
    """Compile a parsed `detection` (maps, lists, text, numbers, bools, None). Raises `DetectionError` with all of it.

    `Detection.actions` is a superset of the actions that can match, found by three-valued logic: tests on `action` are
    true or false for each action, every other test is unknown. Empty means any.
    """
    compiler = _Compiler()
    part = compiler.detection(tree)
    if compiler.problems or part is None:
        raise DetectionError(compiler.problems)
    possible = frozenset(action for action in ACTIONS if part.truth({"action": (action,)}) is not False)
    others = ({"action": ("",)}, {"action": (_OTHER_ACTION,)})
    open_ended = any(part.truth(other) is not False for other in others)
    if not possible and not open_ended:
        raise DetectionError(
            [
                DetectionProblem(
                    (), "can never match: no value of 'action' fits", "check the tests on 'action'"
                )
            ]
        )
    return Detection(
        matches=part.matches,
        actions=frozenset() if open_ended else possible,
        source=part.words,
        could_match=lambda known: part.truth(known) is not False,
    )


class _Compiler:
    """One pass over the tree that collects problems instead of stopping at the first."""

    def __init__(self) -> None:
        self.problems: list[DetectionProblem] = []
        self._values = 0

    def _complain(
        self, path: Path, what: str, advice: str = "", *, at_key: bool = False, offset: int = 0
    ) -> None:
        self.problems.append(DetectionProblem(path, what, advice, at_key, offset))

    def detection(self, tree: object) -> Part | None:
        """The whole detection; None where nothing could be made of it (then there are problems)."""
        if not isinstance(tree, Mapping) or not tree:
            self._complain(
                (), "a detection is a map of selections and a condition", "write 'selection: {field: value}'"
            )
            return None
        if len(tree) > MAX_SELECTIONS:
            self._complain((), f"more than {MAX_SELECTIONS} selections", "split the rule in two")
            return None
        selections: dict[str, Part] = {}
        broken: list[str] = []
        for name, body in tree.items():
            if name == "condition":
                continue
            part = self._selection(name, body)
            if part is None:
                broken.append(str(name))
            else:
                selections[str(name)] = part
        if not selections and not broken:
            self._complain((), "no selection", "write 'selection: {field: value}'")
            return None
        return self._condition(tree, selections, broken)

    def _selection(self, name: object, body: object) -> Part | None:
        if not isinstance(name, str):
            self._complain((), f"the name {name!r} of a selection is no text", "put it in quotes")
            return None
        field = name.split("|")[0]
        if field in FIELD_BY_NAME or "|" in name or not isinstance(body, Mapping | list):
            advice = f"put it under a selection: 'selection: {{{name}: ...}}'"
            self._complain(
                (name,), f"{name!r} stands where the name of a selection is expected", advice, at_key=True
            )
            return None
        if not is_selection_name(name):
            advice = "it is a word of conditions" if name in RESERVED else "use letters, digits, '_' and '-'"
            self._complain((name,), f"a selection cannot be called {name!r}", advice, at_key=True)
            return None
        if isinstance(body, Mapping):
            return self._map((name,), body)
        return self._list((name,), body)

    def _list(self, path: Path, body: list[object]) -> Part | None:
        if not body or len(body) > MAX_SELECTIONS:
            self._complain(
                path, f"a list of 1 to {MAX_SELECTIONS} maps is expected", "each item is one alternative"
            )
            return None
        parts: list[Part] = []
        for index, item in enumerate(body):
            if not isinstance(item, Mapping):
                self._complain(
                    (*path, index), "keyword search is not supported: facts have no full text", "name a field"
                )
                continue
            part = self._map((*path, index), item)
            if part is not None:
                parts.append(part)
        return join_any(tuple(parts)) if len(parts) == len(body) else None

    def _map(self, path: Path, body: Mapping[object, object]) -> Part | None:
        if not body or len(body) > MAX_SELECTIONS:
            self._complain(
                path,
                f"a map of 1 to {MAX_SELECTIONS} fields is expected",
                "an empty selection would match everything",
            )
            return None
        parts: list[Part] = []
        for key, value in body.items():
            self._values += len(value) if isinstance(value, list) else 1
            if self._values > MAX_VALUES:
                self._complain(path, f"more than {MAX_VALUES} values in a detection", "split the rule in two")
                return None
            where: Path = (*path, str(key))
            try:
                parts.append(compile_item(str(key), value))
            except ItemError as error:
                at = where if error.index is None else (*where, error.index)
                self._complain(at, error.what, error.advice, at_key=error.at_key)
        return join_all(tuple(parts)) if len(parts) == len(body) else None

    def _condition(
        self, tree: Mapping[object, object], selections: dict[str, Part], broken: list[str]
    ) -> Part | None:
        names = [*selections, *broken]
        raw = tree.get("condition")
        if "condition" not in tree:
            if len(names) > 1:
                self._complain(
                    (), "several selections and no condition", f"add 'condition: {' and '.join(names[:4])}'"
                )
                return None
            return selections.get(names[0])
        texts = raw if isinstance(raw, list) else [raw]
        if not texts or len(texts) > MAX_SELECTIONS or not all(isinstance(text, str) for text in texts):
            self._complain(("condition",), "a condition is a text, or a list of texts of which one must hold")
            return None
        parts: list[Part] = []
        used: set[str] = set()
        failed = False
        for index, text in enumerate(texts):
            try:
                expression = parse_condition(str(text), names)
            except ConditionError as error:
                where: Path = ("condition", index) if isinstance(raw, list) else ("condition",)
                self._complain(where, error.what, error.advice, offset=error.offset)
                failed = True
                continue
            fold(expression, used.add, _nothing, _nothing, _nothing)
            if not broken:
                parts.append(fold(expression, selections.__getitem__, negated, join_all, join_any))
        if failed:
            return None
        for name in names:
            if name not in used:
                self._complain(
                    (name,),
                    f"selection {name!r} is never used by the condition",
                    "use it or remove it",
                    at_key=True,
                )
        return join_any(tuple(parts)) if parts else None


def _nothing(_: object) -> None:
    return None
