"""One scanner behind one pipe: paths in, one JSON line a file out. Runs inside the scanner's own environment.

    python peer_worker.py TOOL < paths

Each tool is asked through its Python API by the rule of its own command line: what that would exit with for this one file.
Answers are by its default and by the setting of its own that differs most (the docstring of each says which). A finding
that was told counts as told, even where the command would have exited with an error as well. Outcomes are told, clean,
error (it said so itself), unsupported and crash. An exception that the command would catch is an error.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import resource
import sys
from collections.abc import Callable
from typing import Any

MEMORY = (
    6 << 30
)  # bytes of address space: more than any of these files needs, less than takes the machine down
Answer = tuple[str, str, str]  # by default, by the other setting, what it said


def picklescan() -> Callable[[str], Answer]:
    """`picklescan -p`; the other is `--strict`."""
    from picklescan.scanner import scan_file_path  # type: ignore[import-not-found,unused-ignore]

    def one(path: str) -> Answer:
        found = scan_file_path(path)
        weak = "error" if found.scan_err else "clean" if found.scanned_files else "unsupported"
        # --strict makes dangerous what is suspicious by default, and nothing else: one scan answers both.
        strict = found.issues_count or found.suspicious_count
        return "told" if found.issues_count else weak, "told" if strict else weak, ""

    return one


def modelscan() -> Callable[[str], Answer]:
    """`modelscan -p`; it has no other setting."""
    from modelscan.modelscan import ModelScan  # type: ignore[import-not-found,unused-ignore]

    def one(path: str) -> Answer:
        scanner = ModelScan()
        scanner.scan(path)
        if scanner.issues.all_issues:
            outcome = "told"
        elif not scanner.scanned:
            outcome = "unsupported"
        else:
            outcome = "error" if scanner.errors else "clean"
        return outcome, outcome, ""

    return one


def fickling() -> Callable[[str], Answer]:
    """`fickling --check-safety` for pickles, its own archive scan for zip; the other tells overtly malicious only."""
    import zipfile

    from fickling.analysis import Severity, check_safety  # type: ignore[import-not-found,unused-ignore]
    from fickling.fickle import PickleDecodeError, StackedPickle  # type: ignore[import-not-found,unused-ignore]
    from fickling.loader import scan_zip_archive  # type: ignore[import-not-found,unused-ignore]

    def one(path: str) -> Answer:
        overt = Severity.LIKELY_OVERTLY_MALICIOUS
        if zipfile.is_zipfile(path):
            results = list(scan_zip_archive(path, graceful=True).values())
            worst = [result for outcome in results for result in outcome.results]
            if any(result.severity > Severity.LIKELY_SAFE for result in worst):
                return "told", "told" if any(result.severity >= overt for result in worst) else "clean", ""
            if any(outcome.errors for outcome in results):
                return "error", "error", ""
            return ("clean", "clean", "") if results else ("unsupported", "unsupported", "")
        with open(path, "rb") as file:
            try:
                stacked = StackedPickle.load(file, fail_on_decode_error=False)
            except PickleDecodeError as problem:
                return "error", "error", str(problem)
        levels = [check_safety(pickled).severity for pickled in stacked]
        return (
            "told" if any(level > Severity.LIKELY_SAFE for level in levels) else "clean",
            "told" if any(level >= overt for level in levels) else "clean",
            "",
        )

    return one


def modelaudit() -> Callable[[str], Answer]:
    """`modelaudit scan`: exit 1 is told; the other counts critical findings only."""
    os.environ.update(
        MODELAUDIT_NO_TELEMETRY="1", NO_ANALYTICS="1", PROMPTFOO_DISABLE_TELEMETRY="1", DO_NOT_TRACK="1"
    )
    from modelaudit.core import determine_exit_code, scan_model_directory_or_file  # type: ignore[import-not-found,unused-ignore]

    def one(path: str) -> Answer:
        found = scan_model_directory_or_file(path, timeout=25)
        levels = {str(getattr(issue.severity, "value", issue.severity)).lower() for issue in found.issues}
        code = determine_exit_code(found)
        told = code == 1 or bool(levels & {"warning", "critical"})
        default = "told" if told else "clean" if code == 0 else "error"
        return default, "told" if "critical" in levels else "clean" if told else default, ""

    return one


def hayward() -> Callable[[str], Answer]:
    """`hayward scan`: told from high; the other from medium. A file it says it could not read is an error."""
    from pathlib import Path

    from hayward.cli import _THRESHOLDS, is_coverage_gap  # type: ignore[import-not-found,unused-ignore]
    from hayward.scanner import ModelFileScanner  # type: ignore[import-not-found,unused-ignore]

    def one(path: str) -> Answer:
        findings = list(ModelFileScanner().scan_file(Path(path)))

        def over(level: str) -> bool:
            return any(finding.severity_order <= _THRESHOLDS[level] for finding in findings)

        gap = any(is_coverage_gap(finding) for finding in findings)
        weak = "error" if gap else "clean"
        return "told" if over("high") else weak, "told" if over("medium") else weak, ""

    return one


def eightysix() -> Callable[[str], Answer]:
    """`eightysix scan`: malicious is told; the other counts suspicious too. Exactly the options that the command makes."""
    import argparse

    from eightysix.cli import scan
    from eightysix.scan.scanner import scan_file

    plain = argparse.Namespace(
        no_second_engine=False, digest=False, ledger=None, no_cache=True, environment=None
    )
    options = scan._options(plain)  # noqa: SLF001  the command's own, so that both sides are the same

    def one(path: str) -> Answer:
        found = scan_file(path, options).file
        verdict = found.verdict.value
        weak = "error" if verdict in ("unscannable", "malformed") else "clean"
        default = "told" if verdict == "malicious" else weak
        return default, "told" if verdict == "suspicious" else default, f"{verdict} {found.format}"

    return one


CAUGHT = frozenset(
    {"picklescan", "modelscan", "modelaudit", "hayward"}
)  # their commands catch every exception and exit 2
TOOLS = {tool.__name__: tool for tool in (picklescan, modelscan, fickling, modelaudit, hayward, eightysix)}


def seconds() -> float:
    """CPU seconds of this process and its children that ended."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def main() -> None:
    """Answer until the input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    logging.disable(logging.CRITICAL)
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    with open(os.devnull, "w", encoding="utf-8") as nothing:
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
    tool = TOOLS[sys.argv[1]]()
    start = {"ready": True, "cpu": seconds()}
    print(json.dumps(start), file=out, flush=True)
    for line in sys.stdin:
        before = seconds()
        answer: dict[str, Any]
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                default, other, said = tool(line.rstrip("\n"))
            answer = {"default": default, "other": other, "said": said[:200]}
        except BaseException as problem:
            if isinstance(problem, KeyboardInterrupt):
                raise
            kind = "error" if sys.argv[1] in CAUGHT and isinstance(problem, Exception) else "crash"
            answer = {
                "default": kind,
                "other": kind,
                "said": f"{type(problem).__name__}: {str(problem)[:150]}",
            }
        answer["cpu"] = seconds() - before
        answer["peak_kb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps(answer), file=out, flush=True)


if __name__ == "__main__":
    main()
