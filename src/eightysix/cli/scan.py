"""`eightysix scan PATH...`: artifacts in, findings out."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, TextIO

from eightysix import __version__
from eightysix.cli.options import add_writing
from eightysix.cli.terminal import environment, inert_line, may_colour, terminal_width
from eightysix.model.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from eightysix.model.finding import ScanReport
    from eightysix.scan.policy import Policy
    from eightysix.scan.scanner import Options, Result
    from eightysix.scan.walk import Found

__all__ = ["add_parser", "exit_code", "run"]

FORMATS = ("plain", "json", "sarif", "github")

MANY_FILES = 64
"""From this many files on, all processors are used unless `--jobs` says otherwise: fewer are done before workers start."""

ACCEPT_DAYS = 90
"""How long the line for a policy that is printed would hold."""

PROGRESS_S = 0.1
"""Seconds between two changes of the progress line."""

SEVERITIES = ("low", "medium", "high", "critical")

_EXIT = {"malicious": 14, "suspicious": 13, "unscannable": 10, "malformed": 10}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options; every option has an environment variable `EIGHTYSIX_*`."""
    parser = commands.add_parser(
        "scan",
        help="judge models and serialized state before anything loads them",
        description="Reads models, archives, serialized state and what lies around them, by content and never by name,"
        " and tells what loading them would do. Nothing is loaded or executed.",
        allow_abbrev=False,
    )
    parser.add_argument("paths", nargs="*", metavar="PATH", help="file, folder, or - for standard input")
    reading = parser.add_argument_group("reading")
    reading.add_argument(
        "--jobs",
        type=int,
        default=environment("JOBS", "0") or "0",  # argparse makes a number of it, or says that it is none
        metavar="N",
        help="processes that scan (EIGHTYSIX_JOBS; default: one for few files, all processors for many)",
    )
    reading.add_argument(
        "--no-second-engine",
        action="store_true",
        default=bool(environment("NO_SECOND_ENGINE")),
        help="do not ask CPython's own unpickler for its opinion (EIGHTYSIX_NO_SECOND_ENGINE)",
    )
    reading.add_argument(
        "--environment",
        action="append",
        default=[part for part in environment("ENVIRONMENT").split(os.pathsep) if part],
        metavar="PATH",
        help="judge what is installed in an environment or root file system by known advisories, repeatable"
        " (EIGHTYSIX_ENVIRONMENT, colon separated)",
    )
    reading.add_argument(
        "--digest",
        action="store_true",
        default=bool(environment("DIGEST")),
        help="tell the BLAKE3 digest of every file, not only of those with findings (EIGHTYSIX_DIGEST)",
    )
    judging = parser.add_argument_group("judging")
    judging.add_argument(
        "--policy",
        default=environment("POLICY"),
        metavar="FILE",
        help="what you vouch for (EIGHTYSIX_POLICY; default: eightysix/scan-policy.yml in your configuration folder)",
    )
    judging.add_argument(
        "--baseline",
        default=environment("SCAN_BASELINE"),
        metavar="FILE",
        help="JSON of an earlier scan, whose findings are not told again (EIGHTYSIX_SCAN_BASELINE)",
    )
    judging.add_argument(
        "--ledger",
        default=environment("LEDGER"),
        metavar="FILE",
        help="keep what was scanned there, and scan nothing twice (EIGHTYSIX_LEDGER)",
    )
    judging.add_argument(
        "--ledger-host",
        default=environment("LEDGER_HOST"),
        metavar="NAME",
        help="whose files these are, as telemetry names the node (EIGHTYSIX_LEDGER_HOST; default this host's name)",
    )
    judging.add_argument(
        "--min-severity",
        choices=SEVERITIES,
        default=environment("MIN_SEVERITY", "low"),
        help="leave out findings below (EIGHTYSIX_MIN_SEVERITY; default low)",
    )
    writing = add_writing(parser, FORMATS)
    writing.add_argument(
        "--no-progress",
        action="store_true",
        default=bool(environment("NO_PROGRESS")),
        help="no progress line on a terminal (EIGHTYSIX_NO_PROGRESS)",
    )
    writing.add_argument("--list-rules", action="store_true", help="tell the rules of the scan, and end")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    """Run the command; returns the exit code of DESIGN's table."""
    if args.list_rules:
        return _list_rules(out)
    if args.min_severity not in SEVERITIES:  # argparse does not look at what the environment says
        raise UsageError(
            f"there is no severity {args.min_severity!r}",
            f"EIGHTYSIX_MIN_SEVERITY is one of: {', '.join(SEVERITIES)}",
        )
    if not args.paths and not args.environment:
        raise UsageError("scan needs something to read", "name files or folders: eightysix scan models/")
    from eightysix.model.finding import ScanReport, Severity
    from eightysix.scan.settle import read_known, settle

    today = datetime.now(UTC).date()
    policy = _policy(args)
    known = frozenset[tuple[str, str, str, str]]()
    if args.baseline:
        from eightysix.cli.files import read_operator_file

        known = frozenset(read_known(read_operator_file(args.baseline, "baseline"), args.baseline))
    found = [*_environments(args.environment, today), *_results(args, err)]
    results = [settle(result, policy, known, today) for result in found]
    report = ScanReport(
        findings=tuple(
            finding
            for result in results
            for finding in result.findings
            if finding.severity.rank >= Severity(args.min_severity).rank
        ),
        files=tuple(result.file for result in results),
    )
    _write(args, report, _accepting(results, today), out)
    return 0 if args.exit_zero else exit_code(report)


