"""An agent on a node that asks for the node, its pods and its identity, again and again."""

from __future__ import annotations

from eightysix.lab.interface import PodSpec, Scenario, Stage
from eightysix.lab.scenarios.cast import app
from eightysix.lab.scenarios.labels import look_alike

__all__ = ["SCENARIO"]


def play(stage: Stage) -> None:
    """The same round every second, and after an hour still."""
    pod = PodSpec(
        name="node-agent-x7k2p",
        argv=("python", "/app/agent.py"),
        files={"/app/agent.py": app("agent.py")},
        port=0,
        workload="node-agent",
        workload_kind="DaemonSet",
        container="agent",
        labels={"app": "node-agent"},
    )
    stage.start(pod)
    stage.wait("metadata-token", count=3)
    stage.leap(3600.0)
    stage.wait("metadata-token", count=6)


SCENARIO = Scenario(
    name="node-agent",
    title="Node agent that polls",
    label=look_alike(
        "node-agent",
        "Every second the agent reads the node from the metadata service, lists its pods with the service "
        "account token, takes a token of the managed identity and asks Azure for its resource groups.",
        twin="slow",
        telling="nothing landed, and every round is like the first",
    ),
    play=play,
)
