"""Filling typed values from the nodes of a file: each check that fails is noted, and reading goes on."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from enum import StrEnum
from typing import Final, TypeVar

from eightysix.detect.fieldnames import nearest
from eightysix.detect.rule import Detection
from eightysix.detect.sigma import DetectionError, compile_detection
from eightysix.rules.yamlfile import (
    Fault,
    Listing,
    Node,
    RuleFileError,
    Scalar,
    Table,
    locate,
    parse_yaml,
    plain,
)

__all__ = ["Form", "is_identifier"]

_MAX_TEXT: Final = 8192
_NAME: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")

_Choice = TypeVar("_Choice", bound=StrEnum)


def is_identifier(text: str, *, underscore: bool = True) -> bool:
    """Small ASCII letters, digits, `-` and (where allowed) `_`, beginning with a letter or digit, at most 64."""
    allowed = _NAME if underscore else _NAME - {"_"}
    return 0 < len(text) <= 64 and allowed.issuperset(text) and text[0] not in "-_"


class Form:
    """One file being read. Getters give None where they noted a fault; `finish` raises if there is any."""

    def __init__(self, data: bytes, file: str) -> None:
        self.file = file
        self.faults: list[Fault] = []
        self.root = parse_yaml(data, self.faults)

    def finish(self) -> None:
        """Raise everything that was noted, in the order of the file."""
        if self.faults:
            raise RuleFileError([(self.file, fault) for fault in sorted(set(self.faults))])

    def fault(self, node: Node, what: str, advice: str = "") -> None:
        """Note that something is wrong at `node`."""
        self.faults.append(Fault(node.line, node.column, what, advice))

    def table(
        self, node: Node | None, what: str, required: Collection[str], optional: Collection[str]
    ) -> Table | None:
        """A map with known keys; `what` names it in messages."""
        if node is None:
            return None
        if not isinstance(node, Table):
            self.fault(node, f"{what} is a map", f"it has the keys {', '.join(required)}")
            return None
        known = [*required, *optional]
        present = {key.text for key, _ in node.entries}
        for key, _ in node.entries:
            if key.text not in known:
                guess = nearest(key.text, known)
                present.add(guess)  # a mistyped key is told once, not also as lacking
                advice = f"did you mean {guess!r}?" if guess else f"{what} has the keys {', '.join(known)}"
                self.fault(key, f"unknown key {key.text!r}", advice)
        for name in required:
            if name not in present:
                self.fault(node, f"{what} lacks the key {name!r}")
        return node

    def items(self, node: Node | None, what: str, most: int) -> tuple[Node, ...]:
        """A list of 1 to `most` items."""
        if node is None:
            return ()
        if not isinstance(node, Listing):
            self.fault(node, f"{what} is a list", "write its items in lines that begin with '- '")
            return ()
        if not 1 <= len(node.items) <= most:
            self.fault(node, f"{what} has 1 to {most} items")
            return ()
        return node.items

    def text(self, node: Node | None, what: str, *, line: bool = False) -> str | None:
        """A text with something in it; `line` allows no line break."""
        if node is None:
            return None
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            self.fault(node, f"{what} is a text", "put it in quotes" if isinstance(node, Scalar) else "")
            return None
        text = node.value.strip()
        if not text or len(text) > _MAX_TEXT:
            self.fault(
                node, f"{what} is empty" if not text else f"{what} is longer than {_MAX_TEXT} characters"
            )
            return None
        if line and "\n" in text:
            self.fault(node, f"{what} is one line")
            return None
        return text

    def texts(self, node: Node | None, what: str, most: int) -> tuple[str, ...]:
        """A list of 1 to `most` texts."""
        found = [self.text(item, f"an item of {what}") for item in self.items(node, what, most)]
        return tuple(text for text in found if text is not None)

    def name(self, node: Node | None, what: str) -> str | None:
        """A text that `is_identifier`."""
        text = self.text(node, what, line=True)
        if node is not None and text is not None and not is_identifier(text):
            self.fault(
                node, f"{what} cannot be {text!r}", "use small letters, digits, '-' and '_', at most 64"
            )
            return None
        return text

    def integer(self, node: Node | None, what: str, low: int, high: int) -> int | None:
        """A whole number in a range."""
        if node is None:
            return None
        value = node.value if isinstance(node, Scalar) else None
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            self.fault(node, f"{what} is a whole number from {low} to {high}")
            return None
        return value

    def choice(self, node: Node | None, what: str, kind: type[_Choice]) -> _Choice | None:
        """One word of a closed set."""
        if node is None:
            return None
        words = [str(one) for one in kind]
        text = node.text if isinstance(node, Scalar) else ""
        if text in words:
            return kind(text)
        guess = nearest(text, words)
        advice = f"did you mean {guess!r}?" if guess else f"it is one of {', '.join(words)}"
        self.fault(
            node, f"{what} cannot be {text!r}" if isinstance(node, Scalar) else f"{what} is a word", advice
        )
        return None

    def day(self, node: Node | None, what: str) -> date | None:
        """A date like 2026-11-23."""
        text = self.text(node, what, line=True)
        if node is None or text is None:
            return None
        try:
            if len(text) == len("2026-11-23"):
                return date.fromisoformat(text)
        except ValueError:
            pass
        self.fault(node, f"{what} is a date", "write it like 2026-11-23")
        return None

    def detection(self, node: Node | None) -> Detection | None:
        """A compiled detection; its faults are placed in the file."""
        if node is None:
            return None
        try:
            return compile_detection(plain(node))
        except DetectionError as error:
            for problem in error.problems:
                line, column = locate(node, problem.path, at_key=problem.at_key, offset=problem.offset)
                self.faults.append(Fault(line, column, problem.what, problem.advice))
        return None
