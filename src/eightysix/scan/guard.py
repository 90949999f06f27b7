"""Loads exactly the bytes that were scanned: `guard()` stands before the loaders of this process.

    with guard():
        model = torch.load("model.pt", weights_only=False)

What is not clean, or accepted by the operator's policy, raises `ScanRefusedError` and is not loaded. `pickle` is never
imported here: the functions that are wrapped are those which the process already has, or imports later.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Collection
from contextlib import ContextDecorator
from types import TracebackType
from typing import Any, TypeVar

from eightysix.model.errors import ScanRefusedError, UsageError
from eightysix.model.finding import FileVerdict
from eightysix.report.inert import inert
from eightysix.scan import loaders
from eightysix.scan.catalog import rule
from eightysix.scan.held import Held
from eightysix.scan.policy import Policy, acceptance_line
from eightysix.scan.scanner import Options, Result, scan_bytes
from eightysix.scan.second.engine import shared_engine
from eightysix.scan.settle import settle

__all__ = ["Guard", "guard"]

ACCEPTED_DAYS = 90
"""How long the line of a policy holds that an error proposes."""

ASK = "see all that `eightysix scan` tells of it"

T = TypeVar("T")


class Guard(ContextDecorator):
    """See `guard`. The same guard may be entered several times, by several threads."""

    def __init__(
        self,
        allow: FileVerdict,
        policy: Policy,
        options: Options,
        names: frozenset[str],
        today: Callable[[], dt.date],
    ) -> None:
        self.allow = allow
        self.policy = policy
        self.options = options
        self.names = names
        self._today = today

    def __enter__(self) -> Guard:
        loaders.stand(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        loaders.step_back(self)

    def load(self, loader: Callable[..., T], source: Any, *arguments: Any, **named: Any) -> T:
        """What `loader(source, ...)` gives, after the bytes of `source` were scanned; the loader gets those very bytes.

        `source` is a path, bytes, or a file that can be read twice. For a loader that `guard` does not know; the loader
        must take what it reads first. Raises `ScanRefusedError` in place of loading, `OSError` as `open`.
        """
        return loaders.handed(loader, (self,), source, arguments, named)

    def checked(self, path: str | os.PathLike[str]) -> bytes:
        """The bytes of the file at `path`, once they were scanned. Raises as `load`."""
        with Held(os.fspath(path)) as held:
            self.judge(held.data, os.fspath(path))
            return bytes(held.data)

    def judge(self, data: loaders.Data, name: str) -> None:
        """Scan `data`, called `name` in what is said about it. Raises `ScanRefusedError`."""
        today = self._today()
        result = settle(scan_bytes(data, name, self.options), self.policy, frozenset(), today)
        if result.file.verdict.rank > self.allow.rank:
            raise _refusal(result, today)


def guard(
    *,
    allow: FileVerdict = FileVerdict.CLEAN,
    policy: Policy | None = None,
    options: Options | None = None,
    only: Collection[str] = loaders.NAMES,
    today: Callable[[], dt.date] = dt.date.today,
) -> Guard:
    """A guard: a context manager, a decorator, and by its methods a function.

    Between entering and leaving, every loader of `only` (`torch.load`, `pickle.loads`, ...) that is called through its
    module scans first, in all threads of the process; where several guards stand, all of them must agree. `allow` is the
    worst verdict that is loaded. What `policy` accepts on the day `today()` is as if it were not found. `options` says
    how to scan; without, both engines are asked. Raises `UsageError` for a loader that it does not know.
    """
    unknown = sorted(set(only) - set(loaders.NAMES))
    if unknown:
        raise UsageError(
            f"a guard knows no loader {', '.join(unknown)}",
            f"it knows {', '.join(loaders.NAMES)}; others are called through Guard.load",
        )
    chosen = options if options is not None else Options(second=shared_engine())
    return Guard(allow, policy or Policy(), chosen, frozenset(only), today)


def _refusal(result: Result, today: dt.date) -> ScanRefusedError:
    file = result.file
    worst = max(result.findings, key=lambda one: rule(one.rule).verdict.rank)
    more = f", and {len(result.findings) - 1} more" if len(result.findings) > 1 else ""
    what = f"{inert(file.path)} was not loaded: it is {file.verdict} ({worst.rule}: {inert(worst.why)}{more})"
    until = today + dt.timedelta(days=ACCEPTED_DAYS)
    only_suspicious = file.verdict is FileVerdict.SUSPICIOUS
    line = acceptance_line(result.findings, file.digest, until) if only_suspicious else ""
    advice = f"if you vouch for it, a policy accepts it by this line: {line}" if line else ASK
    return ScanRefusedError(what, advice, verdict=file.verdict, findings=result.findings)
