"""Messages to people and machines: reviewed as whole texts, within every limit, and inert whatever an attacker wrote."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from itertools import cycle, pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from eightysix.model.incident import Incident
from eightysix.model.words import Verdict
from eightysix.report.brief import chat_safe
from eightysix.report.falco_alert import alert_line
from eightysix.report.incident_json import incident_line
from eightysix.report.ocsf import finding_line
from eightysix.report.sentinel import sentinel_row
from eightysix.report.slack import MAX_BLOCKS, MAX_HEADER, MAX_TEXT, slack_message
from eightysix.report.teams import MAX_BYTES, teams_message
from tests.report.hostile import assert_inert, hostile_text, poison
from tests.report.sample import breach, hostile_report

SNAPSHOTS = Path(__file__).parent / "snapshots"
SHAPES: dict[str, Callable[[Incident], str]] = {
    "falcosidekick": alert_line,
    "incidents": incident_line,
    "ocsf": finding_line,
    "sentinel": sentinel_row,
    "slack": slack_message,
    "teams": teams_message,
}
ACTING = [
    "<!channel> <!here> <@U012AB3CD> <#C0123|x> <https://evil.example|click>",
    "@here @channel @everyone @all (@admin",
    "&lt;!channel&gt; &amp;lt;!here&amp;gt;",
    "<at>Everyone</at> [click](https://evil.example) ![x](https://evil.example/x.png)",
    "*bold* _it_ ~no~ `code` ```block``` > quote\n# head\n- item\n1. one | a | b |",
    "{{DATE(2026-11-23T03:38:54Z)}} ${body.text} :rotating_light: <script>alert(1)</script>",
    "javascript://evil tel:1 https://evil.example http://evil.example",
]
chat_text = st.one_of(
    hostile_text,
    st.sampled_from(ACTING),
    st.text(st.sampled_from("<>&@!|[]()*_~`:{}$#/\\ ahn\n"), max_size=60),
)


def acting_incident() -> Incident:
    pool = cycle(ACTING)
    return poison(breach(), lambda: next(pool))


def check_snapshot(name: str, text: str) -> None:
    file = SNAPSHOTS / f"{name}.json"
    text = json.dumps(json.loads(text), indent=1, ensure_ascii=True, sort_keys=True) + "\n"
    if os.environ.get("EIGHTYSIX_UPDATE_SNAPSHOTS") == "1":
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("shape", SHAPES)
def test_the_whole_message(shape: str) -> None:
    text = SHAPES[shape](breach())
    check_snapshot(f"message-{shape}", text.replace('"version":"0.1.0"', '"version":"0"'))


@pytest.mark.parametrize("shape", ["falcosidekick", "slack", "teams"])
def test_the_whole_message_with_text_that_would_act(shape: str) -> None:
    check_snapshot(f"message-{shape}-hostile", SHAPES[shape](acting_incident()))


def texts(value: Any) -> Iterator[str]:
    """Every value of type text in a JSON document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def assert_quiet(text: str) -> None:
    """Nobody is mentioned, nothing is a link, a template or a tag, in any chat that reads text as Slack or Teams do."""
    for line in text.split("\n"):
        assert_inert(line)
    assert "://" not in text
    assert "](" not in text
    assert "{{" not in text
    assert "${" not in text
    for before, after in pairwise(text):
        assert after != "@" or (before.isalnum() and before.isascii()), text
    assert not text.startswith("@")


def assert_slack(text: str) -> None:
    message = json.loads(text)
    blocks = message["blocks"]
    assert len(blocks) <= MAX_BLOCKS
    assert (message["mrkdwn"], message["link_names"], message["unfurl_links"]) == (False, False, False)
    shown = [message["text"]]
    for block in blocks:
        for element in block.get("elements", [block.get("text")]):
            assert 1 <= len(element["text"]) <= (MAX_HEADER if block["type"] == "header" else MAX_TEXT)
            if element["type"] == "mrkdwn":
                assert element["text"].strip("*") in {
                    "What happened",
                    "Identities",
                    "Could not be seen",
                    "What to do next",
                }
                continue
            assert element["type"] == "plain_text"
            assert element["emoji"] is False
            shown.append(element["text"])
    for text in shown:
        assert "<" not in text
        assert ">" not in text
        for piece in text.split("&")[1:]:
            assert piece.startswith(("amp;", "lt;", "gt;"))
        assert_quiet(text)


