"""`eightysix rules list | show | test | new`: what the rules are, whether they hold, and the start of a new one."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, TextIO

from eightysix.cli.options import add_format
from eightysix.cli.terminal import environment, inert_line, terminal_width

if TYPE_CHECKING:
    from pathlib import Path

    from eightysix.detect.rule import Rule
    from eightysix.rules.catalog import Catalog

__all__ = ["RuleTestResult", "add_parser", "run"]

_FOLDER_HELP = "folder rules.d with your rules and exceptions (EIGHTYSIX_RULES)"


class RuleTestResult(Protocol):
    """What one test of a rule found. `stream` names the recording (and the change that was made to it), `expected` is
    `fires` or `quiet`, `detail` says in a line what happened instead where it did not pass."""

    @property
    def rule(self) -> str:
        """Id of the rule."""

    @property
    def stream(self) -> str:
        """The recording, as a path below the rule's folder."""

    @property
    def expected(self) -> str:
        """What should have happened."""

    @property
    def passed(self) -> bool:
        """Whether it did."""

    @property
    def detail(self) -> str:
        """What happened."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its actions."""
    parser = commands.add_parser("rules", help="list, show, test and start rules", allow_abbrev=False)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="all rules in a table", allow_abbrev=False)
    show = actions.add_parser("show", help="one rule with everything a reviewer wants", allow_abbrev=False)
    show.add_argument("id", metavar="ID", help="id of the rule")
    for with_format in (listing, show):
        with_format.add_argument("--rules", default=environment("RULES"), metavar="DIR", help=_FOLDER_HELP)
        add_format(with_format, ("plain", "json"))
    test = actions.add_parser(
        "test",
        help="run the recordings of rules",
        description="Runs each rule on its recordings in fires/ and quiet/ and on changes of them.",
        allow_abbrev=False,
    )
    test.add_argument(
        "path",
        nargs="?",
        default="",
        metavar="PATH",
        help="a folder of rules or one rule's folder (default: the packaged rules)",
    )
    test.add_argument(
        "-v", "--verbose", action="store_true", help="tell every test, not only those that fail"
    )
    new = actions.add_parser("new", help="write the folder of a new rule", allow_abbrev=False)
    new.add_argument("id", metavar="ID", help="id of the new rule: small letters, digits and '-'")
    new.add_argument(
        "--rules",
        default=environment("RULES", "rules.d"),
        metavar="DIR",
        help="where to write it (EIGHTYSIX_RULES; default rules.d)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    """Run one action; 0, or 1 where a rule's test failed, or 3 where there was nothing to test."""
    if args.action == "test":
        return _test(args.path, args.verbose, out)
    if args.action == "new":
        return _new(args.id, args.rules, out, err)
    from eightysix.rules.catalog import load_all

    catalog = load_all(args.rules)
    if args.action == "show":
        return _show(catalog.get(args.id), args.format, out)
    return _list(catalog, args.format, out)


def _list(catalog: Catalog, form: str, out: TextIO) -> int:
    from eightysix.report.notes import count
    from eightysix.rules.describe import rule_as_json

    if form == "json":
        _write_json(
            {"schema": "eightysix/rules/v1", "rules": [rule_as_json(rule) for rule in catalog.rules]}, out
        )
        return 0
    header = ("rule", "severity", "maturity", "title", "needs")
    rows = [
        (
            rule.id,
            str(rule.severity),
            str(rule.maturity),
            rule.title,
            ", ".join("|".join(need) for need in rule.needs),
        )
        for rule in catalog.rules
    ]
    out.writelines(f"{line}\n" for line in _table([header, *rows]))
    origins = sum(rule.origin != "packaged" for rule in catalog.rules)
    own = f", {origins} of them yours" if origins else ""
    out.write(f"{count(len(rows), 'rules')}{own}, {count(len(catalog.exceptions), 'exceptions')}\n")
    return 0


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    from eightysix.report.inert import columns, inert

    cells = [[inert(text, 100) for text in row] for row in rows]
    widths = [max(columns(row[place]) for row in cells) for place in range(len(cells[0]))]
    for row in cells:
        padded = (text + " " * (width - columns(text)) for text, width in zip(row, widths, strict=True))
        yield "  ".join(padded).rstrip(" ")


def _show(rule: Rule, form: str, out: TextIO) -> int:
    from eightysix.rules.describe import rule_as_json

    if form == "json":
        _write_json({"schema": "eightysix/rules/v1", "rules": [rule_as_json(rule)]}, out)
    else:
        out.writelines(f"{line}\n" for line in _page(rule, terminal_width()))
    return 0


def _page(rule: Rule, width: int) -> Iterator[str]:
    yield from _wrapped(f"{rule.id}: {rule.title}", width, "", "  ")
    facts = (rule.severity, f"maturity {rule.maturity}", f"kept by {rule.by}", *rule.attack)
    yield from _wrapped(", ".join(facts), width, "", "  ")
    if rule.origin != "packaged":
        yield from _wrapped(f"from {rule.origin}", width, "", "  ")
    yield from _section("finds", [rule.what], width, mark="")
    yield from _section("because", [rule.why], width, mark="")
    yield from _chain(rule, width)
    yield from _signals(rule, width)
    if rule.benign:
        yield from ("", "less alarming when")
        for one in rule.benign:
            yield from _wrapped(one.why, width, f"  {one.points:+4}  ", " " * 8)
            yield from _wrapped(f"when {one.detection.source}", width, " " * 8, " " * 10)
    yield from _needs(rule, width)
    yield from _section("cannot see", [rule.blind_spots], width, mark="")
    yield from _section("do", rule.respond, width)


def _chain(rule: Rule, width: int) -> Iterator[str]:
    from eightysix.rules.describe import chain_in_words, verdict_in_words

    yield from ("", "chain")
    for number, (sentence, items) in enumerate(chain_in_words(rule), 1):
        yield from _wrapped(f"{number}. {sentence}", width, "  ", "     ")
        for item in items:
            yield from _wrapped(f"- {item}", width, "     ", "       ")
    yield from _wrapped(verdict_in_words(rule), width, "  ", "  ")


def _signals(rule: Rule, width: int) -> Iterator[str]:
    from eightysix.rules.describe import when

    yield from ("", "points")
    for signal in rule.signals.values():
        yield from _wrapped(signal.title, width, f"  {signal.points:+4}  ", " " * 8)
        yield from _wrapped(
            f"({signal.name}, {signal.stage}, {signal.basis}) {when(signal)}", width, " " * 8, " " * 10
        )


def _needs(rule: Rule, width: int) -> Iterator[str]:
    from eightysix.detect.needs import SWITCH_ON
    from eightysix.rules.describe import needs_in_words

    yield from ("", "needs")
    for words, need in zip(needs_in_words(rule), rule.needs, strict=True):
        yield from _wrapped(f"- {words}", width, "  ", "    ")
        for alternative in need:
            yield from _wrapped(SWITCH_ON[alternative], width, "    ", "      ")


def _section(title: str, items: Sequence[str], width: int, mark: str = "- ") -> Iterator[str]:
    yield from ("", title)
    for item in items:
        yield from _wrapped(mark + " ".join(item.split()), width, "  ", "  " + " " * len(mark))


def _wrapped(text: str, width: int, first: str, following: str) -> Iterator[str]:
    """`text` made harmless, in lines of at most `width` columns."""
    from eightysix.report.inert import inert, wrap

    for number, line in enumerate(wrap(inert(text, 4000), width - max(len(first), len(following)))):
        yield (following if number else first) + line


def _write_json(document: dict[str, object], out: TextIO) -> None:
    import msgspec

    out.write(msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n")


def _test(path: str, verbose: bool, out: TextIO) -> int:
    rules, folder = _rules_under(path)
    from eightysix.serve.ruletest import run_rule_tests

    results: Sequence[RuleTestResult] = run_rule_tests(rules, folder)
    return report_tests(results, verbose, out)


def _rules_under(path: str) -> tuple[tuple[Rule, ...], Path]:
    """The rules to test and the folder that their folders lie in."""
    import os.path
    from pathlib import Path

    from eightysix.rules.catalog import load_folder, load_packaged, packaged_folder, parse_rule
    from eightysix.rules.yamlfile import read_bytes

    if not path:
        return load_packaged(), packaged_folder()
    folder = Path(path)
    file = folder / "rule.yml"
    if not os.path.isfile(file):  # Path.is_file() raises where a name is too long
        return load_folder(folder), folder
    folder = folder.resolve()
    return (parse_rule(read_bytes(file), str(file), folder.name, str(file)),), folder.parent


def report_tests(
    results: Sequence[RuleTestResult],
    verbose: bool,
    out: TextIO,
    what: str = "rules",
    fires: str = "must be told",
    quiet: str = "must be quiet",
) -> int:
    """Tell what the tests of rules (or of `what` else) found; returns the exit code."""
    from eightysix.report.notes import count

    failed = [result for result in results if not result.passed]
    for result in results if verbose else failed:
        verdict = "ok  " if result.passed else "FAIL"
        detail = f": {result.detail}" if result.detail else ""
        line = f"{result.rule} {result.stream} ({quiet if result.expected == 'quiet' else fires}){detail}"
        out.write(f"{verdict} {inert_line(line)}\n")
    rules = count(len({result.rule for result in results}), what)
    passed = len(results) - len(failed)
    out.write(f"{rules}, {count(len(results), 'tests')}: {passed} passed, {len(failed)} failed\n")
    if not results:
        return 3
    return 1 if failed else 0


def _new(rule_id: str, folder: str, out: TextIO, err: TextIO) -> int:
    from pathlib import Path

    from eightysix.model.errors import UsageError
    from eightysix.rules.catalog import load_packaged, parse_rule
    from eightysix.rules.form import is_identifier
    from eightysix.rules.template import new_rule_files

    if not is_identifier(rule_id, underscore=False):
        raise UsageError(
            f"a rule cannot be called {rule_id!r}", "use small letters, digits and '-', at most 64"
        )
    if any(rule.id == rule_id for rule in load_packaged()):
        raise UsageError(f"there is a packaged rule {rule_id!r}", "choose another id")
    target = Path(folder) / rule_id
    files = new_rule_files(rule_id)
    parse_rule(files["rule.yml"].encode(), str(target / "rule.yml"), rule_id)
    try:
        target.mkdir(parents=True)
        for name, text in files.items():
            file = target / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
    except FileExistsError as error:
        raise UsageError(f"{target} is there already", "choose another id, or remove it") from error
    except OSError as error:
        raise UsageError(
            f"{target} cannot be written: {error.strerror}", "check the folder and its rights"
        ) from error
    out.write(f"{inert_line(str(target))}\n")
    err.write(f"edit {inert_line(str(target / 'rule.yml'))}, add recordings to fires/ and quiet/,\n")
    err.write(f"then run: eightysix rules test {inert_line(str(target))}\n")
    return 0
