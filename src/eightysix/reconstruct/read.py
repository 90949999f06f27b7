"""Everything that was read, as stories are told of it, and what is looked through once for all of them."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from functools import cached_property

from eightysix.context.reach import Reaches
from eightysix.detect.combine import Case
from eightysix.detect.engine import Judged
from eightysix.model.incident import Coverage
from eightysix.model.story import Gap
from eightysix.model.words import IdentityState, Source
from eightysix.reconstruct.identities import Uses
from eightysix.reconstruct.identitylog import IdentityLog
from eightysix.reconstruct.sightings import Places
from eightysix.reconstruct.uses import Attribute

__all__ = ["Read"]


def _no_posture() -> None:
    return None


@dataclass(frozen=True)
class Read:
    """Everything that was read. `attribute` says whose a use is, `judged` what the rules made of it all; `searched`
    counts files of other nodes that were searched for what landed, and not read; `reaches` gives the posture, where there
    is one; `gaps` are those of every story."""

    judged: Judged
    log: IdentityLog
    attribute: Attribute
    coverage: Coverage
    searched: int = 0
    reaches: Callable[[], Reaches | None] = _no_posture
    gaps: tuple[Gap, ...] = ()

    @cached_property
    def places(self) -> Places:
        """Which pods tell of which artifacts, looked through once for all stories."""
        return Places(self.judged.states)

    @cached_property
    def cloud(self) -> frozenset[str]:
        """Kinds of the cloud's logs of which anything was read."""
        told = (one for one in self.coverage.sources if one.source == str(Source.AZURE))
        return frozenset(kind for one in told for kind in one.kinds)

    @cached_property
    def uses(self) -> Uses:
        """All uses of identities, looked through once for all stories."""
        return Uses(self.log)

    @cached_property
    def _taken(self) -> _Taken:
        return _Taken(self.judged)

    def taken(self) -> Container[str]:
        """Keys of the pods in which an incident took a credential."""
        return self._taken


class _Taken:
    """The same, of pods that were not judged yet as somebody asks."""

    def __init__(self, judged: Judged) -> None:
        self._judged = judged
        self._known = _losers(judged.cases)
        self._states = {state.key: state for state in judged.states}

    def __contains__(self, key: object) -> bool:
        later = self._judged.later
        if key in self._known or later is None:
            return key in self._known
        state = self._states.get(str(key))
        return state is not None and key in _losers(later(state))


def _losers(cases: Iterable[Case]) -> frozenset[str]:
    return frozenset(
        chain.view.key
        for case in cases
        if any(i.state is not IdentityState.EXPOSED for i in case.incident.identities)
        for chain in case.chains
    )
