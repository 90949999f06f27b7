"""What `watch` says: incidents on standard output, everything else on standard error."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TextIO

from eightysix.cli.printer import MAX_WAITING, Printer
from eightysix.cli.terminal import environment, inert_line, may_colour, terminal_width

if TYPE_CHECKING:
    from eightysix.model.incident import Incident, Problem
    from eightysix.serve.live.loop import Watch

__all__ = ["Voice"]

MAX_TOLD_PROBLEMS = 20
MAX_REMEMBERED = 1_000
"""Incidents of which it is remembered what was printed last."""

STALLED_S = 10.0
"""Seconds that the reader of standard output takes nothing until it is told."""

LAST_WORDS_S = 3.0
"""Seconds that readers have at the end."""

ADVISE_S = 15.0
"""Seconds after the first record until it is told what telemetry is missing: by then every policy has said something."""


class Voice:
    """Speaks for one run."""

    def __init__(self, args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
        from eightysix.report.interface import RenderOptions

        self._args = args
        self._stopped: Callable[[], bool] = lambda: False
        self._out = Printer(out)
        self._err = Printer(err)
        self._alone = not (args.state or args.deliver or environment("DELIVER"))  # nobody else hears of it
        self._ended = False
        self._slow = False
        self._unprinted = 0
        self._render = RenderOptions(
            width=terminal_width(), colour=may_colour(args.color, out), verbose=args.verbose
        )
        self._told: dict[str, Incident] = {}
        self._mute = False
        self._began = 0.0
        self._advised = False
        self._trouble = ""
        self._problems = 0

    def begin(self, stopped: Callable[[], bool], woken: Callable[[], None]) -> None:
        """Say what is watched, and what is kept. Whoever waits for a reader waits until `stopped`; `woken` ends the loop's
        waiting."""
        self._stopped, self._out.woken = stopped, woken
        state = (
            f"state in {self._args.state}" if self._args.state else "no --state: nothing outlives a restart"
        )
        named = [*self._args.paths, *([self._args.listen] if self._args.listen else [])]
        self._say(f"watching {', '.join(named)}; {state}")

    def tell(self, incidents: Sequence[Incident]) -> None:
        """Print incidents, each in one piece, at once. Where nobody else hears of them, a reader who takes none is waited
        for; else they go unprinted, and that is told."""
        for incident in incidents:
            if self._mute:
                return
            text = self._text(incident)
            while not self._out.put(text):
                self._tell_slow()
                if not self._alone or self._stopped():
                    self._unprinted += 1
                    break
                self._out.wait(0.5)
            self._look_at_output()

    def _look_at_output(self) -> None:
        error = self._out.error
        if error is not None and not self._mute:
            if self._alone:
                raise error  # the end of the reader is the end
            self._mute = True
            self.warn(
                f"standard output cannot be written ({error.strerror}): nothing more is printed, all else goes on"
            )
        elif self._out.stalled_s() > STALLED_S:
            self._tell_slow()
        elif self._slow and not self._out.stalled_s():
            self._slow = False
            lost = f"; {self._unprinted} incidents were not printed" if self._unprinted else ""
            self._unprinted = 0
            self.warn(f"standard output is read again{lost}")

    def _tell_slow(self) -> None:
        if self._slow:
            return
        self._slow = True
        then = "detection waits for its reader" if self._alone else "incidents go unprinted, all else goes on"
        self.warn(f"standard output is not read: when {MAX_WAITING >> 10} KiB wait, {then}")

    def _text(self, incident: Incident) -> str:
        from eightysix.report.live import json_line, story

        before = self._told.pop(incident.id, None)
        self._told[incident.id] = incident
        if len(self._told) > MAX_REMEMBERED:
            del self._told[next(iter(self._told))]
        if self._args.format == "jsonl":
            return json_line(incident)
        return story(incident, self._render, before)

    def problem(self, problem: Problem) -> None:
        """What could not be read: the first few, and then only what is about a whole input."""
        self._problems += 1
        if problem.kind == "unreadable" or self._problems <= MAX_TOLD_PROBLEMS or self._args.verbose:
            place = f"{problem.file}:{problem.line}" if problem.line else problem.file
            self._say(f"{inert_line(place)}: {problem.kind}: {inert_line(problem.reason)}")

    def turn(self, watch: Watch, now: float) -> None:
        """Say what changed: trouble with the state or the output, and once what telemetry is missing."""
        self._look_at_output()
        trouble = watch.stats.trouble
        if trouble != self._trouble:
            self._trouble = trouble
            self.warn(trouble or "the state is written again")
        if not self._advised and watch.replay.recogniser.sources:
            self._began = self._began or now
            if now - self._began >= ADVISE_S:
                self._advise(watch)

    def end(self, watch: Watch) -> None:
        """What was seen, as the last word."""
        if not self._advised:
            self._advise(watch)
        counts = watch.replay.recogniser.counts
        found = sum(not incident.suppressed_by for incident in watch.told.latest.values())
        ending = "s" * (found != 1)
        self._say(
            f"{found} incident{ending}; {counts.events} events, {counts.malformed} malformed,"
            f" {counts.oversized} oversized, {counts.unrecognised} unrecognised"
        )
        self._ended = True
        if not self._out.close(LAST_WORDS_S) and not self._mute:
            self.warn("standard output was not read to the end: not all incidents were printed")

    def close(self) -> None:
        """Wait a little for what was said to be taken."""
        self._out.woken = lambda: None  # who is woken ends next
        self._out.close(0.0 if self._ended else LAST_WORDS_S)
        self._err.close(LAST_WORDS_S)

    def warn(self, text: str) -> None:
        """Say what somebody must do something about, even if told to be quiet."""
        self._err.put(f"eightysix: {inert_line(text)}\n")  # where nobody reads that either, the rest goes on

    def _advise(self, watch: Watch) -> None:
        self._advised = True
        missing: dict[str, list[str]] = {}
        for rule in watch.replay.coverage().rules:
            for advice in rule.switch_on if not rule.evaluable else ():
                missing.setdefault(advice, []).append(rule.rule)
        for advice, rules in missing.items():
            self._say(f"not seen so far: {advice}; without it: {', '.join(rules)}")

    def _say(self, text: str) -> None:
        if not self._args.quiet:
            self.warn(text)
