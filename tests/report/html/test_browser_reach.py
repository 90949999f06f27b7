"""What a pod could reach, on the page: told where a posture was given, and not a word where none was."""

from __future__ import annotations

import pytest
from msgspec import structs

from eightysix.model.reach import Reach, ReachedIdentity, ReachWay
from eightysix.model.words import IdentityState
from tests.report.html.conftest import Open
from tests.report.html.sample import breach, reconstruction

pytestmark = pytest.mark.tier("chromium")

HOSTILE = "</script><img src=x onerror=alert(1)>\u202eevil"
REACH = Reach(
    workload="ml/StatefulSet/inference",
    matched_by="workload",
    taken_at="2026-11-23T19:55:38Z",
    age_s=10_800.0,
    density=2,
    domains=("cluster", "cloud"),
    risk=10.0,
    sinks=("sink:cluster-admin", "sink:ns-admin/ml"),
    ways=(
        ReachWay("sink:cluster-admin", ("Pod a has a token.", HOSTILE), 0.8),
        ReachWay("sink:ns-admin/ml", ("Pod a has a token.",), 1.0),
    ),
    identities=(
        ReachedIdentity("service-account", "ml/inference", IdentityState.USED, 1, 1),
        ReachedIdentity("service-account", HOSTILE, IdentityState.EXPOSED, 5, 2, unused=True, why="maybe"),
    ),
    unseen=2,
)


def test_a_story_with_a_reach_tells_it(opened: Open) -> None:
    page = opened(reconstruction(structs.replace(breach(), reach=REACH))).page
    told = " ".join(page.locator(".section.reach").inner_text().split())
    for text in (
        "Within its reach",
        "2 of 4: cluster, cloud",
        "about 3 hours after this began",
        "cluster-admin in 2 steps, probability 0.80",
        "all of namespace ml in 1 step",
        "ml/inference",
        "5 steps away, 2 roles, nobody uses it",
        "2 things the posture could not look at",
        "</script><img",
    ):
        assert text in told
    assert page.locator(".section.reach img").count() == 0
    assert "\u202e" not in told


def test_a_story_without_one_says_nothing_of_it(opened: Open) -> None:
    page = opened(reconstruction(breach())).page
    assert page.locator(".section.reach").count() == 0
