"""Falco's rule files, read as its documentation says: enough of the condition language to check a file and to run it.

falco.org/docs/concepts/rules/conditions and .../reference/rules/supported-fields. Falco itself is not needed, and this is
not Falco: it says whether a file is well formed and what its conditions mean on given fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

__all__ = ["FIELDS", "PRIORITIES", "RuleFile", "fields_of", "parse"]

FIELDS = frozenset(
    """
    evt.time evt.type evt.res evt.hostname evt.arg evt.is_open_read evt.is_open_write
    proc.name proc.exepath proc.cmdline proc.cwd proc.pid proc.vpid proc.ppid proc.pid.ts proc.ppid.ts proc.aname proc.apid
    proc.aexepath proc.acmdline proc.is_exe_from_memfd user.uid
    container.id container.full_id container.name container.start_ts container.image.repository container.image.tag
    container.image.digest k8s.ns.name k8s.pod.name k8s.pod.uid
    fd.name fd.type fd.typechar fd.l4proto fd.sip fd.sport fd.rip fd.rport fd.snet
    """.split()
)
"""Fields that Falco has, of those that a file here may want; `evt.arg` and the ancestors take an argument."""

PRIORITIES = ("EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFORMATIONAL", "DEBUG")
_WORDS = ("=", "!=", "in", "contains", "startswith", "endswith")
_KEYS = {
    "rule": ({"rule", "desc", "condition", "output", "priority"}, {"tags", "enabled", "source"}),
    "macro": ({"macro", "condition"}, set[str]()),
    "list": ({"list", "items"}, set[str]()),
    "required_engine_version": ({"required_engine_version"}, set[str]()),
    "required_plugin_versions": ({"required_plugin_versions"}, set[str]()),
}
Event = Mapping[str, object]
Check = Callable[[Event], bool]


def fields_of(output: str) -> list[str]:
    """The fields that an output names, without their arguments' brackets lost: `proc.aname[1]`."""
    found = []
    for piece in output.split("%")[1:]:
        name = ""
        for character in piece:
            if not (character.isalnum() or character in "._[]"):
                break
            name += character
        found.append(name.rstrip("."))
    return found


@dataclass(frozen=True)
class RuleFile:
    """A file that was found well formed: its rules by name, and what each one's condition says of an event."""

    rules: dict[str, dict[str, Any]]
    conditions: dict[str, Check]
    lists: dict[str, list[str]]

    def fired(self, event: Event) -> set[str]:
        """Names of the rules that the event fires."""
        return {name for name, check in self.conditions.items() if check(event)}


def parse(document: object) -> RuleFile:
    """Check a document and compile its conditions; raises `ValueError` with the first thing that is wrong."""
    if not isinstance(document, list):
        raise ValueError("a rule file is a list")
    lists: dict[str, list[str]] = {}
    macros: dict[str, Check] = {}
    rules: dict[str, dict[str, Any]] = {}
    conditions: dict[str, Check] = {}
    for item in document:
        kind = next((key for key in _KEYS if key in item), None)
        if kind is None:
            raise ValueError(f"unknown item {item}")
        required, optional = _KEYS[kind]
        if not required <= item.keys() <= required | optional:
            raise ValueError(f"{item[kind]}: keys {sorted(item)}")
        if kind == "list":
            lists[item["list"]] = [str(one).strip('"') for one in item["items"]]
        elif kind in ("macro", "rule"):
            name = item[kind]
            if name in macros or name in rules:
                raise ValueError(f"{name} is there twice")
            check = _Parser(item["condition"], lists, macros).whole()
            if kind == "macro":
                macros[name] = check
            else:
                _check_rule(item)
                rules[name], conditions[name] = item, check
    return RuleFile(rules, conditions, lists)


def _check_rule(rule: Mapping[str, Any]) -> None:
    if rule["priority"] not in PRIORITIES:
        raise ValueError(f"{rule['rule']}: priority {rule['priority']}")
    for field in fields_of(rule["output"]):
        _check_field(field)


