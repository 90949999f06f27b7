"""A signer as a baseline keeps it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from eightysix.gate.profiles import LEVELS, MAX_VALUE, entry_id, of_signature, profile_of, ref_class, run_of
from eightysix.model.gate import Signature, SignatureKind, SignatureState, SigningMethod
from tests.gate.signers import RELEASE, attested, signed


def test_a_profile_has_what_stays_from_run_to_run() -> None:
    assert profile_of(signed(run=1)) == profile_of(signed(run=2))
    assert profile_of(signed()) == {
        "method": "keyless",
        "issuer": "https://token.actions.githubusercontent.com",
        "owner_id": "99",
        "repository_id": "1234",
        "owner": "https://github.com/acme",
        "repository": "https://github.com/acme/ml",
        "workflow": "./.github/workflows/release.yml",
        "build_config": "./.github/workflows/release.yml",
        "subject": "./.github/workflows/release.yml",
        "ref": "refs/heads/main",
        "runner": "github-hosted",
        "trigger": "push",
        "environment": "production",
        "visibility": "private",
    }


def test_every_field_of_a_profile_has_a_level() -> None:
    known = {name for names in LEVELS.values() for name in names}
    key = replace(RELEASE, method=SigningMethod.KEY)
    assert profile_of(attested()).keys() | profile_of(signed(key)).keys() <= known


def test_the_key_of_a_keyless_certificate_is_no_habit_and_a_lasting_key_is() -> None:
    assert "key" not in profile_of(signed())
    assert profile_of(signed(replace(RELEASE, method=SigningMethod.KEY)))["key"] == "aa" * 32


def test_a_workflow_of_another_repository_stays_whole() -> None:
    shared = "https://github.com/other/shared/.github/workflows/build.yml"
    assert profile_of(signed(workflow=shared))["workflow"] == shared
    beside = "https://github.com/acme/ml-evil/.github/workflows/release.yml"
    assert profile_of(signed(workflow=beside))["workflow"] == beside


def test_a_mail_address_keeps_its_at() -> None:
    assert profile_of(signed(subject="alice@example.com"))["subject"] == "alice@example.com"


def test_releases_and_pull_requests_are_one_class_and_a_branch_is_itself() -> None:
    assert ref_class("refs/tags/v1.2.3") == "refs/tags/*"
    assert ref_class("refs/pull/17/merge") == ref_class("refs/merge-requests/3/head") == "refs/pull/*"
    assert ref_class("refs/heads/hotfix") == "refs/heads/hotfix"


def test_long_values_that_differ_at_their_end_still_differ() -> None:
    one, two = (profile_of(signed(runner="r" * 5000 + end))["runner"] for end in "ab")
    assert one != two
    assert len(one) <= MAX_VALUE


def test_what_is_signed_decides_what_it_is_compared_with() -> None:
    assert of_signature(signed()) == "signature"
    assert of_signature(attested()) == "https://slsa.dev/provenance/v1"


def test_a_run_is_its_address_else_the_time_else_the_artifact() -> None:
    assert run_of(signed(run=7)).endswith("/actions/runs/7/attempts/1")
    assert run_of(replace(signed(run=7), signer=None)) == "at 7000000000"
    bare = Signature(kind=SignatureKind.RAW, state=SignatureState.VALID, subject="sha256:ab")
    assert run_of(bare) == "sha256:ab"


@given(
    st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=4),
    st.text(max_size=4),
    st.text(max_size=4),
)
def test_the_name_of_an_entry_does_not_depend_on_order_and_tells_entries_apart(
    profile: dict[str, str], scope: str, of: str
) -> None:
    turned = dict(reversed(profile.items()))
    assert entry_id(scope, of, profile) == entry_id(scope, of, turned)
    assert entry_id(scope, of, profile) != entry_id(scope + "x", of, profile)
    assert entry_id(scope, of, profile) != entry_id(scope, of, {**profile, "another": ""})
