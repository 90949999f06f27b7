"""The workbook of the pack."""

from __future__ import annotations

import html
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.hunt.binder import Binder
from eightysix.hunt.publish import publish
from eightysix.hunt.publish.workbook import markdown
from eightysix.model.table import Environment
from tests.hunt.samples import ALL, BURST, CHAIN, HOSTILE, HUNT, SIGNINS


def workbook(binder: Binder) -> dict[str, Any]:
    found = publish(ALL, "workbook", binder)
    assert [one.query for one in found.left_out] == [SIGNINS.id]
    read: dict[str, Any] = json.loads(found.files["eightysix.workbook.json"])
    return read


@pytest.mark.tier("node")
def test_every_query_has_its_group(binder: Binder) -> None:
    read = workbook(binder)
    assert read["version"] == "Notebook/1.0"
    head, *groups = read["items"]
    assert [one["name"] for one in head["content"]["parameters"]] == [
        "Workspace",
        "TimeRange",
        "EightysixQuery",
    ]
    choices = json.loads(head["content"]["parameters"][2]["jsonData"])
    assert (
        [one["value"] for one in choices] == [BURST.id, CHAIN.id, HUNT.id] == [one["name"] for one in groups]
    )
    for group in groups:
        assert group["conditionalVisibility"] == {
            "parameterName": "EightysixQuery",
            "comparison": "isEqualTo",
            "value": group["name"],
        }


@pytest.mark.tier("node")
def test_queries_bind_with_the_values_that_stand_in_the_boxes(binder: Binder) -> None:
    _head, *groups = workbook(binder)["items"]
    for group in groups:
        items = group["content"]["items"]
        text = items[-1]["content"]["query"]
        boxes = items[1]["content"]["parameters"] if len(items) == 3 else []
        for box in boxes:
            assert text.count("{" + box["name"] + "}") == 1
            text = text.replace("{" + box["name"] + "}", box["value"])
        assert binder.bind(text, Environment.LOG_ANALYTICS).ok


@pytest.mark.tier("node")
def test_values_of_a_query_are_asked_for(binder: Binder) -> None:
    group = workbook(binder)["items"][2]
    asked = group["content"]["items"][1]["content"]["parameters"]
    assert [(one["name"], one["label"], one["value"]) for one in asked] == [
        ("Eightysix_install_then_metadata_window", "window", "86s")
    ]
    assert group["content"]["items"][2]["content"]["query"].startswith(
        "let window = {Eightysix_install_then_metadata_window};\n"
    )


@given(st.one_of(st.sampled_from(HOSTILE), st.text()))
def test_text_is_text_in_markdown(text: str) -> None:
    written = markdown(text)
    assert html.unescape(written) == html.unescape(text) or html.unescape(written) == text
    assert not set("<>{}[]()*_`|!~$\\\"'") & set(written)


@pytest.mark.tier("node")
@pytest.mark.parametrize("title", HOSTILE, ids=range(len(HOSTILE)))
def test_no_title_is_replaced_or_run(title: str, binder: Binder) -> None:
    query = msgspec.structs.replace(
        CHAIN, title=title, question=title, volume=title, next=(title,), parameters={"window": title}
    )
    data = publish([query], "workbook", binder).files["eightysix.workbook.json"]
    group = json.loads(data)["items"][1]
    about, _values, rows = group["content"]["items"]
    assert "{" not in about["content"]["json"]
    assert "<" not in about["content"]["json"]
    assert "{" not in rows["content"]["title"]


@pytest.mark.tier("node")
def test_a_query_that_holds_a_parameter_of_ours_is_left_out(binder: Binder) -> None:
    query = msgspec.structs.replace(BURST, text=BURST.text + "| extend x = '{EightysixQuery}'")
    found = publish([query], "workbook", binder)
    assert not found.files
    assert [one.why for one in found.left_out] == ["it holds what a workbook would replace: {Eightysix"]