def exit_code(report: ScanReport) -> int:
    """The highest that applies: 14 malicious, 13 suspicious, 11 something low, 10 not all could be read, 0 nothing."""
    worst = max((_EXIT.get(file.verdict, 0) for file in report.files), default=0)
    low = any(finding.severity == "low" for finding in report.findings)
    return max(worst, 11 if low else 0)


def _environments(paths: Sequence[str], today: date) -> Iterator[Result]:
    """What the advisories say of each environment, a result for each thing in it that was judged."""
    if not paths:
        return
    from eightysix.report.findings.interface import by_path
    from eightysix.scan.environment import scan_environment
    from eightysix.scan.scanner import Result

    for path in paths:
        report = scan_environment(path, today=today)
        findings = by_path(report.findings)
        for file in report.files:
            yield Result(file=file, findings=tuple(findings.get(file.path, ())))


def _results(args: argparse.Namespace, err: TextIO) -> list[Result]:
    from eightysix.scan.pool import scan_all
    from eightysix.scan.walk import walk

    files = list(walk(path for path in args.paths if path != "-"))
    jobs = args.jobs or (_processors() if len(files) >= MANY_FILES else 1)
    if jobs < 1:
        raise UsageError("--jobs takes a number of processes", "write --jobs 4")
    _check_extras(args)
    results: list[Result] = []
    if "-" in args.paths:
        results.append(_standard_input(args))
    shown = err.isatty() and not (args.no_progress or args.quiet)
    with _Progress(err if shown else None, len(files)) as progress:
        results.extend(progress.follow(files, scan_all(files, lambda: _options(args), jobs)))
    if args.ledger:
        _remember(args, results)
    return results


def _processors() -> int:
    return len(os.sched_getaffinity(0))


def _check_extras(args: argparse.Namespace) -> None:
    from eightysix.scan.digest import available

    if (args.digest or args.ledger) and not available():
        asked = "--ledger" if args.ledger else "--digest"
        raise MissingExtraError(
            f"{asked} needs BLAKE3, which is not installed", "pip install 'eightysix[scan]'"
        )


def _options(args: argparse.Namespace) -> Options:
    """Made where the scanning is done: in each worker."""
    from eightysix.scan.scanner import Options

    recall = None
    if args.ledger:
        from pathlib import Path

        from eightysix.scan.memory import recall as remembering
        from eightysix.store.ledger import Ledger

        recall = remembering(Ledger(Path(args.ledger)), _version(args), int(time.time()))
    second = None
    if not args.no_second_engine:
        from eightysix.scan.second.engine import shared_engine

        second = shared_engine()
    return Options(digest=args.digest, recall=recall, second=second)


def _version(args: argparse.Namespace) -> str:
    """What a result depends on beside the bytes."""
    from eightysix.scan.catalog import rules_version
    from eightysix.scan.index import index_version

    return f"{rules_version()}-{index_version()}{'-one' if args.no_second_engine else ''}"


