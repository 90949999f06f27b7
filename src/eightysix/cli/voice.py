"""What `watch` says: incidents on standard output, everything else on standard error."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from eightysix.cli.terminal import inert_line, may_colour, terminal_width

if TYPE_CHECKING:
    from eightysix.model.incident import Incident, Problem
    from eightysix.serve.live.loop import Watch

__all__ = ["Voice"]

MAX_TOLD_PROBLEMS = 20
MAX_REMEMBERED = 1_000
"""Incidents of which it is remembered what was printed last."""

ADVISE_S = 15.0
"""Seconds after the first record until it is told what telemetry is missing: by then every policy has said something."""


class Voice:
    """Speaks for one run."""

    def __init__(self, args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
        from eightysix.report.interface import RenderOptions

        self._args = args
        self._out = out
        self._err = err
        self._render = RenderOptions(
            width=terminal_width(), colour=may_colour(args.color, out), verbose=args.verbose
        )
        self._told: dict[str, Incident] = {}
        self._mute = False
        self._began = 0.0
        self._advised = False
        self._trouble = ""
        self._problems = 0

    def begin(self) -> None:
        """Say what is watched, and what is kept."""
        state = (
            f"state in {self._args.state}" if self._args.state else "no --state: nothing outlives a restart"
        )
        named = [*self._args.paths, *([self._args.listen] if self._args.listen else [])]
        self._say(f"watching {', '.join(named)}; {state}")

    def tell(self, incidents: Sequence[Incident]) -> None:
        """Print incidents, each in one piece, at once."""
        if self._mute:
            return
        try:
            for incident in incidents:
                self._out.write(self._text(incident))
            self._out.flush()
        except OSError as error:
            if not (self._args.state or self._args.deliver):
                raise  # nobody else hears of it: the end of the reader is the end
            self._mute = True
            self.warn(
                f"standard output cannot be written ({error.strerror}): nothing more is printed, all else goes on"
            )

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
        """Say what changed: trouble with the state, and once what telemetry is missing."""
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

    def warn(self, text: str) -> None:
        """Say what somebody must do something about, even if told to be quiet."""
        print(f"eightysix: {inert_line(text)}", file=self._err, flush=True)

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
