"""The posture of the written example, as its files tell it, and as a format writes it."""

from __future__ import annotations

from pathlib import Path

from eightysix.model.posture import Posture
from eightysix.posture.identities import Use
from eightysix.posture.judge import judge
from eightysix.posture.reading import SnapshotBuilder
from eightysix.report.interface import RenderOptions
from eightysix.report.posture.interface import get_posture_format

__all__ = ["EXAMPLE", "example", "rendered"]

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "posture"


def example(cloud: bool = True, used: bool = True) -> Posture:
    """With or without the cloud, and with or without records of what was used."""
    builder = SnapshotBuilder("aks", "2026-11-23T12:00:00Z", "1.34")
    builder.take_yaml((EXAMPLE / "cluster.yaml").read_bytes(), "cluster.yaml")
    if cloud:
        builder.take((EXAMPLE / "cloud.json").read_bytes().replace(b"\n", b" "), "cloud.json")
    uses = (
        [Use(("system:serviceaccount:ml:trainer",), "2026-11-23T03:00:05Z", "ml/retrain-29391234-x")]
        if used
        else []
    )
    since = "2026-09-01T00:00:00Z" if used else ""
    return judge(
        builder.snapshot(),
        uses=uses,
        cloud_since=since,
        cluster_since=since,
        cuts=True,
        places=builder.places,
    )


def rendered(
    posture: Posture, width: int = 80, verbose: int = 0, colour: bool = False, name: str = "plain"
) -> str:
    """As the format called `name` writes it."""
    return "".join(get_posture_format(name).write(posture, RenderOptions(width, colour, verbose)))
