"""Pickles whose structure hides a call from whoever reads opcodes without being the machine that runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from bench.scan.corpus.pickles.common import Made
from bench.scan.corpus.pickles.computing import computed_callables, computed_names
from bench.scan.corpus.pickles.effects import effects
from bench.scan.corpus.pickles.libraries import libraries
from bench.scan.corpus.pickles.naming import names
from bench.scan.corpus.pickles.opcodes import opcodes
from bench.scan.corpus.pickles.stacking import frames, streams
from bench.scan.corpus.pickles.wording import texts
from bench.scan.corpus.sample import Sample, chance_of

GROUPS: tuple[Callable[[Random], Made], ...] = (
    names,
    computed_names,
    computed_callables,
    effects,
    opcodes,
    texts,
    frames,
    streams,
    libraries,
)


def samples(seed: int) -> Iterator[Sample]:
    """Every structural pickle."""
    for group in GROUPS:
        folder = group.__name__.replace("_", "-")
        for made in group(chance_of(seed, f"evasion:{folder}")):
            label, data = made[0], made[1]
            tier = made[2] if len(made) == 3 else "core"
            yield Sample(f"evasion/{folder}/{label}.pkl", data, f"{folder}:{label}", "pickle", tier)
