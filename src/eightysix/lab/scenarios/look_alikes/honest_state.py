"""An agent that goes on from its saved states, over and over."""

from __future__ import annotations

from eightysix.lab.interface import Scenario, Stage
from eightysix.lab.scenarios.cast import app, serve, server
from eightysix.lab.scenarios.labels import look_alike
from eightysix.lab.scenarios.states import state
from eightysix.lab.world import PUSH_SECRET

__all__ = ["SCENARIO"]


def play(stage: Stage) -> None:
    """Messages and the client as LangChain wrote them."""
    files = {"/app/agentapp/__init__.py": "", "/app/agentapp/model.py": app("agentapp/model.py")}
    serve(
        stage,
        server(
            venv="langchain",
            files=files,
            env={"AZURE_CLIENT_SECRET": PUSH_SECRET, "MODEL_API_KEY": "lab-key"},
        ),
    )
    for _ in range(3):
        stage.call("/state", body=state("local:", "MODEL_API_KEY"))
    stage.call("/token?fresh=true")


SCENARIO = Scenario(
    name="honest-state",
    title="Agent that goes on from saved states",
    label=look_alike(
        "honest-state",
        "langchain-core revives messages and the agent's client with its own key; then the application takes "
        "its token.",
        twin="langchain-state",
        before="leap",
        telling="the revived client gets the key that it was saved with, and goes where it always goes",
    ),
    play=play,
)
