"""Events by columns are the same rows as events one by one."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from eightysix.model.event import Artifact, Distribution, Event, EventId
from eightysix.model.words import Access, Domain, Grade, Kind, Origin, Outcome, Source
from eightysix.sources.lines import Block
from eightysix.sources.tables import Tabulator
from eightysix.sources.tables.event_columns import event_columns, process_columns
from eightysix.sources.tables.events import event_row, process_row
from tests.sources.tables.test_tabulate import TABLES
from tests.streams import ATTACKS, FULL

WORD = st.sampled_from(["", "a", "/usr/bin/pip", "x y"])
NUMBER = st.sampled_from([0, 1, 86])
BY_TYPE = {
    "str": WORD,
    "int": NUMBER,
    "bool": st.booleans(),
    "bool | None": st.sampled_from([None, True, False]),
    "Access": st.sampled_from(Access),
    "Domain | None": st.sampled_from([None, *Domain]),
    "Outcome": st.sampled_from(Outcome),
    "tuple[str, ...]": st.sampled_from([(), ("a",), ("a", "b")]),
    "tuple[Artifact, ...]": st.sampled_from([(), (Artifact("pypi", "x"), Artifact("pypi", "y", "1"))]),
    "tuple[Distribution, ...]": st.sampled_from(
        [(), (Distribution("x"), Distribution("y", "1", 0.0, False))]
    ),
    "EventId": st.integers(0, 1 << 64).map(lambda number: EventId(f"{number:032x}")),
    "Source": st.sampled_from(Source),
    "Origin": st.sampled_from(Origin),
    "Grade": st.sampled_from(Grade),
    "Kind": st.sampled_from(Kind),
}
EVENT = st.builds(
    Event, **{name: BY_TYPE[str(kind)] for name, kind in Event.__annotations__.items() if name != "uid"}, uid=st.integers(-1, 1)
)  # fmt: skip


@given(st.lists(EVENT, min_size=1, max_size=5), WORD)
def test_columns_are_rows(events: list[Event], parent: str) -> None:
    assert list(event_columns(events).rows()) == [event_row(event) for event in events]
    starts = [(event, parent) for event in events]
    assert list(process_columns(starts).rows()) == [process_row(event, parent) for event in events]


def test_what_is_packed_is_what_is_read() -> None:
    one, other = Tabulator(TABLES), Tabulator(TABLES)
    read, packed = [], []
    for name, lines in ATTACKS["breach-86s"](FULL).streams.items():
        block = Block(name, 1, "".join(f"{line}\n" for line in lines).encode())
        read += one.read(block)
        assert other.feed(block) > 0
        for each in other.packed():
            packed += [each] if isinstance(each, tuple) else [(each.table, row) for row in each.rows()]
    read += one.flush()
    packed += [each for each in other.packed(flush=True) if isinstance(each, tuple)]
    assert {table for table, _ in read} >= {"EightySixEvents_CL", "CloudProcessEvents", "AKSAudit"}
    assert [msgspec.json.encode(row, order="sorted") for row in packed] == [
        msgspec.json.encode(row, order="sorted") for row in read
    ]
