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
from eightysix.scan.catalog import rule
from eightysix.scan.digest import DIGEST_PREFIX

__all__ = ["Acceptance", "Policy", "acceptance_line", "check_outside"]


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


def check_outside(policy: str, scanned: Sequence[str], real: Sequence[str]) -> None:
    """Raise `UsageError` where the policy file lies in what is scanned. `policy` and `real` are resolved paths of the
    policy and, in the order of `scanned`, of the paths given."""
    for given, resolved in zip(scanned, real, strict=True):
        if policy == resolved or policy.startswith(resolved.rstrip("/") + "/"):
            raise UsageError(
                f"the policy {policy} lies in {given}, which is scanned",
                "whoever wrote what is scanned could have written it: keep it elsewhere",
            )
