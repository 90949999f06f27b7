"""A posture that was written as JSON, read again."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings

from eightysix.model.errors import EightysixError, UsageError
from eightysix.model.posture import Posture
from eightysix.posture.saved import is_saved, read_saved
from eightysix.report.interface import RenderOptions
from eightysix.report.posture.json_format import FORMAT
from tests.posture.postures import postures


def written(posture: Posture) -> bytes:
    return "".join(FORMAT.write(posture, RenderOptions())).encode()


@settings(max_examples=40, deadline=None)
@given(postures())
def test_it_is_the_same_again(posture: Posture) -> None:
    data = written(posture)
    assert is_saved(data)
    assert read_saved(data, "f") == posture


EMPTY = Posture("", "", (), (), (), (), (), (), ())


def test_an_older_one_lacks_members_and_a_newer_one_has_more() -> None:
    document = json.loads(written(EMPTY))
    assert document.pop("past")["bindings"] == []
    document.pop("vertices")
    document["later"] = [{"anything": 1}]
    assert read_saved(json.dumps(document).encode(), "f") == EMPTY


def test_another_version_is_refused_by_name() -> None:
    document = json.loads(written(EMPTY))
    document["schema"] = "eightysix/posture/v9"
    data = json.dumps(document).encode()
    assert is_saved(data)
    with pytest.raises(UsageError, match="v9"):
        read_saved(data, "f")


@pytest.mark.parametrize(
    "text", ['{"schema": "eightysix/posture/v1"', '{"schema": "eightysix/posture/v1"}', "{}"]
)
def test_what_is_damaged_says_so(text: str) -> None:
    with pytest.raises(EightysixError, match="f is damaged"):
        read_saved(text.encode(), "f")


def test_other_files_are_no_postures() -> None:
    assert not is_saved(b'{"kind": "List"}')
    assert not is_saved(b"- eightysix/posture/v1")
    assert not is_saved(b"")
