"""Exceptions: when they apply, how strictly their files are read, and that a proposal reads back as it was meant."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from eightysix.detect.exceptions import ANY_RULE, Destination, ExceptionRule, IncidentFacts, Place
from eightysix.model.errors import EightysixError, UsageError
from eightysix.model.event import Artifact
from eightysix.model.words import Verdict
from eightysix.rules.exceptions import load_exceptions, parse_exception, propose
from eightysix.rules.yamlfile import RuleFileError

TEXT = """\
name: nightly-reinstall
rule: poisoned-install
workload: ml/train
artifact: pypi:azure-identity==1.17.1
destination: mirror.example.org:443
created: 2026-11-01
expires: 2026-12-01
reason: the image reinstalls it at night
author: platform team
"""
FACTS = IncidentFacts(
    rule="poisoned-install",
    verdict=Verdict.SUSPECT,
    workload="ml/train",
    artifacts=(Artifact("pypi", "Azure_Identity", "1.17.1"),),
    destinations=(Destination("192.0.2.7", "Mirror.example.org.", 443),),
)


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


NOW = ns("2026-11-20T12:00:00")


def read(text: str = TEXT) -> ExceptionRule:
    return parse_exception(text.encode(), "one.exception.yml", ["poisoned-install", "startup-hook"])


def faults(text: str) -> list[str]:
    with pytest.raises(RuleFileError) as caught:
        read(text)
    return [str(fault) for _, fault in caught.value.faults]


class TestApplies:
    def test_to_the_incident_that_it_names(self) -> None:
        assert read().applies(FACTS, NOW)

    def test_any_rule(self) -> None:
        other = msgspec.structs.replace(FACTS, rule="credential-sweep")
        assert not read().applies(other, NOW)
        assert read(TEXT.replace("rule: poisoned-install", f"rule: {ANY_RULE}")).applies(other, NOW)

    def test_never_to_contain(self) -> None:
        assert not read().applies(msgspec.structs.replace(FACTS, verdict=Verdict.CONTAIN), NOW)

    @pytest.mark.parametrize("workload", ["ml/serve", "prod/train", "train", ""])
    def test_only_to_its_workload(self, workload: str) -> None:
        assert not read().applies(msgspec.structs.replace(FACTS, workload=workload), NOW)

    def test_not_when_anything_else_landed(self) -> None:
        more = (*FACTS.artifacts, Artifact("pypi", "evil", "1.0"))
        assert not read().applies(msgspec.structs.replace(FACTS, artifacts=more), NOW)
        assert not read().applies(msgspec.structs.replace(FACTS, artifacts=()), NOW)

    @pytest.mark.parametrize("version", ["1.17.2", "", "1.17.10"])
    def test_not_to_another_version(self, version: str) -> None:
        other = (Artifact("pypi", "azure-identity", version),)
        assert not read().applies(msgspec.structs.replace(FACTS, artifacts=other), NOW)

    def test_without_a_version_only_where_none_is_told(self) -> None:
        exception = read(TEXT.replace("==1.17.1", ""))
        untold = (Artifact("pypi", "azure-identity"),)
        assert exception.applies(msgspec.structs.replace(FACTS, artifacts=untold), NOW)
        assert not exception.applies(FACTS, NOW)

    def test_not_when_it_goes_anywhere_else(self) -> None:
        more = (*FACTS.destinations, Destination("198.51.100.1", "", 443))
        assert not read().applies(msgspec.structs.replace(FACTS, destinations=more), NOW)
        assert not read().applies(msgspec.structs.replace(FACTS, destinations=()), NOW)

    def test_only_between_its_dates(self) -> None:
        exception = read()
        times = ("2026-10-30T23:59:59", "2026-10-31T00:00:00", "2026-12-01T23:59:59", "2026-12-02T00:00:00")
        assert [exception.applies(FACTS, ns(text)) for text in times] == [False, True, True, False]

    def test_one_that_names_neither_artifact_nor_destination_applies_to_nothing(self) -> None:
        assert not msgspec.structs.replace(read(), artifacts=(), destinations=()).applies(FACTS, NOW)


@pytest.mark.parametrize(
    ("place", "destination", "expected"),
    [
        (Place("192.0.2.7", 443), Destination("192.0.2.7", "", 443), True),
        (Place("192.0.2.7"), Destination("::ffff:192.0.2.7", "", 80), True),
        (Place("192.0.2.7", 443), Destination("192.0.2.7", "", 80), False),
        (Place("FD00::1"), Destination("fd00:0::1", "", 80), True),
        (Place("example.org"), Destination("192.0.2.7", "EXAMPLE.org", 80), True),
        (Place("example.org"), Destination("192.0.2.7", "evil.example.org", 80), False),
        (Place("192.0.2.7"), Destination("", "192.0.2.7", 80), False),
        (Place(""), Destination("", "", 0), False),
    ],
)
def test_places(place: Place, destination: Destination, expected: bool) -> None:
    assert place.covers(destination) is expected


class TestReading:
    def test_everything_is_read(self) -> None:
        assert read() == ExceptionRule(
            name="nightly-reinstall",
            rule="poisoned-install",
            workload="ml/train",
            created=date(2026, 11, 1),
            expires=date(2026, 12, 1),
            reason="the image reinstalls it at night",
            author="platform team",
            artifacts=(Artifact("pypi", "azure-identity", "1.17.1"),),
            destinations=(Place("mirror.example.org", 443),),
            origin="one.exception.yml",
        )

    @pytest.mark.parametrize(
        ("text", "artifact"),
        [
            ("pypi:name", Artifact("pypi", "name")),
            ("npm:'@scope/name@1.0.0'", None),
            ("npm:@scope/name@1.0.0", Artifact("npm", "@scope/name", "1.0.0")),
            ("npm:@scope/name", Artifact("npm", "@scope/name")),
            ("oci:registry:5000/a/b@sha256:00ff", Artifact("oci", "registry:5000/a/b", "sha256:00ff")),
            ("model:org/name", Artifact("model", "org/name")),
            ("pypi:name>=1.0", None),
            ("pypi:name==1.*", None),
            ("pypi:*", None),
            ("pypi:==1.0", None),
            ("pypi:name==", None),
            ("pipy:name==1.0", None),
            ("name", None),
            ("pypi:", None),
        ],
    )
    def test_artifacts(self, text: str, artifact: Artifact | None) -> None:
        written = TEXT.replace("pypi:azure-identity==1.17.1", '"' + text + '"')
        if artifact is None:
            assert faults(written)[0].startswith(f"line 4, column 11: artifact cannot be {text!r}")
        else:
            assert read(written).artifacts == (artifact,)

    @pytest.mark.parametrize(
        ("text", "place"),
        [
            ("example.org", Place("example.org")),
            ("192.0.2.1:8443", Place("192.0.2.1", 8443)),
            ("fd00::1", Place("fd00::1")),
            ("[fd00::1]:443", Place("fd00::1", 443)),
            ("[fd00::1", None),
            ("[fd00::1]443", None),
            ("example.org:", None),
            ("example.org:99999", None),
            ("*.example.org", None),
            ("10.0.0.0/8", None),
            ("https://example.org", None),
            ("::g", None),
        ],
    )
    def test_destinations(self, text: str, place: Place | None) -> None:
        written = TEXT.replace("mirror.example.org:443", f"'{text}'")
        if place is None:
            assert faults(written)[0].startswith(f"line 5, column 14: destination cannot be {text!r}")
        else:
            assert read(written).destinations == (place,)

    def test_lists_of_both(self) -> None:
        text = TEXT.replace("pypi:azure-identity==1.17.1", "[pypi:a==1, 'pypi:b==2']").replace(
            "mirror.example.org:443", "[a.example, b.example]"
        )
        assert [str(one) for one in read(text).artifacts] == ["a==1", "b==2"]
        assert [str(one) for one in read(text).destinations] == ["a.example", "b.example"]

    @pytest.mark.parametrize(
        ("old", "new", "fault"),
        [
            ("workload: ml/train\n", "", "line 1, column 1: an exception lacks the key 'workload'"),
            ("expires: 2026-12-01\n", "", "line 1, column 1: an exception lacks the key 'expires'"),
            (
                "expires: 2026-12-01",
                "expires: never",
                "line 7, column 10: expires is a date; write it like 2026-11-23",
            ),
            (
                "expires: 2026-12-01",
                "expires: 2027-11-02",
                "line 7, column 10: expires is 1 to 365 days after created; look at it again then",
            ),
            (
                "expires: 2026-12-01",
                "expires: 2026-11-01",
                "line 7, column 10: expires is 1 to 365 days after created; look at it again then",
            ),
            (
                "workload: ml/train",
                "workload: ml/*",
                "line 3, column 11: workload cannot be 'ml/*'; write it as namespace/workload, without wildcards",
            ),
            (
                "workload: ml/train",
                "workload: train",
                "line 3, column 11: workload cannot be 'train'; write it as namespace/workload, without wildcards",
            ),
            (
                "rule: poisoned-install",
                "rule: poisoned-instal",
                "line 2, column 7: there is no rule 'poisoned-instal'; did you mean 'poisoned-install'?",
            ),
            (
                "author: platform team",
                "autor: platform team",
                "line 9, column 1: unknown key 'autor'; did you mean 'author'?",
            ),
            ("reason: the image reinstalls it at night", "reason: ''", "line 8, column 9: reason is empty"),
        ],
    )
    def test_errors_have_their_place_and_the_nearest_word(self, old: str, new: str, fault: str) -> None:
        assert fault in faults(TEXT.replace(old, new))

    def test_a_whole_workload_cannot_be_excepted(self) -> None:
        text = TEXT.replace("artifact: pypi:azure-identity==1.17.1\n", "").replace(
            "destination: mirror.example.org:443\n", ""
        )
        assert faults(text)[0].startswith("line 1, column 1: an exception has artifact, destination or both")

    @given(st.text(alphabet="abiknst:-[]{}'\"|>&*!#, \n\t0", max_size=80))
    def test_arbitrary_yaml_tells_an_error(self, text: str) -> None:
        assert faults(text)


class TestFolder:
    def test_exceptions_of_the_folder_and_of_rule_folders(self, tmp_path: Path) -> None:
        (tmp_path / "b.exception.yml").write_text(TEXT)
        (tmp_path / "rule").mkdir()
        (tmp_path / "rule" / "a.exception.yml").write_text(TEXT.replace("nightly", "daily"))
        (tmp_path / "..data").mkdir()
        (tmp_path / "..data" / "a.exception.yml").write_text("not read")
        (tmp_path / "rule.yml").write_text("not read")
        assert [one.name for one in load_exceptions(tmp_path)] == ["daily-reinstall", "nightly-reinstall"]

    def test_a_name_stands_once_and_all_errors_are_told(self, tmp_path: Path) -> None:
        (tmp_path / "a.exception.yml").write_text(TEXT)
        (tmp_path / "b.exception.yml").write_text(TEXT)
        (tmp_path / "c.exception.yml").write_text("x")
        with pytest.raises(RuleFileError) as caught:
            load_exceptions(tmp_path)
        assert [Path(one.file).name for one in caught.value.errors] == ["b.exception.yml", "c.exception.yml"]


class TestPropose:
    def test_the_text(self) -> None:
        text = propose(
            FACTS, name="seen", reason="known: the nightly job", author="me", today=date(2026, 11, 20)
        )
        assert text == (
            "name: seen\nrule: poisoned-install\nworkload: ml/train\nartifact: pypi:Azure_Identity==1.17.1\n"
            "destination: Mirror.example.org:443\ncreated: '2026-11-20'\nexpires: '2026-12-20'\n"
            "reason: 'known: the nightly job'\nauthor: me\n"
        )
        assert read(text).applies(FACTS, NOW)

    @pytest.mark.parametrize(
        ("change", "what"),
        [
            ({"verdict": Verdict.CONTAIN}, "no exception can silence 'contain'"),
            ({"workload": ""}, "the workload of the incident is not known"),
            (
                {"artifacts": (), "destinations": ()},
                "nothing landed and nothing was contacted in this incident",
            ),
            ({"artifacts": (Artifact("pypi", "evil\nrule: any", "1"),)}, "no exception can be written for"),
            ({"artifacts": (Artifact("pypi", "a==1", "2"),)}, "no exception can be written for"),
            ({"artifacts": (Artifact("oci", "a@b", ""),)}, "no exception can be written for"),
            ({"destinations": (Destination("", "x y: {", 1),)}, "no exception can be written for"),
            ({"destinations": (Destination(),)}, "no exception can be written for"),
            (
                {"artifacts": tuple(Artifact("pypi", f"p{n}", "1") for n in range(65))},
                "more than 64 artifacts",
            ),
        ],
    )
    def test_what_cannot_be_excepted(self, change: dict[str, object], what: str) -> None:
        with pytest.raises(UsageError) as caught:
            propose(
                msgspec.structs.replace(FACTS, **change),
                name="x",
                reason="r",
                author="a",
                today=date(2026, 11, 20),
            )
        assert caught.value.what.startswith(what)

    @pytest.mark.parametrize(
        "options",
        [
            {"days": 0},
            {"days": 366},
            {"name": "A b"},
            {"name": ""},
            {"reason": "  "},
            {"author": ""},
            {"reason": "\u202e"},
        ],
    )
    def test_wrong_options_are_told(self, options: dict[str, object]) -> None:
        given_options: dict[str, object] = {
            "name": "x",
            "reason": "r",
            "author": "a",
            "today": date(2026, 11, 20),
            **options,
        }
        with pytest.raises(EightysixError):
            propose(FACTS, **given_options)  # type: ignore[arg-type]


NAMES = st.text(alphabet="ab@=:/-_. \n'\"#{}[]\u202e\x1b9", max_size=8)


@given(
    st.lists(
        st.builds(Artifact, st.sampled_from(["pypi", "npm", "oci", "strange"]), NAMES, NAMES), max_size=3
    ),
    st.lists(
        st.builds(
            Destination,
            st.sampled_from(["", "192.0.2.1", "fd00::1", "junk"]),
            NAMES,
            st.sampled_from([0, 443]),
        ),
        max_size=3,
    ),
    st.text(max_size=10),
)
def test_a_proposal_reads_back_and_covers_its_incident_or_is_refused(
    artifacts: list[Artifact], destinations: list[Destination], reason: str
) -> None:
    facts = IncidentFacts("startup-hook", Verdict.SUSPECT, "ml/train", tuple(artifacts), tuple(destinations))
    today = date(2026, 11, 20)
    try:
        text = propose(facts, name="x", reason=reason, author="a", today=today, days=7)
    except EightysixError:
        return
    exception = read(text)
    assert exception.applies(facts, NOW)
    assert exception.reason == reason.strip()
    assert exception.expires == today + timedelta(days=7)
    assert set(yaml.safe_load(text)) <= {
        "name",
        "rule",
        "workload",
        "artifact",
        "destination",
        "created",
        "expires",
        "reason",
        "author",
    }
    stranger = msgspec.structs.replace(facts, artifacts=(*facts.artifacts, Artifact("pypi", "stranger", "1")))
    assert not exception.applies(stranger, NOW) or not artifacts
