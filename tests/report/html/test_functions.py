"""Functions of the page beside their counterparts: what is inert, what a literal of Kusto holds, how times are told."""

from __future__ import annotations

import json
import subprocess
import unicodedata
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eightysix.cli.main import main
from eightysix.hunt.binder import Binder
from eightysix.hunt.binder import parser as kusto_parser
from eightysix.hunt.lexer import tokens
from eightysix.lab import recorded
from eightysix.model.story import Mark, Reconstruction, Story
from eightysix.model.table import Environment
from eightysix.report.inert import inert
from tests.report.hostile import hostile_text, poison
from tests.report.html.conftest import Call
from tests.report.html.sample import IDENTITIES, breach

pytestmark = pytest.mark.tier("node")
quick = settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

KUSTO = """
const path = require("path");
const library = path.join(process.argv[1], "node_modules", "@kusto", "language-service-next");
require(path.join(library, "bridge.min.js"));
require(path.join(library, "Kusto.Language.Bridge.min.js"));
const facts = globalThis.Kusto.Language.KustoFacts;
require("readline").createInterface({ input: process.stdin, terminal: false }).on("line", (line) =>
  console.log(JSON.stringify(facts.GetStringLiteralValue(JSON.parse(line)))));
"""
"""What Microsoft's own library says that a literal holds."""


def built(value: object) -> object:
    return msgspec.to_builtins(value)


def encodable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


@given(hostile_text.map(encodable))
@quick
def test_text_is_inert_as_elsewhere(call: Call, text: str) -> None:
    known = "".join(
        one for one in text if unicodedata.category(one) != "Cn"
    )  # Unicode of two programs, two ages
    assert call("inert", known, 100_000) == inert(known, 100_000)


def test_every_character_is_judged_as_elsewhere(call: Call) -> None:
    """All that Python knows, in one go: no hidden or reordering character is forgotten."""
    characters = [
        chr(code)
        for code in range(0x110000)
        if not 0xD800 <= code < 0xE000 and unicodedata.category(chr(code)) not in ("Cn", "Co")
    ]
    for start in range(0, len(characters), 20_000):
        part = "x".join(characters[start : start + 20_000])
        assert call("inert", f"a{part}a", 10**6) == inert(f"a{part}a", 10**6)


@given(st.text(st.characters(codec="utf-8"), max_size=3000), st.integers(10, 300))
@quick
def test_long_text_is_bounded(call: Call, text: str, limit: int) -> None:
    shown = call("inert", text, limit)
    escapes = shown.count("\\") * 9
    assert len(shown) <= 3 * limit + escapes


@given(hostile_text.map(encodable))
@quick
def test_a_literal_is_one_token_on_one_line(call: Call, text: str) -> None:
    literal = call("literal", text)
    (token,) = tokens(literal)
    assert (token.kind, token.text) == ("text", literal)
    hidden = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp", "Mn", "Me", "Mc")
    assert not [one for one in literal if unicodedata.category(one) in hidden]


@pytest.fixture(scope="module")
def kusto_values(binder: Binder) -> list[str]:
    """The command that asks Microsoft's library what a literal holds."""
    del binder  # its tier
    return ["node", "-e", KUSTO, str(kusto_parser.folder())]


def test_microsoft_reads_from_a_literal_what_was_put_in(call: Call, kusto_values: list[str]) -> None:
    texts: list[str] = []
    nasty = [
        '"',
        "\\",
        "'",
        "\n",
        "\r\n",
        "\t",
        '\\"',
        "\\\\",
        '\\"); evil',
        "@'x'",
        '@"x""',
        "h'x'",
        "```x```",
        "~~~",
    ]
    nasty += [
        "\x00\x1b\x7f\x9b",
        "\u2028\u2029\u202e\ufeff",
        "é漢🙂\U0001f1e9",
        "e\u0301\u0301\u0301",
        "\\u0041",
        "// c\n/* */",
        "",
    ]
    texts.extend(nasty)

    @given(st.text(st.characters(codec="utf-8"), max_size=60))
    @quick
    def more(text: str) -> None:
        texts.append(text)

    more()
    asked = "\n".join(msgspec.json.encode(call("literal", text)).decode() for text in texts)
    done = subprocess.run(kusto_values, input=asked, capture_output=True, text=True, check=True, timeout=120)
    assert [msgspec.json.decode(line) for line in done.stdout.strip("\n").split("\n")] == texts


def queries(call: Call, story: Story, mark: Mark) -> list[str]:
    records = built(story.records)
    found = call("forMark", keyed={"story": built(story), "mark": built(mark), "records": records})
    found += call("forStory", built(story))
    found += [query for one in story.identities for query in call("forIdentity", built(story), built(one))]
    found += [query for one in story.entities for query in call("forEntity", built(story), one.name)]
    return [query["text"] for query in found]


def test_queries_bind_in_sentinel(call: Call, binder: Binder) -> None:
    story = breach()
    told = {(one.lane, one.evidence[0].source): one for one in story.marks}
    texts = {text for mark in told.values() for text in queries(call, story, mark)}
    assert len(texts) > 25
    tables = ("EightySixEvents_CL", "AKSAudit", "AADManagedIdentitySignInLogs", "AzureActivity")
    assert all(any(table in text for text in texts) for table in tables)
    for text in sorted(texts):
        assert binder.bind(text, Environment.LOG_ANALYTICS).problems == (), text


