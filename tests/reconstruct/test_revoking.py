"""What can still be taken back: every kind has an answer, times are the latest, and nothing is claimed without a source."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.context import credentials
from eightysix.reconstruct.revoking import KINDS, revocation
from eightysix.report.inert import LIMIT

TAKEN = "2026-11-23T16:56:16.501295Z"

WRITTEN_BY_INCIDENTS = frozenset(
    "managed-identity service-account secret secret-volume environment made-pod node file".split()
)
"""Kinds that `detect.wording` and `detect.blast` tell beside those of files."""


def kinds_of_files() -> set[str]:
    """Every kind of the table of credential files."""
    heads = [line for line in credentials._TABLE.strip().splitlines() if not line.startswith(" ")]
    return {line.partition(" | ")[0].split(" ")[1] for line in heads}


def test_every_kind_that_an_incident_can_tell_is_known() -> None:
    assert kinds_of_files() | WRITTEN_BY_INCIDENTS <= set(KINDS)


@pytest.mark.parametrize(
    ("kind", "until"),
    [
        ("managed-identity", "2026-11-24T16:56:17Z"),
        ("federated-token", "2026-11-25T20:56:17Z"),
        ("service-account", "2027-11-23T16:56:17Z"),
        ("access-token", "2026-11-24T20:56:17Z"),
        ("acr-refresh-token", "2026-11-23T19:56:17Z"),
        ("acr-access-token", "2026-11-23T18:11:17Z"),
        ("service-principal", ""),
        ("secret", ""),
        ("environment", ""),
        ("ssh-key", ""),
    ],
)
def test_the_last_token_runs_out(kind: str, until: str) -> None:
    assert revocation(kind, taken_at=TAKEN).until == until


@pytest.mark.parametrize(
    ("possible", "kinds"),
    [
        (
            False,
            "managed-identity federated-identity workload-identity federated-token access-token acr-refresh-token",
        ),
        (True, "service-account made-pod service-principal vault-token ssh-key aws-credentials-file"),
        (None, "secret secret-volume environment node kubeconfig docker-config netrc file no-such-kind"),
    ],
)
def test_whether_tokens_can_be_taken_back(possible: bool | None, kinds: str) -> None:
    assert {kind: revocation(kind, taken_at="").possible for kind in kinds.split()} == dict.fromkeys(
        kinds.split(), possible
    )


def test_a_managed_identity_is_cut_by_its_roles() -> None:
    told = revocation("managed-identity", taken_at=TAKEN)
    assert "cannot be revoked" in told.how
    assert "role assignments" in told.how


def test_a_record_that_tells_the_end_counts_more_than_the_longest() -> None:
    told = revocation("managed-identity", taken_at=TAKEN, expires_at="2026-11-23T17:30:00Z")
    assert told.until == "2026-11-23T17:30:00Z"
    assert (
        revocation("secret", taken_at="", expires_at="2026-11-23T17:30:00+01:00").until
        == "2026-11-23T16:30:00Z"
    )


def test_a_bound_token_names_its_pod() -> None:
    told = revocation("service-account", taken_at=TAKEN, bound_pod="ml/inference-0")
    assert told.how.startswith("Bound to pod ml/inference-0: deleting it, after")
    assert "Bound to" not in revocation("secret", taken_at=TAKEN, bound_pod="ml/inference-0").how


@given(st.sampled_from(KINDS) | st.text(), st.text(), st.text(), st.text())
def test_no_text_makes_it_fail(kind: str, taken_at: str, bound_pod: str, expires_at: str) -> None:
    told = revocation(kind, taken_at=taken_at, bound_pod=bound_pod, expires_at=expires_at)
    assert told.how
    assert not told.until or told.until.endswith("Z")


@pytest.mark.parametrize("taken_at", ["2261-12-31T23:59:59Z", "1970-01-01T00:00:00Z", "2026-11-23", "", "\0"])
def test_times_at_the_edges(taken_at: str) -> None:
    assert isinstance(revocation("service-account", taken_at=taken_at).until, str)


def test_a_terminal_leaves_nothing_out() -> None:
    for kind in KINDS:
        assert (
            len(revocation(kind, taken_at="", bound_pod="production/inference-server-6d5f8b7c9d-x2k8z").how)
            <= LIMIT
        )


def test_each_answer_has_a_source_or_is_none() -> None:
    for kind in KINDS:
        told = revocation(kind, taken_at=TAKEN)
        if told.source:
            assert urlsplit(told.source).scheme == "https"
        else:
            assert told.possible is None
        if told.until:
            assert urlsplit(told.source).hostname


def test_the_table_of_the_docs_is_this_one(root: Path) -> None:
    text = (root / "docs/rotation.md").read_text()
    for kind in KINDS:
        told = revocation(kind, taken_at=TAKEN)
        (row,) = [
            line for line in text.splitlines() if line.startswith("| ") and f"`{kind}`" in line.split("|")[1]
        ]
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[1] == {True: "yes", False: "**no**", None: "it depends"}[told.possible], kind
        assert (told.source in cells[3]) if told.source else cells[3] == "", kind
        assert (cells[2] != "") == bool(told.until), kind
