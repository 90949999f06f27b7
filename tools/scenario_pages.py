"""Writes docs/scenarios.md: every scenario of the lab, its twin, and what detection may say of it.

python -m tools.scenario_pages            write the page if it is out of date
python -m tools.scenario_pages --check    write nothing, exit 1 where it is out of date
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from eightysix.lab.interface import Bounds, Scenario, Subset
from eightysix.lab.scenarios import load
from tools.generated import write_or_check

ROOT = Path(__file__).resolve().parent.parent
PAGE = "docs/scenarios.md"
GENERATED = "<!-- Written by tools/scenario_pages.py; change the scenario, not this page. -->"
HARDEST = "through-azure-identity"

INTRO = """\
# Scenarios of the lab

Each is played by real processes in a pod-like container: a FastAPI server under uvicorn, real pip, real azure-identity, a
package index, a metadata service, an API server and a registry that exist in the run's network namespaces alone. What
happened is written by those that did it (`truth.jsonl`); what detection may say of it stands in `label.json`.

`contain` and `suspect` are verdicts ([concepts](concepts.md)). Where two stand in a cell, the verdict may be either or what
lies between; `-` is no verdict, or one below those that are told. Every attack has a look-alike, and one fact that separates
the two."""

CHAINS = """\
What the sensor told of the call of the metadata service in a run of each, from the innermost frame outwards, with ages since
the install where that was a moment ago:

```
through-azure-identity   urllib3, requests, azure-core, azure-identity (3.7 s), msal, azure-identity,
                         torch-perf-sdk (2.6 s), /app/server.py
azure-identity-at-start  urllib3, requests, azure-core, azure-identity (1.8 s), msal, azure-identity,
                         /app/server.py
```

A fresh package is in both chains, and the application's file is at the root of both, because it imported what started the
thread. That an SDK is fresh says nothing; that code which landed lies between it and the application does."""

SAFETY = """\
## The payload, and why it does nothing anywhere else

All attacks share one payload (`lab/scenarios/payloads/stages.py`), which is plain Python with a few drivers around it: in a
thread, in a fork, through libcurl and so on. It takes a token from the metadata service, reads the service account token,
lists the secrets with it, reads one, and sends fingerprints of what it took to an address of the lab. It acts only if three
things agree:

1. `EIGHTYSIX_LAB_NONCE` is set;
2. the marker file of a pod (`/etc/eightysix-lab`) holds that nonce, and the inode of this very network namespace;
3. the metadata service of the run tells the same nonce, or, where this machine itself forbids the way there, an address of
   the lab that tells nothing else.

Anywhere else it prints one line that says why it refuses, and returns. `tests/lab/scenarios/test_refusals.py` runs every
driver where one of the three is missing, and looks at what the process did. The addresses in it are link-local, private or
kept for documentation (RFC 5737), its hosts are the lab's, and the credentials that it finds there open nothing."""


def page() -> str:
    """The whole page."""
    return "\n".join(_page(list(load().values()))) + "\n"


def _page(scenarios: list[Scenario]) -> Iterator[str]:
    attacks = [one for one in scenarios if one.label.malicious]
    yield from (GENERATED, INTRO, "", "## Attacks", "")
    yield from _table(attacks)
    yield from (
        "",
        "Where an attack may stay below `suspect`, or below `contain` with everything, this is why:",
        "",
    )
    yield from _reasons(attacks)
    yield from ("", "## Look-alikes", "", "Each stays below `suspect` with every subset of telemetry.", "")
    yield from ("| scenario | what happens | looks like | what tells them apart |", "|---|---|---|---|")
    for one in scenarios:
        if not one.label.malicious:
            yield f"| `{one.name}` | {one.label.how}{_more(one)} | `{one.label.twin}` | {one.label.telling} |"
    yield from ("", *_hardest({one.name: one for one in scenarios}), "", SAFETY)


def _table(attacks: Iterable[Scenario]) -> Iterator[str]:
    columns = [subset.replace("-", ", ") for subset in Subset]
    yield "| scenario | what happens | twin | the one fact that differs | " + " | ".join(columns) + " |"
    yield "|---" * (4 + len(columns)) + "|"
    for one in attacks:
        label = one.label
        cells = " | ".join(_bounds(label.subsets[subset]) for subset in Subset)
        yield f"| `{one.name}` | {label.how}{_more(one)} | `{label.twin}` | {label.telling} | {cells} |"


def _more(one: Scenario) -> str:
    """What a scenario needs, and whether it is judged with a baseline."""
    needs = f" Needs {', '.join(one.needs)}." if one.needs else ""
    return f"{needs} Judged with a baseline of what was before." if one.label.before else needs


def _bounds(bounds: Bounds) -> str:
    words = dict.fromkeys((bounds.at_least, bounds.at_most))
    return " to ".join("-" if word in ("none", "watch") else f"`{word}`" for word in words)


def _reasons(attacks: Iterable[Scenario]) -> Iterator[str]:
    """Each reason once, with the scenarios and subsets that have it."""
    having: dict[str, dict[str, list[str]]] = {}
    for one in attacks:
        for subset in Subset:
            why = one.label.subsets[subset].why
            if why:
                having.setdefault(why, {}).setdefault(one.name, []).append(subset.replace("-", " and "))
    for why, where in having.items():
        told: dict[str, list[str]] = {}
        for name, subsets in where.items():
            told.setdefault(", ".join(subsets), []).append(f"`{name}`")
        places = "; ".join(f"{', '.join(names)} ({subsets})" for subsets, names in told.items())
        yield f"- {places}: {why}."


def _hardest(scenarios: dict[str, Scenario]) -> Iterator[str]:
    attack = scenarios[HARDEST].label
    twin = scenarios[attack.twin].label
    yield from ("## The hardest pair", "")
    yield "Both pods have the same start script, and their applications make the same calls."
    yield from ("", f"| `{attack.scenario}` | `{twin.scenario}` |", "|---|---|")
    yield f"| {attack.how} | {twin.how} |"
    yield f"| **{attack.telling}** | **{twin.telling}** |"
    yield from ("", CHAINS)


def main(arguments: Sequence[str]) -> int:
    """Write or check."""
    return write_or_check(ROOT, {PAGE: page()}, arguments, tool="scenario_pages")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