def _remember(args: argparse.Namespace, results: Sequence[Result]) -> None:
    import socket
    from pathlib import Path

    from eightysix.scan.memory import remember
    from eightysix.store.ledger import Ledger

    with Ledger(Path(args.ledger)) as ledger:
        host = args.ledger_host or socket.gethostname()
        remember(ledger, results, _version(args), host, int(time.time()))


def _standard_input(args: argparse.Namespace) -> Result:
    """Standard input as one file: kept in memory while it is small, else in a file without a name."""
    import mmap
    import shutil
    import tempfile

    from eightysix.scan.scanner import MAPPED_FROM, scan_bytes

    data = sys.stdin.buffer.read(MAPPED_FROM)
    if len(data) < MAPPED_FROM:
        return scan_bytes(data, "-", _options(args))
    with tempfile.TemporaryFile() as file:
        file.write(data)
        shutil.copyfileobj(sys.stdin.buffer, file, MAPPED_FROM)
        file.flush()
        return scan_bytes(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ), "-", _options(args))


def _policy(args: argparse.Namespace) -> Policy:
    from eightysix.cli.files import read_operator_file
    from eightysix.scan.policy import Policy, check_outside

    path = args.policy or _own_policy()
    if not path:
        return Policy()
    from eightysix.scan.policy_file import (
        parse_policy,
    )  # a reader of YAML costs as much as a small file's whole scan

    real = [os.path.realpath(given) for given in args.paths if given != "-"]
    check_outside(os.path.realpath(path), [given for given in args.paths if given != "-"], real)
    return parse_policy(read_operator_file(path, "policy"), path)


def _own_policy() -> str:
    """The policy in the user's configuration (XDG Base Directory Specification), empty where there is none."""
    folder = os.environ.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(folder):  # the specification: relative paths are to be ignored
        folder = os.path.join(os.path.expanduser("~"), ".config")
    path = os.path.join(folder, "eightysix", "scan-policy.yml")
    return path if os.path.isfile(path) else ""


def _accepting(results: Sequence[Result], today: date) -> dict[str, str]:
    """For each path the line of a policy that would accept it, where one could."""
    from eightysix.model.finding import FileVerdict
    from eightysix.scan.policy import acceptance_line

    until = today + timedelta(days=ACCEPT_DAYS)
    lines = {}
    for result in results:
        if result.file.verdict is FileVerdict.SUSPICIOUS:
            line = acceptance_line(result.findings, result.file.digest, until)
            if line:
                lines[result.file.path] = line
    return lines


def _write(args: argparse.Namespace, report: ScanReport, accept: dict[str, str], out: TextIO) -> None:
    from eightysix.cli.detect import write_output
    from eightysix.report.findings.interface import Setting, get_findings_format
    from eightysix.report.interface import RenderOptions
    from eightysix.scan.catalog import rules

    render = RenderOptions(
        width=terminal_width(), colour=not args.output and may_colour(args.color, out), verbose=args.verbose
    )
    setting = Setting(render=render, rules=rules(), accept=accept, version=__version__)
    write_output("".join(get_findings_format(args.format).write(report, setting)), args.output, out)


def _list_rules(out: TextIO) -> int:
    from eightysix.scan.catalog import rules

    widest = max(len(name) for name in rules())
    out.writelines(f"{rule.id:<{widest}}  {rule.severity:<8}  {rule.title}\n" for rule in rules().values())
    return 0


class _Progress:
    """One line on a terminal that says how far it is; nothing where there is no terminal."""

    def __init__(self, stream: TextIO | None, total: int) -> None:
        self._stream = stream
        self._total = total
        self._told = 0.0

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None and self._told:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def follow(self, files: Sequence[Found], results: Iterator[Result]) -> Iterator[Result]:
        """`results` as they come, telling the file that is waited for."""
        for done in range(len(files) + 1):
            if self._stream is not None and done < len(files):
                self._tell(self._stream, done, files[done].path)
            result = next(results, None)
            if result is None:
                return
            yield result

    def _tell(self, stream: TextIO, done: int, path: str) -> None:
        now = time.monotonic()
        if now - self._told < PROGRESS_S:
            return
        self._told = now
        text = f"scanning {done + 1:,} of {self._total:,}  {inert_line(path)}"
        stream.write(f"\r\x1b[K{text[: terminal_width() - 1]}")
        stream.flush()
