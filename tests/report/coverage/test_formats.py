"""Coverage as people read it, reviewed as whole texts; EIGHTYSIX_UPDATE_SNAPSHOTS=1 writes them anew."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eightysix.context.shell import fold
from eightysix.model.visibility import Fix, Visibility
from eightysix.reconstruct.coverage import fixes
from eightysix.report.coverage.interface import FORMATS, get_coverage_format
from eightysix.report.coverage.markdown import escaped
from eightysix.report.inert import inert
from eightysix.report.interface import RenderOptions
from tests.report.coverage.sample import SOURCES, troubled, without
from tests.report.hostile import assert_inert, columns_of, hostile_text, poison

SNAPSHOTS = Path(__file__).parent / "snapshots"


def rendered(
    found: Visibility, name: str = "plain", *, width: int = 80, verbose: int = 0, colour: bool = False
) -> str:
    return "".join(get_coverage_format(name).write(found, RenderOptions(width, colour, verbose)))


def check(name: str, text: str) -> None:
    file = SNAPSHOTS / name
    if os.environ.get("EIGHTYSIX_UPDATE_SNAPSHOTS") == "1":
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("source", ["", *SOURCES])
def test_the_recorded_breach_without_one_source(source: str) -> None:
    check(f"recorded-without-{source or 'nothing'}.txt", rendered(without(source)))


@pytest.mark.parametrize(
    ("name", "form", "verbose"),
    [
        ("troubled.txt", "plain", 0),
        ("troubled-verbose.txt", "plain", 1),
        ("troubled.md", "markdown", 0),
        ("troubled.json", "json", 0),
    ],
)
def test_an_estate_with_trouble(name: str, form: str, verbose: int) -> None:
    check(name, rendered(troubled(), form, verbose=verbose))


@pytest.mark.parametrize("width", [66, 80, 100])
@pytest.mark.parametrize("verbose", [0, 1])
def test_no_line_is_wider_than_the_terminal(width: int, verbose: int) -> None:
    for found in (troubled(), *(without(source) for source in SOURCES)):
        for line in rendered(found, width=width, verbose=verbose).splitlines():
            assert columns_of(line) <= width or " " not in line.strip().rstrip("\\").strip(), line


def test_colour_is_all_that_colour_adds() -> None:
    text = rendered(troubled(), colour=True)
    for code in ("0", "1", "2", "1;31", "1;33", "1;34", "36"):
        text = text.replace(f"\x1b[{code}m", "")
    assert [line.rstrip() for line in text.splitlines()] == rendered(troubled()).splitlines()


def test_json_is_the_model_and_deterministic() -> None:
    text = rendered(troubled(), "json")
    assert text == rendered(troubled(), "json")
    assert msgspec.json.decode(text, type=Visibility) == troubled()
    assert json.loads(text)["schema"] == "eightysix/coverage/v1"


@settings(deadline=None, max_examples=5, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_hostile_text_is_inert_everywhere(data: st.DataObject) -> None:
    texts = iter(data.draw(st.lists(hostile_text, min_size=8, max_size=8)) * 10_000)
    poisoned = poison(without(), lambda: next(texts))
    for line in rendered(poisoned, verbose=1).split("\n"):
        assert_inert(line)
    for line in rendered(poisoned, "markdown").split("\n"):
        assert_inert(line)
    for line in rendered(poisoned, "json").split("\n"):
        assert all(character.isprintable() for character in line)


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "[x](https://evil.example)",
        "https://evil.example www.evil.example",
        "@everyone",
        "`code` | cell",
        "# head",
        "![x](y)",
        "a@b.example",
        "&lt;",
        "![](x)\n# y",
    ],
)
def test_markdown_shows_a_name_and_does_nothing_with_it(text: str) -> None:
    told = escaped(inert(text))
    assert "@" not in told
    assert "\n" not in told
    for character in "<>[]`|#*_!&" + (":." if "://" in text or "www." in text else ""):
        assert told.count(character) == told.count(f"\\{character}")


def all_fixes() -> Iterator[Fix]:
    yield from (
        fixes.tetragon(),
        fixes.connections(True),
        fixes.connections(False),
        fixes.files(True),
        fixes.files(False),
    )
    yield from (
        fixes.host_policy(),
        fixes.tetragon_values("x"),
        fixes.falco_drops(),
        fixes.look_at_node("n", falco=True),
    )
    yield from (
        fixes.look_at_node("n", falco=False),
        fixes.look_at_receiver("n"),
        fixes.own_audit(),
        fixes.names(),
    )
    yield fixes.sensor("ml", "inference", "StatefulSet", receiver=False)
    yield from (fixes.baseline(), fixes.ledger())
    yield from map(fixes.cloud, ("aks-audit", "sign-ins", "activity", "key-vault", "storage", "registry"))


@pytest.mark.parametrize("width", [40, 76, 200])
def test_a_folded_command_is_the_same_command(width: int) -> None:
    for fix in all_fixes():
        for command in (*fix.commands, *fix.instead):
            pasted = "\n".join(fold(command, width, json=True))

            def words(text: str) -> list[str]:
                return [" ".join(word.split()) for word in shlex.split(text.replace("\\\n", " "))]

            assert words(pasted) == words(command)


@given(hostile_text)
def test_no_name_from_telemetry_gets_into_a_command_unless_kubernetes_allows_it(name: str) -> None:
    told = fixes.command_name(name, "NODE")
    harmless = name.isascii() and name.replace("-", "").replace(".", "").isalnum() and name[0].isalnum()
    assert told == (name if harmless and len(name) <= 253 else '"$NODE"')
    assert shlex.split(f"kubectl get node {told}")[-1] == told.strip('"')


@given(hostile_text)
def test_every_command_is_made_of_such_names(name: str) -> None:
    hostile = [fixes.sensor(name, name, name, receiver=True), fixes.look_at_node(name, falco=False)]
    plain = [fixes.sensor("", "", "", receiver=True), fixes.look_at_node("", falco=False)]
    if '"$' in fixes.command_name(name, "NODE"):
        assert hostile == plain


def test_every_format_is_there() -> None:
    assert set(FORMATS) == {"plain", "json", "markdown"}
