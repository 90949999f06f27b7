"""How a signer differs from those that are known."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.gate.drift import differences, nearest
from eightysix.gate.profiles import LEVELS, entry_id, level_of, profile_of
from eightysix.model.gate import BaselineEntry, BaselineState, DriftLevel
from tests.gate.signers import REPOSITORY, SCOPE, signed

KNOWN = profile_of(signed())


def entry(profile: dict[str, str], runs: int = 3, approved_by: str = "") -> BaselineEntry:
    return BaselineEntry(
        id=entry_id(SCOPE, "signature", profile),
        scope=SCOPE,
        of="signature",
        profile=profile,
        state=BaselineState.ACTIVE,
        runs=runs,
        approved_by=approved_by,
    )


@pytest.mark.parametrize(
    ("changes", "level", "fields"),
    [
        ({"issuer": "https://gitlab.com"}, DriftLevel.TRUST, ["issuer"]),
        ({"repository_id": "777"}, DriftLevel.OWNER, ["repository_id"]),
        ({"owner_id": ""}, DriftLevel.OWNER, ["owner_id"]),
        ({"workflow": f"{REPOSITORY}/.github/workflows/hotfix.yml"}, DriftLevel.WORKFLOW, ["workflow"]),
        ({"ref": "refs/heads/dev"}, DriftLevel.CONTEXT, ["ref"]),
        ({"ref": "refs/pull/9/merge"}, DriftLevel.CONTEXT, ["ref"]),
        ({"runner": "self-hosted"}, DriftLevel.CONTEXT, ["runner"]),
        ({"trigger": "workflow_dispatch"}, DriftLevel.CONTEXT, ["trigger"]),
        ({"environment": ""}, DriftLevel.CONTEXT, ["environment"]),
        ({"environment": "dev"}, DriftLevel.CONTEXT, ["environment"]),
        ({"visibility": "public"}, DriftLevel.CONTEXT, ["visibility"]),
        (
            {"runner": "self-hosted", "trigger": "workflow_dispatch"},
            DriftLevel.CONTEXT,
            ["runner", "trigger"],
        ),
    ],
)
def test_each_field_is_a_difference_at_its_level(
    changes: dict[str, Any], level: DriftLevel, fields: list[str]
) -> None:
    found = nearest(profile_of(signed(**changes)), [entry(KNOWN)])
    assert [drift.field for drift in found.drift] == fields
    assert found.deepest is level


def test_what_differs_in_every_run_is_none() -> None:
    again = signed(run=99, commit="f" * 40, builder_digest="e" * 40, config_digest="d" * 40)
    assert nearest(profile_of(again), [entry(KNOWN)]).drift == ()


def test_a_repository_that_was_renamed_is_the_same_by_its_number() -> None:
    new = "https://github.com/acme-ai/llm"
    renamed = signed(
        repository=new,
        owner="https://github.com/acme-ai",
        workflow=f"{new}/.github/workflows/release.yml",
        build_config=f"{new}/.github/workflows/release.yml@refs/heads/main",
        subject=f"{new}/.github/workflows/release.yml@refs/heads/main",
    )
    assert nearest(profile_of(renamed), [entry(KNOWN)]).drift == ()


def test_a_repository_made_anew_under_the_same_name_is_another() -> None:
    found = nearest(profile_of(signed(repository_id="999999")), [entry(KNOWN)])
    assert found.deepest is DriftLevel.OWNER
    assert found.drift[0].text == "repository's number was 1234 and is 999999"


def test_known_values_of_two_ways_of_signing_mixed_are_a_third() -> None:
    by_hand = profile_of(
        signed(workflow=f"{REPOSITORY}/.github/workflows/try.yml", runner="self-hosted", ref="refs/heads/dev")
    )
    mixed = profile_of(signed(runner="self-hosted"))
    found = nearest(mixed, [entry(KNOWN), entry(by_hand)])
    assert [drift.field for drift in found.drift] == ["runner"]


def test_a_field_that_authorities_tell_only_later_is_no_difference() -> None:
    early = {
        name: value for name, value in KNOWN.items() if name not in {"environment", "visibility", "owner_id"}
    }
    assert differences(KNOWN, early) == ()
    without_runner = {name: value for name, value in KNOWN.items() if name != "runner"}
    assert differences(KNOWN, without_runner) == ()
    assert differences(profile_of(signed(runner="self-hosted")), without_runner) != ()


def test_a_star_is_a_pattern_only_where_a_person_declared_it() -> None:
    declared = {**KNOWN, "ref": "refs/heads/release/*"}
    branch = profile_of(signed(ref="refs/heads/release/1.2"))
    assert nearest(branch, [entry(declared, approved_by="policy")]).drift == ()
    assert nearest(branch, [entry(declared)]).drift != ()
    for other in ("refs/heads/release/", "refs/heads/release", "refs/heads/release/../main"):
        assert nearest(profile_of(signed(ref=other)), [entry(declared, approved_by="policy")]).drift != ()


PROFILES = st.dictionaries(
    st.sampled_from([name for names in LEVELS.values() for name in names]),
    st.sampled_from(["", "a", "b", "self-hosted", "refs/heads/main", "refs/tags/*"]),
    max_size=6,
)


@given(
    PROFILES,
    st.lists(PROFILES, min_size=1, max_size=5, unique_by=lambda p: entry_id(SCOPE, "signature", p)),
    st.randoms(),
)
def test_the_nearest_does_not_depend_on_order(
    profile: dict[str, str], known: list[dict[str, str]], chance: object
) -> None:
    entries = [entry(each) for each in known]
    turned = list(entries)
    chance.shuffle(turned)  # type: ignore[attr-defined]
    assert nearest(profile, entries) == nearest(profile, turned)


@given(PROFILES)
def test_a_profile_agrees_with_itself_and_no_other_can_be_nearer(profile: dict[str, str]) -> None:
    assert nearest(profile, [entry(KNOWN), entry(profile)]).drift == ()


@given(PROFILES, PROFILES)
def test_every_difference_is_told_at_its_level(profile: dict[str, str], known: dict[str, str]) -> None:
    for drift in differences(profile, known):
        assert drift.level is level_of(drift.field)
        assert profile.get(drift.field, "") == drift.now != known.get(drift.field, "")
