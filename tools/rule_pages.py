"""Writes what is generated from the rules: a page each and their list under docs/rules, and detect/FIELDS.md.

python -m tools.rule_pages            write what is out of date
python -m tools.rule_pages --check    write nothing, exit 1 where something is out of date
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from eightysix.detect.fieldnames import FIELDS, Field, FieldType
from eightysix.detect.needs import SWITCH_ON
from eightysix.detect.rule import Rule
from eightysix.rules.catalog import load_packaged
from eightysix.rules.describe import chain_in_words, needs_in_words, verdict_in_words
from tools.generated import write_or_check

ROOT = Path(__file__).resolve().parent.parent
PAGES = "docs/rules"
FIELDS_PAGE = "src/eightysix/detect/FIELDS.md"
GENERATED = "<!-- Written by tools/rule_pages.py; change the rule, not this page. -->"
TYPES = {
    FieldType.TEXT: "",
    FieldType.TEXTS: "several texts",
    FieldType.ADDRESS: "address",
    FieldType.NUMBER: "number",
    FieldType.BOOL: "true or false",
}


def pages(rules: Sequence[Rule]) -> Mapping[str, str]:
    """Every generated file: path below the repository, and text."""
    found = {f"{PAGES}/{rule.id}.md": page(rule) for rule in rules}
    return {**found, f"{PAGES}/README.md": overview(rules), FIELDS_PAGE: fields_page(FIELDS)}


def page(rule: Rule) -> str:
    """The page of one rule."""
    return "\n".join(_page(rule)) + "\n"


def _page(rule: Rule) -> Iterator[str]:
    yield from (GENERATED, f"# {rule.title}", "")
    yield f"`{rule.id}` · severity {rule.severity} · maturity {rule.maturity} · kept by {rule.by}"
    yield from ("", " · ".join(_technique(technique) for technique in rule.attack))
    yield from ("", "## What it finds", "", rule.what)
    yield from ("", "## Why that is bad", "", rule.why)
    yield from ("", "## The chain", "")
    for number, (sentence, items) in enumerate(chain_in_words(rule), 1):
        yield f"{number}. {sentence}"
        yield from (f"   - {item}" for item in items)
    yield from ("", f"Verdict: {verdict_in_words(rule)}.")
    yield from (
        "",
        "## What counts",
        "",
        "| points | signal | stage | basis | asks |",
        "|---:|---|---|---|---|",
    )
    for signal in rule.signals.values():
        grade = f", at grade {signal.grade_min} or better" if signal.grade_min != "E" else ""
        told = f"{signal.title} (`{signal.name}`)"
        asks = f"`{_cell(signal.detection.source)}`{grade}"
        yield f"| {signal.points:+} | {_cell(told)} | {signal.stage} | {signal.basis} | {asks} |"
    yield from (
        f"| {one.points:+} | {_cell(one.why)} | benign | judged | `{_cell(one.detection.source)}` |"
        for one in rule.benign
    )
    if rule.benign:
        yield from ("", "Benign context counts only from records that the pod cannot write.")
    yield from (
        "",
        "## What it needs",
        "",
        "Without these it is not evaluable, which is not the same as clean.",
        "",
    )
    for words, need in zip(needs_in_words(rule), rule.needs, strict=True):
        yield f"- {words}"
        yield from (f"  - {SWITCH_ON[alternative]}" for alternative in need)
    yield from ("", "## What it cannot see", "", rule.blind_spots)
    yield from ("", "## What to do", "")
    yield from (f"{number}. {step}" for number, step in enumerate(rule.respond, 1))
    yield from (
        "",
        "## Test it",
        "",
        "```",
        f"eightysix rules show {rule.id}",
        "eightysix rules test",
        "```",
        "",
    )
    folder = f"../../src/eightysix/rules/{rule.id}"
    yield f"Rule and recordings: [`rules/{rule.id}`]({folder}) (`fires/` must be told, `quiet/` must not)."


def _technique(technique: str) -> str:
    if technique.startswith("AML."):
        return f"[{technique}](https://atlas.mitre.org/techniques/{technique})"
    return f"[{technique}](https://attack.mitre.org/techniques/{technique.replace('.', '/')}/)"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


OVERVIEW = """\
A rule names single events in [Sigma](https://sigmahq.io)'s words, and joins them by cause and time into a chain: who \
descends from what, which credential came after which landing. Points add up and each says why it counts; `measured` \
comes from data, `judged` from experience. What a rule may ask is listed in \
[FIELDS.md](../../src/eightysix/detect/FIELDS.md).
"""

YOUR_OWN = """\
## Your own rules

```
eightysix rules new my-rule --rules rules.d     # a commented rule that loads as it is
eightysix rules test rules.d                    # runs it on its recordings, and on changes of them
eightysix detect --rules rules.d telemetry/
```

`rules.d` holds a folder for each rule, or single files `<id>.yml`. A mistyped key, field or value is an error with line, \
column and the nearest valid word; a rule never loads as one that silently cannot fire.

## Exceptions

An exception is a file `rules.d/<name>.exception.yml`. It names a workload, and what landed in it or where it goes; it \
ends at a date, at most a year ahead; what it suppresses is counted in every report. It cannot silence `contain`, and it \
covers an incident only as a whole: one package or destination more, and the incident is told.

```yaml
name: nightly-reinstall
rule: poisoned-install            # a rule's id, or any
workload: ml/train                # namespace/workload, required
artifact: pypi:azure-identity==1.17.1
destination: mirror.example.org:443   # optional beside artifact; lists are possible in both
created: 2026-11-01
expires: 2026-12-01
reason: the image reinstalls it at night until the base image is rebuilt
author: platform team
```
"""


def overview(rules: Sequence[Rule]) -> str:
    """The list of all rules, and how to add to them."""
    lines = [
        GENERATED,
        "# Rules",
        "",
        OVERVIEW,
        "| rule | severity | maturity | needs | finds |",
        "|---|---|---|---|---|",
    ]
    for rule in rules:
        needs = ", ".join(needs_in_words(rule))
        lines.append(
            f"| [{rule.id}]({rule.id}.md) | {rule.severity} | {rule.maturity} | {needs} | {_cell(rule.title)} |"
        )
    return "\n".join([*lines, "", YOUR_OWN])


FIELDS_INTRODUCTION = """\
Texts compare without case (Sigma); a field of several texts matches when one of them does. A field that the record does \
not tell is absent: it matches null, `''`, `exists: false` and `neq`, and nothing else. A field with a list of values \
never holds another one."""


def fields_page(fields: Sequence[Field]) -> str:
    """FIELDS.md: what a detection may name."""
    lines = [
        "<!-- Written by tools/rule_pages.py from fieldnames.py. -->",
        "# Fields that a rule's `detection` may name",
        "",
        FIELDS_INTRODUCTION,
        "",
        "| field | holds | values |",
        "|---|---|---|",
    ]
    for field in fields:
        values = ", ".join(
            f"`{value}`" + (f" ({_cell(meaning)})" if meaning else "") for value, meaning in field.values
        )
        lines.append(f"| `{field.name}` | {_cell(field.about)} | {values or TYPES[field.type]} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Write or check."""
    return write_or_check(ROOT, pages(load_packaged()), arguments, tool="rule_pages", folder=PAGES)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
