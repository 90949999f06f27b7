"""What was, in the plain format: apart from what is, inert, and within the width."""

from __future__ import annotations

from hypothesis import given, settings

from eightysix.model.posture import Confidence, Past, PastBinding, Path, Posture, Step
from eightysix.report.interface import RenderOptions
from eightysix.report.posture.json_format import FORMAT as JSON
from eightysix.report.posture.plain import FORMAT
from tests.posture.postures import postures

BINDING = PastBinding(
    "ClusterRoleBinding/glass",
    "ClusterRole/cluster-admin",
    ("ServiceAccount/ml/a", "ServiceAccount/ml/b", "User/c", "Group/d"),
    "2026-11-20T23:41:07.000000Z",
    "",
    3,
    "ops",
    Confidence.INFERRED,
)
STEP = Step("HOLDS", "a", "b", "It holds it.", (), Confidence.PROVED)
PATHS = tuple(
    Path(f"pod:ml/p{number}", "sink:node", (STEP,), 1.0, BINDING.since, "2026-11-20T23:52:22Z")
    for number in range(7)
)
POSTURE = Posture("aks", "", (), (), (), (), (), (), (), past=Past((BINDING,), (), PATHS))


def shown(posture: Posture, verbose: int = 0) -> str:
    return "".join(FORMAT.write(posture, RenderOptions(width=80, verbose=verbose)))


def test_the_whole_section() -> None:
    ways = "".join(
        f"  then  ml/p{number} reached root on a node from 2026-11-20T23:41:07Z until\n"
        "        2026-11-20T23:52:22Z, and does not now\n"
        for number in range(5)
    )
    assert shown(POSTURE).partition("WHAT WAS")[2] == (
        "  bindings that came and went; none of it is so now\n"
        "  gone  ClusterRoleBinding/glass\n"
        "        gave ClusterRole/cluster-admin to ServiceAccount/ml/a,\n"
        "        ServiceAccount/ml/b, User/c and 1 more\n"
        "        existed from 2026-11-20T23:41:07Z until nobody saw when, 3 times in all;\n"
        "        made by ops\n" + ways + "  … and 2 ways more (-v)\n\n"
    )
    assert shown(POSTURE, 1).count("  then  ") == 7


@settings(max_examples=30, deadline=None)
@given(postures())
def test_any_names_are_inert(posture: Posture) -> None:
    for text in (shown(posture, 1), "".join(JSON.write(posture, RenderOptions()))):
        assert not {"\x1b", "\u202e"} & set(text)
    assert all(len(line) <= 80 for line in shown(posture, 1).split("\n"))
