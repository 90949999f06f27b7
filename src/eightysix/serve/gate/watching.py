"""`gate watch`: webhooks and the reconciler into one history, and the feed out of it.

What a webhook says is a hint: it is recorded at once, and the registry is asked about the tag. What no webhook says the
reconciler finds, at most 30 s later. Both end in the history, which decides what is a move.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Self

from eightysix.gate.policy.form import Policy
from eightysix.gate.references import parse_reference
from eightysix.model.errors import RegistryError, StateError, UsageError
from eightysix.model.gate import Reference, RegistryEvent
from eightysix.serve.gate.feeding import Feed
from eightysix.serve.gate.history import watches
from eightysix.serve.gate.receiver import Endpoint, WebhookReceiver
from eightysix.serve.metrics import family
from eightysix.serve.registry.reconcile import Asked, Reconciler
from eightysix.serve.registry.status import RegistryStatus, Status
from eightysix.store.history import GateHistory, Recorded

__all__ = ["GateWatch", "watched_references"]

_ALL = "*"


def watched_references(
    policy: Policy, listed: Callable[[str, str], Sequence[str]] | None = None
) -> tuple[Reference, ...]:
    """The tags of a policy. A repository that ends in `/*` is what `listed` (registry, beginning) says; without it, an error."""
    found: list[Reference] = []
    for each in policy.watch:
        if each.repository.endswith("/*"):
            place = parse_reference(each.repository.removesuffix("/*"))
            if listed is None:
                raise UsageError(
                    f"{each.repository} watches repositories that are not named",
                    "name each repository: registries list theirs only to administrators",
                )
            repositories: Sequence[str] = listed(place.registry, place.repository)
        else:
            place = parse_reference(each.repository)
            repositories = [place.repository]
        found += [Reference(place.registry, name, tag) for name in repositories for tag in each.tags]
    return tuple(dict.fromkeys(found))


class GateWatch:
    """Runs while its `with` block lasts."""

    def __init__(
        self,
        history: GateHistory,
        watched: Sequence[Reference],
        client_for: Callable[[str], Asked],
        feed: Feed,
        *,
        endpoints: Sequence[Endpoint] = (),
    ) -> None:
        if not watched:
            raise UsageError("nothing is watched", "list repositories and tags under `watch` in the policy")
        self.history = history
        self.feed = feed
        self.reconciler = Reconciler(client_for, watched, self._found, known=history.confirmed())
        self.receiver = (
            WebhookReceiver(endpoints, self._take, watches(watched), self._ask) if endpoints else None
        )
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(self.feed)
        self._stack.callback(self.reconciler.close_clients)
        self._stack.enter_context(self.reconciler)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def status(self) -> Status:
        """How asking goes."""
        return self.reconciler.status()

    def metrics(self) -> str:
        """Counters and gauges as Prometheus reads them."""
        named = [(each.registry, each) for each in self.status().registries]
        gauges: tuple[tuple[str, str, Callable[[RegistryStatus], float]], ...] = (
            (
                "behind_seconds",
                "Seconds since the tag that waits longest was answered.",
                lambda s: s.behind_s,
            ),
            ("tags", "Tags that are asked for.", lambda s: s.tags),
            ("keeps_up", "1 while every tag is answered within 30 seconds.", lambda s: s.keeps_up),
            ("unseen", "1 while the registry does not answer.", lambda s: s.unseen_since_ns > 0),
        )
        lines = [
            line
            for name, text, value in gauges
            for line in family(
                f"gate_{name}",
                "gauge",
                text,
                ("registry",),
                {registry: float(value(s)) for registry, s in named},
            )
        ]
        lines += family(
            "gate_fed_sequence",
            "gauge",
            "Last row of the history that was told.",
            (),
            {(): self.feed.sequence},
        )
        counts = self.receiver.counts.render() if self.receiver is not None else ""
        return "\n".join(lines) + "\n" + counts

    def _take(self, events: Sequence[RegistryEvent]) -> Sequence[Recorded]:
        recorded = self.history.take(events)
        self.feed.wake()
        return recorded

    def _ask(self, reference: Reference) -> None:
        self.reconciler.hint(reference.registry, reference.repository, reference.tag)

    def _found(self, event: RegistryEvent, asked_ns: int) -> bool:
        try:
            kept = self.history.confirm(event, asked_ns)
        except StateError as error:
            raise RegistryError(error.what, error.advice, kind="unkept") from None
        self.feed.wake()
        return kept
