"""Rules that only contribute: their signals add points to the chains of other rules, and never make one of their own.

Some facts mean something beside a chain and nothing alone. Such a rule has signals and no chain; each of its signals
counts in every chain of every other rule, joined to whoever takes the credentials there, after what landed.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from eightysix.detect.rule import Rule

__all__ = ["contributed", "with_contributions"]

_MARK = ":"
"""Between the contributing rule's id and its signal's name: no id and no name has it."""


def with_contributions(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """The rules that have a chain, each with the signals of those that only contribute."""
    signals = {
        f"{rule.id}{_MARK}{name}": replace(signal, name=f"{rule.id}{_MARK}{name}")
        for rule in rules
        if rule.contributes
        for name, signal in rule.signals.items()
    }
    judged = [rule for rule in rules if not rule.contributes]
    return tuple(replace(rule, signals={**rule.signals, **signals}) if signals else rule for rule in judged)


def contributed(signal: str) -> str:
    """The id of the rule that contributed a signal of a chain, empty for the rule's own."""
    rule, mark, _ = signal.partition(_MARK)
    return rule if mark else ""
