"""Writes what is generated from the hunting pack: a page for each query and their list under docs/hunt.

python -m tools.pack_pages            write what is out of date
python -m tools.pack_pages --check    write nothing, exit 1 where something is out of date
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from eightysix.hunt.interface import Analytics, Query, QueryKind
from eightysix.hunt.pack import load
from eightysix.hunt.pack.matrix import MATRIX, PAGES
from eightysix.hunt.plans import Plan
from eightysix.model.table import Environment
from eightysix.store import tables
from tools.generated import write_or_check

ROOT = Path(__file__).resolve().parent.parent
FOLDER = "docs/hunt"
GENERATED = "<!-- Written by tools/pack_pages.py; change the query, not this page. -->"
ENVIRONMENTS = {
    Environment.LOG_ANALYTICS: "Sentinel (Log Analytics)",
    Environment.DEFENDER: "Defender portal",
    Environment.LOCAL: "here",
}


def pages(queries: Mapping[str, Query]) -> Mapping[str, str]:
    """Every generated file: path below the repository, and text."""
    found = {f"{FOLDER}/{query.id}.md": page(query) for query in queries.values()}
    return {**found, f"{FOLDER}/README.md": overview(queries)}


def page(query: Query) -> str:
    """The page of one query."""
    return "\n".join(_page(query)) + "\n"


def _page(query: Query) -> Iterator[str]:
    kind = "analytics rule" if query.kind is QueryKind.ANALYTICS else "hunting query"
    yield from (GENERATED, f"# {query.title}", "", f"`{query.id}` · {kind} · {', '.join(query.stages)}", "")
    yield from (query.question, "", "## Where it runs", "")
    yield f"Binds in: {', '.join(ENVIRONMENTS[one] for one in query.environments)}."
    yield from ("", "| table | plans of Log Analytics | columns |", "|---|---|---|")
    known = tables.load()
    for name in query.tables:
        table = known[name]
        plans = ", ".join(table.plans) or "Defender only"
        source = (
            f"[documented]({table.source})" if table.source.startswith("https:") else "our own, see deploy/"
        )
        yield f"| `{name}` | {plans} | {source} |"
    yield from ("", _plan(query))
    yield from ("", "## The query", "", "```kusto", query.text.rstrip("\n"), "```")
    if query.parameters:
        yield from ("", "| parameter (`--set NAME=VALUE`) | what it is |", "|---|---|")
        yield from (f"| `{name}` | {_cell(about)} |" for name, about in query.parameters.items())
    if query.analytics is not None:
        yield from ("", "## As an alert", "", _schedule(query.analytics))
    yield from ("", "## What to expect", "", query.volume, "", "False positives:", "")
    yield from (f"- {one}" for one in query.false_positives)
    yield from ("", "## What to do next", "")
    yield from (f"{number}. {step}" for number, step in enumerate(query.next, 1))
    yield from ("", "## Techniques", "")
    yield from (f"- {_technique(one)}" for one in query.attack)
    yield from (f"- [{one}]({PAGES}{quote(MATRIX[one])}/) {MATRIX[one]}" for one in query.matrix)
    yield from ("", "## Try it", "", "```", f"eightysix hunt run {query.id} TELEMETRY...")
    yield from (f"eightysix hunt test {query.id}", "```", "")
    folder = f"../../src/eightysix/hunt/pack/{query.id}"
    yield f"Query and rows: [`hunt/pack/{query.id}`]({folder}) (`fires/` must give rows, `quiet/` must not)."


PLANS = "https://learn.microsoft.com/azure/azure-monitor/logs/data-platform-logs#table-plans"


def _plan(query: Query) -> str:
    if not query.plan:
        return "Its tables are Defender's alone: they have no plan."
    if query.plan == Plan.ANALYTICS:
        why = "A scheduled rule reads" if query.analytics else "What joins or unites tables reads"
        return f"Plan: **Analytics**. {why} tables of that plan ([Azure Monitor]({PLANS}))."
    return (
        f"Plan: **{query.plan}** is enough to hunt: it reads one table and joins nothing ([Azure Monitor]({PLANS})). The"
        " time range of the request counts there, not the one in the text."
    )


def _schedule(analytics: Analytics) -> str:
    told = (
        f"Every {_minutes(analytics.every)} over {_minutes(analytics.over)}, and {_minutes(analytics.late)} more "
        f"for rows that arrive late; severity {analytics.severity}."
    )
    if analytics.key:
        told += f" A finding is one by {', '.join(f'`{one}`' for one in analytics.key)}, and told once while it is in sight."
    entities = "; ".join(
        f"{kind} from {', '.join(f'`{column}`' for column in identifiers.values())}"
        for kind, identifiers in analytics.entities.items()
    )
    return f"{told} Entities: {entities}." if entities else told


def _minutes(minutes: int) -> str:
    for size, unit in ((1440, "day"), (60, "hour"), (1, "minute")):
        if minutes >= size and minutes % size == 0:
            return f"{minutes // size} {unit}{'s' if minutes != size else ''}"
    return "0 minutes"


def _technique(technique: str) -> str:
    if technique.startswith("AML."):
        return f"[{technique}](https://atlas.mitre.org/techniques/{technique})"
    return f"[{technique}](https://attack.mitre.org/techniques/{technique.replace('.', '/')}/)"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


OVERVIEW = """\
Each query is a folder with its text, what a hunter must know about it, and rows over which it must give something or \
nothing. [hunt-pack.md](../hunt-pack.md) tells how to run, set and write them.
"""


def overview(queries: Mapping[str, Query]) -> str:
    """The list of all queries."""
    lines = [
        GENERATED,
        "# Queries of the pack",
        "",
        OVERVIEW,
        "| query | kind | stages | tables | asks |",
        "|---|---|---|---|---|",
    ]
    for query in queries.values():
        named = ", ".join(f"`{name}`" for name in query.tables)
        stages = ", ".join(query.stages)
        lines.append(
            f"| [{query.id}]({query.id}.md) | {query.kind} | {stages} | {named} | {_cell(query.question)} |"
        )
    return "\n".join([*lines, ""])


def main(arguments: Sequence[str]) -> int:
    """Write or check."""
    return write_or_check(ROOT, pages(load()), arguments, tool="pack_pages", folder=FOLDER)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
