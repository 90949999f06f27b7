"""Writes docs/gate-cases.md: every delivery that the gate is tried against, and which rules hold it.

python -m tools.gate_cases            write the page if it is out of date
python -m tools.gate_cases --check    write nothing, exit 1 where it is out of date

The rules in it are those that `tests/lab/delivery/test_cases.py` finds in the decisions, no more and no fewer.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from eightysix.lab.delivery.cases import ATTACKS, CHANGES
from tools.generated import write_or_check

ROOT = Path(__file__).resolve().parent.parent
PAGE = "docs/gate-cases.md"
GENERATED = "<!-- Written by tools/gate_cases.py; change the case, not this page. -->"

INTRO = """\
# What the gate holds, and what it lets pass

Each case is played: artifacts are pushed to a registry, signed by a sigstore of the lab's own with the identities of a
pipeline, and judged as `eightysix gate check` does, with a history of three good releases of each repository. The registry of
most cases lies in memory, so that it can lie too; the story of the breach is played against Debian's docker-registry as well.

A rule stands beside a case if it alone would hold it."""

HONEST = """\
## Honest changes

Where no rule stands, it passes. Where one does, its finding names the command that lets it pass, and the test runs that command
as an approver and asks again: it passes. With `--remember` (rules `signer-drift` and `signer-new-here`) the next release of the
same signer passes by itself."""

UNDECIDED = """\
## What the gate cannot know

- Who is first. A repository without history learns from its first three runs, and while it learns nothing about its signer is
  held. An attacker who alone signs the first three is its baseline. Declare `signers` in the policy where that matters: then the
  first release is judged (`first-of-all`).
- A signer who is known and was taken over, in the known workflow, on a known runner, with a new commit. What remains is what
  is in the artifact.
- The same bytes without a new commit, built by a signer that is known to run by schedule (`a-scheduled-rebuild`): that is told,
  and not held.
- A fresh tag, pushed by the known workflow from another branch: branches and environments differ between tags, so that alone
  is no reason (`signer-new-here` looks at everything else).
- Another repository whose name looks alike (`ml/11m`): it is another name, and what deploys it names it."""


def page() -> str:
    """The whole page."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    yield from (GENERATED, INTRO, "", f"## Attacks ({len(ATTACKS)}, each held)", "")
    yield from ("| case | what happens | held by |", "|---|---|---|")
    for case in ATTACKS:
        yield f"| `{case.name}` | {case.story} | {_rules(case.rules)} |"
    asking = sum(bool(case.rules) for case in CHANGES)
    yield from ("", HONEST, "", f"{len(CHANGES)} changes, {asking} of them ask for an approval.", "")
    yield from ("| case | what happens | asks for an approval of |", "|---|---|---|")
    for case in CHANGES:
        yield f"| `{case.name}` | {case.story} | {_rules(case.rules)} |"
    yield from ("", UNDECIDED)


def _rules(rules: Sequence[str]) -> str:
    return ", ".join(f"`{rule}`" for rule in rules) or "-"


def main(arguments: Sequence[str]) -> int:
    """Write or check."""
    return write_or_check(ROOT, {PAGE: page()}, arguments, tool="gate_cases")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