def assert_teams(text: str) -> None:
    assert len(text.encode()) <= MAX_BYTES
    envelope = json.loads(text)
    (attachment,) = envelope["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert card["msteams"] == {"width": "Full"}  # no entities: nobody can be mentioned
    for block in card["body"]:
        assert block["type"] == "RichTextBlock"
        for run in block["inlines"]:
            assert run["type"] == "TextRun"
            assert "selectAction" not in run
            assert "<" not in run["text"]
            assert_quiet(run["text"])


def assert_falco(text: str) -> None:
    alert = json.loads(text)
    assert alert["priority"] in ("Critical", "Warning", "Notice")
    assert alert["rule"]
    assert alert["output_fields"]
    assert alert["time"][:4].isdigit()
    assert all(isinstance(value, str) for value in alert["output_fields"].values())
    for text in texts(alert):
        assert "<" not in text
        assert_quiet(text)


@pytest.mark.parametrize("make", [breach, acting_incident, lambda: hostile_report().incidents[0]])
def test_chats_get_nothing_that_acts(make: Callable[[], Incident]) -> None:
    assert_slack(slack_message(make()))
    assert_teams(teams_message(make()))
    assert_falco(alert_line(make()))


@settings(max_examples=12)
@given(st.data())
def test_no_text_in_any_field_acts_or_breaks_a_limit(data: st.DataObject) -> None:
    pool = cycle(data.draw(st.lists(chat_text, min_size=1, max_size=7)))
    incident = poison(breach(), lambda: next(pool))
    times = data.draw(st.sampled_from([1, 1, 3]))
    incident = replace(
        incident,
        verdict=data.draw(st.sampled_from(list(Verdict))),
        score=data.draw(st.integers(-(10**9), 10**9)),
        pod=data.draw(st.sampled_from([incident.pod, None])),
        stages=tuple(
            replace(step, offset_s=data.draw(st.floats(allow_nan=False, allow_infinity=False)))
            for step in incident.stages * times
        ),
        identities=incident.identities * times,
        gaps=incident.gaps * times,
        next_steps=incident.next_steps * times,
    )
    assert_slack(slack_message(incident))
    assert_teams(teams_message(incident))
    assert_falco(alert_line(incident))
    for shape in SHAPES.values():
        text = shape(incident)
        json.loads(text)
        assert text.isprintable()
        assert text == shape(incident)


@pytest.mark.parametrize("letter", ["\U0001f600", "&", "\x1b", '"'])
def test_the_longest_texts_keep_within_the_limits(letter: str) -> None:
    incident = poison(breach(), lambda: letter * 5_000)
    incident = replace(incident, stages=incident.stages * 40, gaps=(letter * 900,) * 300)
    assert_slack(slack_message(incident))
    assert_teams(teams_message(incident))
    assert_falco(alert_line(incident))


def test_a_digest_keeps_its_at() -> None:
    assert chat_safe("ml:prod@sha256:5e") == "ml:prod@sha256:5e"
    assert chat_safe("]@ {{{{{ ${{ ]://(") == "] (at) { { { { { $ { { ][:]//("
    assert chat_safe("@here é@here (@x) a@b @") == "(at)here é(at)here ((at)x) a@b (at)"


def test_an_incident_without_pod_or_times_is_told() -> None:
    incident = replace(breach(), pod=None, stages=(), t0="", identities=(), gaps=(), next_steps=(), why=())
    for shape in SHAPES.values():
        json.loads(shape(incident))
    assert_slack(slack_message(incident))
    assert json.loads(alert_line(incident))["time"] == "1970-01-01T00:00:00Z"
    assert json.loads(sentinel_row(incident))["TimeGenerated"] is None
