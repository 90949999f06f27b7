"""Reads the file that an operator wrote about what is accepted, and says where it is wrong."""

from __future__ import annotations

from datetime import date

from eightysix.rules.yamlfile import Fault, Listing, Node, RuleFileError, Scalar, Table, parse_yaml
from eightysix.scan.catalog import rules
from eightysix.scan.digest import DIGEST_PREFIX
from eightysix.scan.policy import Acceptance, Policy

__all__ = ["parse_policy"]

MAX_ACCEPTANCES = 10_000

_KEYS = ("digest", "names", "rules", "until", "why")
_DIGEST_HEX = 64
"""Hex digits of a BLAKE3 digest of 32 bytes, its default length."""


def parse_policy(data: bytes, file: str) -> Policy:
    """The policy in `data`. Raises `RuleFileError` with everything that is wrong, with line and column in `file`."""
    faults: list[Fault] = []
    root = parse_yaml(data, faults)
    acceptances: list[Acceptance] = []
    if isinstance(root, Table):
        for key, value in root.entries:
            if key.text != "accept" or not isinstance(value, Listing):
                faults.append(
                    Fault(key.line, key.column, f"unknown key {key.text!r}", "a policy has one list: accept")
                )
                continue
            if len(value.items) > MAX_ACCEPTANCES:
                faults.append(
                    Fault(value.line, value.column, f"more than {MAX_ACCEPTANCES} lines", "split the file")
                )
            for item in value.items[:MAX_ACCEPTANCES]:
                one = _acceptance(item, faults)
                if one is not None:
                    acceptances.append(one)
    elif root is not None:
        faults.append(Fault(root.line, root.column, "a policy is a map", "write accept: and a list below"))
    if faults:
        raise RuleFileError([(file, fault) for fault in faults])
    return Policy(tuple(acceptances))


def _acceptance(node: Node, faults: list[Fault]) -> Acceptance | None:
    before = len(faults)
    if not isinstance(node, Table):
        faults.append(Fault(node.line, node.column, "a line of a policy is a map", "see docs/scan.md"))
        return None
    for key, _ in node.entries:
        if key.text not in _KEYS:
            faults.append(
                Fault(key.line, key.column, f"unknown key {key.text!r}", f"one of: {', '.join(_KEYS)}")
            )
    digest = _digest(node, faults)
    names = _texts(node, "names", faults)
    named = _texts(node, "rules", faults)
    faults += [
        Fault(node.line, node.column, f"there is no rule {text!r}", "eightysix scan --list-rules tells them")
        for text in sorted(named - set(rules()))
    ]
    if not names and not named:
        faults.append(Fault(node.line, node.column, "nothing is accepted here", "write names: or rules:"))
    if named and not digest:
        faults.append(
            Fault(node.line, node.column, "a rule is accepted for one digest only", "write digest:")
        )
    until = _until(node, faults)
    why = node.get("why")
    if until is None or len(faults) > before:
        return None
    return Acceptance(
        digest=digest,
        names=names,
        rules=named,
        until=until,
        why=why.text if isinstance(why, Scalar) else "",
    )


def _digest(node: Table, faults: list[Fault]) -> str:
    value = node.get("digest")
    if value is None:
        return ""
    text = value.text.removeprefix(DIGEST_PREFIX).lower() if isinstance(value, Scalar) else ""
    if len(text) != _DIGEST_HEX or text.strip("0123456789abcdef"):
        faults.append(
            Fault(
                value.line, value.column, "no BLAKE3 digest", f"{DIGEST_PREFIX} and {_DIGEST_HEX} hex digits"
            )
        )
    return text


def _texts(node: Table, key: str, faults: list[Fault]) -> frozenset[str]:
    value = node.get(key)
    if value is None:
        return frozenset()
    if not isinstance(value, Listing) or not all(
        isinstance(item, Scalar) and item.text for item in value.items
    ):
        faults.append(Fault(value.line, value.column, f"{key} is a list of texts"))
        return frozenset()
    return frozenset(item.text for item in value.items if isinstance(item, Scalar))


def _until(node: Table, faults: list[Fault]) -> date | None:
    value = node.get("until")
    if isinstance(value, Scalar):
        try:
            return date.fromisoformat(value.text)
        except ValueError:
            faults.append(
                Fault(value.line, value.column, f"{value.text!r} is no day", "write it as 2027-02-21")
            )
            return None
    faults.append(Fault(node.line, node.column, "until is missing", "say until when: until: 2027-02-21"))
    return None
