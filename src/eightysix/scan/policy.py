"""What an operator vouches for: names and findings that are accepted, for one digest or for all, until a day.

A policy is a file of the operator, named on the command line or lying in the user's configuration. It is never read
from what is scanned: nothing that is judged configures the judge.

    accept:
      - {digest: "blake3:…", names: [acme.models.Ranker], until: 2027-02-21, why: our own class}
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from msgspec import Struct

from eightysix.model.errors import UsageError
from eightysix.model.finding import FileVerdict, Finding
from eightysix.rules.yamlfile import Fault, Listing, Node, RuleFileError, Scalar, Table, parse_yaml
from eightysix.scan.catalog import rule, rules
from eightysix.scan.digest import DIGEST_PREFIX

__all__ = ["Acceptance", "Policy", "acceptance_line", "check_outside", "parse_policy"]

MAX_ACCEPTANCES = 10_000

_KEYS = ("digest", "names", "rules", "until", "why")
_DIGEST_HEX = 64
"""Hex digits of a BLAKE3 digest of 32 bytes, its default length."""


class Acceptance(Struct, frozen=True, kw_only=True):
    """One line of a policy. `digest` is hex, empty for every file; it holds through the day `until`."""

    digest: str = ""
    names: frozenset[str] = frozenset()
    rules: frozenset[str] = frozenset()
    until: date
    why: str = ""


class Policy(Struct, frozen=True):
    """All that is accepted."""

    acceptances: tuple[Acceptance, ...] = ()

    def accepted(self, finding: Finding, digest: str, today: date) -> bool:
        """Whether `finding` in the file with `digest` (hex, empty where unknown) is accepted on the day `today`.

        A finding about names is accepted when each of them is; one without names, by its rule. Names alone never accept
        what is malicious: for that the rule and the digest must be written down.
        """
        valid = [
            one
            for one in self.acceptances
            if today <= one.until and (not one.digest or (digest and one.digest == digest))
        ]
        if any(finding.rule in one.rules for one in valid):
            return True
        if not finding.names or rule(finding.rule).verdict is not FileVerdict.SUSPICIOUS:
            return False
        vouched = frozenset[str]().union(*(one.names for one in valid))
        return vouched.issuperset(finding.names)


def acceptance_line(findings: Iterable[Finding], digest: str, until: date) -> str:
    """The line of a policy that accepts the suspicious among `findings`; empty where a policy could not, or should not."""
    wanted = [one for one in findings if rule(one.rule).verdict is FileVerdict.SUSPICIOUS]
    names = sorted({name for one in wanted for name in one.names})
    named = sorted({one.rule for one in wanted if not one.names})
    if not wanted or not digest or not all(map(_ordinary, names)):
        return ""
    parts = [f'digest: "{DIGEST_PREFIX}{digest}"']
    if names:
        parts.append(f"names: [{', '.join(names)}]")
    if named:
        parts.append(f"rules: [{', '.join(named)}]")
    return f"- {{{', '.join(parts)}, until: {until.isoformat()}}}"


def _ordinary(name: str) -> bool:
    """Whether a name is a module and something in it, ASCII words joined by dots: nobody should vouch for a name that can
    look like another."""
    parts = name.split(".")
    return name.isascii() and len(parts) > 1 and all(part.isidentifier() for part in parts)


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


def check_outside(policy: str, scanned: Sequence[str], real: Sequence[str]) -> None:
    """Raise `UsageError` where the policy file lies in what is scanned. `policy` and `real` are resolved paths of the
    policy and, in the order of `scanned`, of the paths given."""
    for given, resolved in zip(scanned, real, strict=True):
        if policy == resolved or policy.startswith(resolved.rstrip("/") + "/"):
            raise UsageError(
                f"the policy {policy} lies in {given}, which is scanned",
                "whoever wrote what is scanned could have written it: keep it elsewhere",
            )
