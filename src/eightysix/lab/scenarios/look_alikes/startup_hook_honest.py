"""A package whose .pth file is what it is for, and a batch job that takes its own token."""

from __future__ import annotations

from eightysix.lab.interface import Scenario, Stage
from eightysix.lab.scenarios.cast import honest, serve, server, update
from eightysix.lab.scenarios.labels import look_alike

__all__ = ["SCENARIO"]

_JOB = """\
import os
from azure.identity import ManagedIdentityCredential
c = ManagedIdentityCredential(client_id=os.environ["AZURE_CLIENT_ID"])
print(len(c.get_token("https://storage.azure.com/.default").token))
"""


def play(stage: Stage) -> None:
    """The server installs it, and runs its batch job."""
    hook = {"serving_trace.pth": "import serving_trace\n"}
    stage.publish(honest("serving-trace", "1.2.0", more=hook))
    serve(stage, server(files={"/app/batch.py": _JOB}))
    update(stage, "serving-trace", "serving_trace", reload=False)
    stage.call("/batch")


SCENARIO = Scenario(
    name="startup-hook-honest",
    title="Honest .pth file",
    label=look_alike(
        "startup-hook-honest",
        "The server installs serving-trace, whose .pth file imports it at every start. The batch job that "
        "follows takes a token with azure-identity.",
        twin="startup-hook",
        telling="the program that was started asks for the credential, the hook only imports its package",
    ),
    play=play,
)
