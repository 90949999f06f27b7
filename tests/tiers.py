"""Tiers: parts of the suite that a machine may be unable to run. Each skip of one is told with its reason.

A test belongs to a tier by `@pytest.mark.tier("name")` and skips as it likes, or it calls `require_tier` where it finds
that something is missing. `EIGHTYSIX_REQUIRED_TIERS` (names joined by commas) turns the skip of a tier into a failure.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import NoReturn

import pytest

__all__ = ["Tiers", "require_tier"]

REQUIRED = "EIGHTYSIX_REQUIRED_TIERS"
_PREFIX = "tier "


def require_tier(name: str, reason: str, *, allow_module_level: bool = False) -> NoReturn:
    """Skip the running test, as the tier `name` cannot be run here for `reason`."""
    pytest.skip(f"{_PREFIX}{name}: {reason}", allow_module_level=allow_module_level)


class Tiers:
    """Plug-in that counts skipped tiers, lists them at the end, and fails the run if a required one is among them."""

    def __init__(self, required: str | None = None) -> None:
        listed = os.environ.get(REQUIRED, "") if required is None else required
        self.required = frozenset(name.strip() for name in listed.split(",") if name.strip())
        self.skipped: dict[str, dict[str, int]] = {}
        self._modules: set[str] = set()

    @property
    def missing(self) -> list[str]:
        """Names of required tiers that were skipped."""
        return sorted(self.required & self.skipped.keys())

    def _note(self, marked: list[str], report: pytest.CollectReport | pytest.TestReport) -> None:
        if not report.skipped or hasattr(report, "wasxfail"):
            return
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reason = reason.removeprefix("Skipped: ")
        name, separator, rest = reason.removeprefix(_PREFIX).partition(": ")
        called = reason.startswith(_PREFIX) and bool(separator)
        for tier in {*marked, name} if called else marked:
            reasons = self.skipped.setdefault(tier, {})
            text = rest if called else reason
            reasons[text] = reasons.get(text, 0) + 1

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a whole module that was skipped, once for all processes that collect it."""
        if report.nodeid not in self._modules:
            self._modules.add(report.nodeid)
            self._note([], report)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Write a test's tiers on its report, which may go to another process."""
        report = yield
        report.__dict__["tiers"] = [str(marker.args[0]) for marker in item.iter_markers("tier")]
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a skipped test."""
        self._note(getattr(report, "tiers", []), report)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the run when a required tier was skipped."""
        if self.missing and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """List the skipped tiers above pytest's own last line."""
        if not self.skipped:
            return
        terminalreporter.section("skipped tiers")
        for tier, reasons in sorted(self.skipped.items()):
            for reason, count in sorted(reasons.items()):
                tests = "test" if count == 1 else "tests"
                terminalreporter.write_line(f"{tier}: {count} {tests} skipped: {reason}")
        for tier in self.missing:
            terminalreporter.write_line(f"FAILED: tier {tier} is required here ({REQUIRED}) and was skipped")
