"""Reads the operator's policy and says everything that is wrong in it, with line and column."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Final, TypeVar

from eightysix.gate.decide import FACT_NAMES
from eightysix.gate.policy.form import (
    Declared,
    Mode,
    Policy,
    Predicate,
    Promotion,
    Requirement,
    Trusted,
    Watched,
)
from eightysix.gate.policy.predicates import check
from eightysix.gate.profiles import LEVELS
from eightysix.gate.references import parse_reference
from eightysix.model.errors import UsageError
from eightysix.model.finding import Severity
from eightysix.rules.yamlfile import Fault, Listing, Node, RuleFileError, Scalar, Table, parse_yaml

__all__ = ["MAX_ITEMS", "parse_policy"]

MAX_ITEMS: Final = 1_000
"""Lines of each list. A watch list of thousands of tags is written with `*`."""

_T = TypeVar("_T")
_FIELDS: Final = tuple(name for names in LEVELS.values() for name in names)
_ID = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
_SCOPE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/:*[]")


def parse_policy(data: bytes, file: str) -> Policy:
    """The policy in `data`. Raises `RuleFileError` with everything that is wrong, with line and column in `file`."""
    faults: list[Fault] = []
    root = parse_yaml(data, faults)
    policy = Policy(digest=f"sha256:{sha256(data).hexdigest()}")
    if isinstance(root, Table):
        policy = _Reader(faults).policy(root, policy.digest)
    elif root is not None:
        faults.append(Fault(root.line, root.column, "a policy is a map", "see docs/gate-policy.md"))
    if faults:
        raise RuleFileError([(file, fault) for fault in sorted(faults)])
    return policy


class _Reader:
    """Turns nodes into the policy, and keeps what is wrong."""

    def __init__(self, faults: list[Fault]) -> None:
        self._faults = faults

    def policy(self, root: Table, digest: str) -> Policy:
        """All of a policy's parts."""
        known = ("mode", "watch", "promotion", "approvers", "signers", "require", "rules", "trust")
        self._keys(root, known)
        rules = self._items(root, "rules", self._rule)
        self._unique(root, "rules", [rule.id for rule in rules])
        return Policy(
            mode=Mode(self._choice(root, "mode", [mode.value for mode in Mode], Mode.ENFORCE.value)),
            watch=tuple(self._items(root, "watch", self._watched)),
            promotions=tuple(self._items(root, "promotion", self._promotion)),
            approvers=self._texts(root, "approvers"),
            signers=tuple(self._items(root, "signers", self._declared)),
            require=tuple(self._items(root, "require", self._requirement)),
            rules=tuple(rules),
            trust=self._trust(root),
            digest=digest,
        )

    def _watched(self, node: Table) -> Watched | None:
        self._keys(node, ("repository", "tags"))
        repository = self._text(node, "repository", needed=True)
        tags = self._texts(node, "tags")
        if repository:
            self._named(node, "repository", repository.removesuffix("/*"), what="a repository", tag=False)
        if not tags:
            self._fault(node, "tags is missing", 'write tags: [prod], or tags: ["*"] for all')
        for tag in tags:
            if tag != "*" and repository:
                self._named(node, "tags", f"{repository.removesuffix('/*')}:{tag}", what="a tag", tag=True)
        return Watched(repository, tags) if repository and tags else None

    def _promotion(self, node: Table) -> Promotion | None:
        self._keys(node, ("from", "to"))
        source, target = self._text(node, "from", needed=True), self._text(node, "to", needed=True)
        for key, text in (("from", source), ("to", target)):
            if text:
                self._named(node, key, text, what="a repository with a tag", tag=True)
        if source and source == target:
            self._fault(node, "it is promoted to where it comes from")
        return Promotion(source, target) if source and target else None

    def _declared(self, node: Table) -> Declared | None:
        self._keys(node, ("scope", "of", "expires", *_FIELDS))
        scope = self._scope(node)
        profile = {name: text for name in _FIELDS if (text := self._text(node, name))}
        if not profile:
            self._fault(node, "no field of a signer is declared", f"one or more of: {', '.join(_FIELDS)}")
        if not {"issuer", "key"} & profile.keys():
            self._fault(
                node,
                "nobody vouches for this signer",
                "declare issuer (of a workload's identity) or key (SHA-256 of the public key): the rest anybody can claim",
            )
        for name, text in profile.items():
            if text == "*" or (name in {"issuer", "key", "method"} and "*" in text):
                self._fault(node, f"{name} cannot be {text!r}: that is everybody")
        if not scope or not profile:
            return None
        profile.setdefault("method", "key" if "key" in profile else "keyless")
        return Declared(scope, self._text(node, "of") or "signature", profile, self._day(node, "expires"))

    def _requirement(self, node: Table) -> Requirement | None:
        self._keys(node, ("scope", "signed", "attested", "scanned"))
        scope = self._scope(node)
        found = Requirement(
            scope, self._flag(node, "signed"), self._texts(node, "attested"), self._flag(node, "scanned")
        )
        if not (found.signed or found.attested or found.scanned):
            self._fault(node, "nothing is required here", "signed: true, attested: [TYPE] or scanned: true")
        return found if scope else None

    def _rule(self, node: Table) -> Predicate | None:
        self._keys(node, ("id", "when", "then", "why", "severity"))
        name, when = self._text(node, "id", needed=True), self._text(node, "when", needed=True)
        why = self._text(node, "why", needed=True)
        then = self._choice(node, "then", ["hold", "tell"], "hold")
        levels = [level.value for level in Severity]
        severity = self._choice(node, "severity", levels, "high" if then == "hold" else "low")
        if name and set(name) - _ID:
            self._fault(node, f"{name!r} is no id", "lower-case letters, digits and hyphens")
        wrong = check(when, FACT_NAMES) if when else ""
        if wrong:
            self._fault(node.get("when") or node, wrong)
        if not name or not when or not why:
            return None
        return Predicate(id=name, when=when, holds=then == "hold", why=why, severity=Severity(severity))

    def _trust(self, root: Table) -> Trusted:
        node = root.get("trust")
        if node is None:
            return Trusted()
        if not isinstance(node, Table):
            self._fault(node, "trust is a map")
            return Trusted()
        self._keys(node, ("sigstore", "keys", "authorities", "public_sigstore", "ignore"))
        return Trusted(
            sigstore=self._texts(node, "sigstore"),
            keys=self._texts(node, "keys"),
            authorities=self._texts(node, "authorities"),
            public_sigstore=self._flag(node, "public_sigstore"),
            ignore=self._texts(node, "ignore"),
        )

    def _scope(self, node: Table) -> str:
        scope = self._text(node, "scope", needed=True)
        if scope and (set(scope) - _SCOPE or "/" not in scope or "*" in scope[:-1]):
            self._fault(
                node.get("scope") or node,
                f"{scope!r} is no scope",
                "registry/repository:tag, or a beginning of it and one * at the end, as in acme.azurecr.io/ml/*",
            )
            return ""
        if scope and not scope.endswith("*") and ":" not in scope.rpartition("/")[2]:
            self._fault(
                node.get("scope") or node, f"{scope!r} names no tag", f"write {scope}:* for all of its tags"
            )
            return ""
        return scope

    def _named(self, node: Table, key: str, text: str, *, what: str, tag: bool) -> None:
        """A fault where a text is no reference, or has a tag or digest that it must not have."""
        try:
            reference = parse_reference(text)
        except UsageError as error:
            self._fault(node.get(key) or node, error.what, error.advice)
            return
        if reference.digest or bool(reference.tag) is not tag:
            self._fault(node.get(key) or node, f"{text!r} is not {what}")

    def _items(self, node: Table, key: str, read: Callable[[Table], _T | None]) -> list[_T]:
        value = node.get(key)
        if value is None:
            return []
        if not isinstance(value, Listing):
            self._fault(value, f"{key} is a list")
            return []
        if len(value.items) > MAX_ITEMS:
            self._fault(value, f"more than {MAX_ITEMS} lines", "write * where it stands for many")
        found: list[_T] = []
        for item in value.items[:MAX_ITEMS]:
            if not isinstance(item, Table):
                self._fault(item, f"a line of {key} is a map", "see docs/gate-policy.md")
            elif (one := read(item)) is not None:
                found.append(one)
        return found

    def _keys(self, node: Table, known: Iterable[str]) -> None:
        names = tuple(known)
        for key, _ in node.entries:
            if key.text not in names:
                self._faults.append(
                    Fault(key.line, key.column, f"unknown key {key.text!r}", f"one of: {', '.join(names)}")
                )

    def _unique(self, root: Table, key: str, names: list[str]) -> None:
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            self._fault(root.get(key) or root, f"the id {twice[0]!r} stands twice")

    def _text(self, node: Table, key: str, *, needed: bool = False) -> str:
        value = node.get(key)
        if isinstance(value, Scalar) and value.text:
            return value.text
        if value is not None:
            self._fault(value, f"{key} is a text")
        elif needed:
            self._fault(node, f"{key} is missing")
        return ""

    def _texts(self, node: Table, key: str) -> tuple[str, ...]:
        value = node.get(key)
        if value is None:
            return ()
        if not isinstance(value, Listing) or not all(isinstance(i, Scalar) and i.text for i in value.items):
            self._fault(value, f"{key} is a list of texts")
            return ()
        if len(value.items) > MAX_ITEMS:
            self._fault(value, f"more than {MAX_ITEMS} lines of {key}")
        return tuple(dict.fromkeys(i.text for i in value.items[:MAX_ITEMS] if isinstance(i, Scalar)))

    def _flag(self, node: Table, key: str) -> bool:
        value = node.get(key)
        if value is None:
            return False
        if isinstance(value, Scalar) and isinstance(value.value, bool):
            return value.value
        self._fault(value, f"{key} is true or false")
        return False

    def _choice(self, node: Table, key: str, choices: list[str], default: str) -> str:
        value = node.get(key)
        if value is None:
            return default
        if isinstance(value, Scalar) and value.text in choices:
            return value.text
        self._fault(value, f"{key} is one of: {', '.join(choices)}")
        return default

    def _day(self, node: Table, key: str) -> int:
        """The end of a day (UTC) in nanoseconds; 0 where none is given."""
        value = node.get(key)
        if value is None:
            return 0
        try:
            day = date.fromisoformat(value.text if isinstance(value, Scalar) else "")
            end = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() + 86_400
        except (ValueError, OverflowError):
            self._fault(value, f"{key} is no day", "write it as 2027-02-21")
            return 0
        return int(end) * 1_000_000_000

    def _fault(self, node: Node, what: str, advice: str = "") -> None:
        self._faults.append(Fault(node.line, node.column, what, advice))