def _check_field(text: str) -> None:
    name = text.partition("[")[0]
    if name.startswith("evt.arg."):
        name = "evt.arg"
    if name not in FIELDS:
        raise ValueError(f"no field {text!r}")
    if name in ("proc.apid", "proc.aname", "proc.aexepath") and "[" in text:
        if not text.endswith("]") or not text.partition("[")[2][:-1].isdigit():
            raise ValueError(f"bad argument of {text!r}")


def _tokens(text: str) -> Iterator[str]:
    at = 0
    while at < len(text):
        character = text[at]
        if character.isspace():
            at += 1
        elif character in "(),":
            yield character
            at += 1
        elif character == '"':
            end = text.index('"', at + 1)
            yield text[at : end + 1]
            at = end + 1
        elif character == "=" or text.startswith("!=", at):
            size = 1 if character == "=" else 2
            yield text[at : at + size]
            at += size
        else:
            end = at
            while end < len(text) and not text[end].isspace() and text[end] not in '(),="':
                end += 1
            yield text[at:end]
            at = end


class _Parser:
    """`or` of `and` of `not` of comparisons, macros and brackets."""

    def __init__(self, text: str, lists: Mapping[str, list[str]], macros: Mapping[str, Check]) -> None:
        self._tokens = list(_tokens(text))
        self._lists, self._macros = lists, macros

    def whole(self) -> Check:
        check = self._any()
        if self._tokens:
            raise ValueError(f"left over: {self._tokens[:5]}")
        return check

    def _next(self) -> str:
        if not self._tokens:
            raise ValueError("a condition ends too early")
        return self._tokens.pop(0)

    def _any(self) -> Check:
        parts = [self._all()]
        while self._tokens[:1] == ["or"]:
            self._next()
            parts.append(self._all())
        return lambda event: any(part(event) for part in parts)

    def _all(self) -> Check:
        parts = [self._not()]
        while self._tokens[:1] == ["and"]:
            self._next()
            parts.append(self._not())
        return lambda event: all(part(event) for part in parts)

    def _not(self) -> Check:
        if self._tokens[:1] == ["not"]:
            self._next()
            check = self._not()
            return lambda event: not check(event)
        return self._one()

    def _one(self) -> Check:
        token = self._next()
        if token == "(":
            check = self._any()
            if self._next() != ")":
                raise ValueError("a bracket is not closed")
            return check
        if "." not in token:
            if token not in self._macros:
                raise ValueError(f"no macro {token!r}, or it comes later")
            return self._macros[token]
        _check_field(token)
        word = self._next()
        if word not in _WORDS:
            raise ValueError(f"no operator {word!r} after {token}")
        values = self._values() if word == "in" else [self._next().strip('"')]
        return lambda event: _compare(token, word, event, values)

    def _values(self) -> list[str]:
        if self._next() != "(":
            raise ValueError("`in` takes a list in brackets")
        values: list[str] = []
        while True:
            token = self._next()
            values += self._lists[token] if token in self._lists else [token.strip('"')]
            separator = self._next()
            if separator == ")":
                return values
            if separator != ",":
                raise ValueError(f"{separator!r} in a list")


def _compare(field: str, word: str, event: Event, values: Sequence[str]) -> bool:
    """A comparison; of a field with several values (all ancestors) any of them. A field without a value equals nothing."""
    given = event.get(field)
    if given is None:
        return word == "!="
    several = given if isinstance(given, tuple) else (given,)
    return any(_matches(field, word, str(one), values) for one in several)


def _matches(field: str, word: str, given: str, values: Sequence[str]) -> bool:
    if field == "fd.snet":
        return any(ip_address(given) in ip_network(value) for value in values)
    tests: Mapping[str, Callable[[str], bool]] = {
        "=": lambda value: given == value,
        "in": lambda value: given == value,
        "!=": lambda value: given != value,
        "contains": lambda value: value in given,
        "startswith": given.startswith,
        "endswith": given.endswith,
    }
    return any(tests[word](value) for value in values)