HOSTILE = (
    '" or true //',
    "\\",
    '\\" | take 1 //',
    "'; drop",
    "\n| union AzureActivity\n",
    '@"x"" y',
    "```\n| project Secret",
    "\u202e\u2028",
    "ns/po/d",
    "/",
)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_text_of_telemetry_becomes_part_of_a_query(call: Call, binder: Binder, hostile: str) -> None:
    """With any text the query has the tokens that it has with a harmless one, and binds as that does."""

    def shape(text: str) -> list[tuple[str, str]]:
        return [(one.kind, "" if one.kind in ("text", "space") else one.text) for one in tokens(text)]

    def asked(word: str) -> list[str]:
        story: Story = poison(breach(), lambda: word)
        return queries(
            call, story, msgspec.structs.replace(story.marks[5], at=breach().marks[5].at, until="")
        )

    texts = asked(hostile)
    # A pod with a slash has a namespace before it: the same statement with one more literal.
    if "/" not in hostile:
        assert [shape(text) for text in texts] == [shape(text) for text in asked("plain")]
    assert len(set(texts)) > 3
    for text in set(texts):
        assert binder.bind(text, Environment.LOG_ANALYTICS).problems == (), text


def test_a_time_that_is_none_stays_out_of_a_query(call: Call) -> None:
    assert call("moment", "2026-11-23T16:55:38.532526Z") == "datetime(2026-11-23T16:55:38.532526Z)"
    assert call("moment", "2026-11-23T16:55:38.123456789Z") == "datetime(2026-11-23T16:55:38.1234567Z)"
    for other in ("", "now()", "2026-11-23", '2026-11-23T16:55:38Z") | take 1', "2026-11-23T16:55:38Z\n"):
        assert call("moment", other) is None


def test_identities_without_ids_are_asked_by_name(call: Call) -> None:
    story = breach()
    texts = [query["text"] for query in call("forIdentity", built(story), built(IDENTITIES[2]))]
    assert any(
        'ObjectNamespace == "ml" and (isempty(ObjectName) or ObjectName == "acr-push-sp")' in text
        for text in texts
    )


def test_copied_queries_find_what_they_are_about(
    call: Call, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """On a recorded run, through the engine of `hunt run`: the event itself, its pod, its identity's requests, its sign-in."""
    pytest.importorskip("duckdb_kql")
    run = str(Path(recorded.__file__).parent / "attack-86s")

    def ask(*arguments: str) -> str:
        main([*arguments, "--format", "json", "--quiet"])
        return capsys.readouterr().out

    (story,) = msgspec.json.decode(ask("reconstruct", run), type=Reconstruction).stories
    listed = next(one for one in story.marks if one.title == "secrets are listed")
    asked = {"story": built(story), "mark": built(listed), "records": built(story.records)}
    found = {query["name"]: query["text"] for query in call("forMark", keyed=asked)}
    for one in story.identities:
        found |= {
            f"{one.kind}: {each['name']}": each["text"]
            for each in call("forIdentity", built(story), built(one))
        }
    rows = {}
    for name in (
        *("This event", "In the audit log of AKS", "service-account: What this identity did since"),
        *(
            "service-account: In the audit log of AKS",
            "managed-identity: Its sign-ins",
            "secret: Who asked for it since",
        ),
    ):
        file = tmp_path / "query.kql"
        file.write_text(found[name])
        rows[name] = json.loads(ask("hunt", "run", str(file), run))["rows"]
    assert [one["Verb"] for one in rows["This event"]] == ["list"]
    assert [one["Verb"] for one in rows["In the audit log of AKS"]] == ["list"]
    assert [one["Verb"] for one in rows["service-account: What this identity did since"]] == ["list", "get"]
    assert "get" in {one["Verb"] for one in rows["service-account: In the audit log of AKS"]}
    assert rows["managed-identity: Its sign-ins"]
    assert rows["secret: Who asked for it since"]


@pytest.mark.parametrize(
    ("offset", "step", "told"),
    [
        (0, 0.1, "T+0.0 s"),
        (85.681, 0.1, "T+85.7 s"),
        (-31.2, 0.1, "T\u221231.2 s"),
        (412, 0.1, "T+6 min 52 s"),
        (3600, 1, "T+1 h"),
        (90061, 1, "T+1 d 1 h"),
        (0.0005, 0.0001, "T+0.0005 s"),
    ],
)
def test_offsets_are_told_for_people(call: Call, offset: float, step: float, told: str) -> None:
    assert call("since", offset, step) == told


def test_moments_keep_their_microseconds(call: Call) -> None:
    assert call("utc", "2026-11-23T16:55:38.532526Z") == "2026-11-23 16:55:38.533 UTC"
    assert call("clock", call("seconds", "2026-11-23T16:55:38.532526Z"), 0.000001) == "16:55:38.532526"
    assert call("clock", call("seconds", "2026-11-23T23:59:59.9999Z"), 0.001) == "00:00:00.000"
    assert call("utc", "<b>") == "<b>"


documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=12,
)


@given(documents, st.sampled_from([(",", ":"), (" , ", " :\n")]))
@quick
def test_a_record_is_laid_out_digit_by_digit(
    call: Call, document: object, separators: tuple[str, str]
) -> None:
    """As Python lays it out, integers of any size included: JavaScript's own numbers would change them."""
    text = json.dumps(document, separators=separators)
    assert call("laidOut", text) == json.dumps(document, indent=2)


def test_what_is_no_json_stays(call: Call) -> None:
    for text in ("", "{", "16:55:38 Notice x", '{"a": 1} b'):
        assert call("laidOut", text) == text


def test_copied_records_are_the_same_json_without_what_acts_on_a_terminal(call: Call) -> None:
    text = '{"a": "x\x9b\u202e\u2028é\U000e0041 \U0001f642"}'
    copied = call("harmlessJson", text)
    assert msgspec.json.decode(copied) == msgspec.json.decode(text)
    assert not set(copied) & set("\x9b\u202e\u2028\U000e0041")
