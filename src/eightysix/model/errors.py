"""The one tree of errors: each says what happened and what to do next.

EightysixError
├── UsageError          the command line asks for something that cannot be done (exit 2)
├── NothingToReadError  no input could be opened (exit 3)
├── RuleError           a rule, exception or baseline file is wrong: names file, line and column (exit 2)
├── MissingExtraError   an optional dependency is not installed: names the install line (exit 2)
├── StateError          a stored state or baseline cannot be used (exit 1)
├── DeliveryError       a receiver did not take what was sent to it (exit 1)
├── ClusterError        a cluster cannot be asked, or does not know who asks (exit 1)
├── RegistryError       a registry cannot be asked, refuses, or answers what cannot be true (exit 1)
├── QueryError          a hunting query cannot be run here: names the construct or the place (exit 2)
├── LabError            a run of the lab could not be played, or not be kept (exit 1)
└── ScanRefusedError    a guard did not let an artifact be loaded: says what was found in it (exit 1)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eightysix.model.finding import FileVerdict, Finding

__all__ = [
    "ClusterError",
    "DeliveryError",
    "EightysixError",
    "LabError",
    "MissingExtraError",
    "NothingToReadError",
    "QueryError",
    "RegistryError",
    "RuleError",
    "ScanRefusedError",
    "StateError",
    "UsageError",
]


class EightysixError(Exception):
    """Root of every error that this package raises on purpose.

    `what` is one sentence about what happened, `advice` one about what to do next; either may hold text
    from hostile input, so whoever prints it must make it inert first.
    """

    exit_code: int = 1

    def __init__(self, what: str, advice: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.advice = advice


class UsageError(EightysixError):
    """The request itself is wrong."""

    exit_code = 2


class NothingToReadError(EightysixError):
    """None of the given inputs could be read."""

    exit_code = 3


class RuleError(EightysixError):
    """A file that the operator wrote (rule, exception, baseline) is wrong.

    `file`, `line` and `column` (both from 1, 0 where unknown) say where.
    """

    exit_code = 2

    def __init__(
        self, what: str, advice: str = "", *, file: str = "", line: int = 0, column: int = 0
    ) -> None:
        super().__init__(what, advice)
        self.file = file
        self.line = line
        self.column = column


class MissingExtraError(EightysixError):
    """An optional dependency is needed and absent."""

    exit_code = 2


class StateError(EightysixError):
    """Stored state has another version or is damaged."""


class DeliveryError(EightysixError):
    """A receiver did not take what was sent to it.

    `permanent` means that the same bytes would be refused again; `retry_after_s` is what the receiver asked for;
    `accepted` says how many items at the start of what was sent were taken before it failed.
    """

    def __init__(
        self,
        what: str,
        advice: str = "",
        *,
        retry_after_s: float | None = None,
        permanent: bool = False,
        accepted: int = 0,
    ) -> None:
        super().__init__(what, advice)
        self.retry_after_s = retry_after_s
        self.permanent = permanent
        self.accepted = accepted


class ClusterError(EightysixError):
    """A cluster cannot be asked, or does not know who asks. What it only refuses is a gap and no error."""


class RegistryError(EightysixError):
    """A registry cannot be asked, refuses, or answers what cannot be true.

    `kind` says which: `unreachable`, `slow`, `refused` (401 and 403), `absent` (404), `throttled` (429), `broken` (an answer
    that is no answer), `too-large`, `lying` (bytes that do not have the digest that was asked for). `retry_after_s` is the
    pause that it asked for, where it did.
    """

    def __init__(self, what: str, advice: str = "", *, kind: str, retry_after_s: float | None = None) -> None:
        super().__init__(what, advice)
        self.kind = kind
        self.retry_after_s = retry_after_s


class QueryError(EightysixError):
    """A hunting query cannot be run here: it is wrong, too large, or uses what the local runner does not have.

    `construct` names what is refused, where something is.
    """

    exit_code = 2

    def __init__(self, what: str, advice: str = "", *, construct: str = "") -> None:
        super().__init__(what, advice)
        self.construct = construct


class LabError(EightysixError):
    """A run of the lab could not be played, or must not be kept as a recording."""


class ScanRefusedError(EightysixError):
    """A guard did not let an artifact be loaded; nothing of it was.

    `verdict` is what it amounts to, `findings` are why: none where it could not be read at all.
    """

    def __init__(
        self, what: str, advice: str = "", *, verdict: FileVerdict, findings: tuple[Finding, ...] = ()
    ) -> None:
        super().__init__(what, advice)
        self.verdict = verdict
        self.findings = findings

    def __str__(self) -> str:
        # It ends in tracebacks, far from whoever wrote the guard: what to do must be there too.
        return f"{self.what}; {self.advice}" if self.advice else self.what
