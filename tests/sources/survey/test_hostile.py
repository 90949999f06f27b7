"""Whatever comes in, a survey counts it or leaves it over, and what is made of the counts can be written."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eightysix.reconstruct.coverage import Given, visibility
from eightysix.report.coverage.interface import FORMATS, get_coverage_format
from eightysix.report.interface import RenderOptions
from eightysix.rules.catalog import load_packaged
from eightysix.sources.lines import Block
from eightysix.sources.recognise import Recogniser
from eightysix.sources.survey.census import Census
from eightysix.sources.survey.surveys import surveys
from eightysix.sources.survey.tetragon import TetragonSurvey
from tests.reconstruct.coverage.records import everything
from tests.report.hostile import hostile_text

RULES = load_packaged()
SAMPLES = [record for records in everything(1).values() for record in records[:3]]

anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 70), 1 << 70) | st.floats() | hostile_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def spoiled(draw: st.DrawFn) -> Any:
    """A real record, one member of which is something else."""
    record = json.loads(json.dumps(draw(st.sampled_from(SAMPLES))))
    place = record
    while True:
        key = draw(st.sampled_from(sorted(place)))
        inner = place[key]
        if not isinstance(inner, dict) or not inner or draw(st.booleans()):
            place[key] = draw(anything)
            return record
        place = inner


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(spoiled() | st.sampled_from(SAMPLES), min_size=1, max_size=8), st.binary(max_size=40))
def test_no_record_breaks_it(records: list[Any], noise: bytes) -> None:
    lines = [json.dumps(record).encode("utf-8", "backslashreplace") for record in records]
    data = b"\n".join([*lines, noise.replace(b"\n", b""), *lines]) + b"\n"
    census = Census()
    decoders = surveys(census)
    recogniser = Recogniser(decoders)
    recogniser.read(Block("a", 1, data))
    for decoder in decoders:
        if isinstance(decoder, TetragonSurvey):
            decoder.flush()
    counts = recogniser.counts
    assert counts.records == counts.events + counts.malformed + counts.oversized + counts.unrecognised
    assert sum(tally.records + tally.duplicates for tally in census.tallies.values()) <= counts.events
    found = visibility(census, RULES, Given(counts=counts, problems=recogniser.problems))
    for name in FORMATS:
        assert "".join(get_coverage_format(name).write(found, RenderOptions())).endswith("\n")


def test_samples_are_of_every_source() -> None:
    assert {one.source for one in surveys(Census())} >= {
        "tetragon",
        "kubernetes-audit",
        "sensor",
        "falco",
        "dns",
        "azure",
    }
    assert len(SAMPLES) > 20
