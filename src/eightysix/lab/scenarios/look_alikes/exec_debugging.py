"""Somebody debugs a pod with kubectl exec: installs a package, and looks at tokens and secrets."""

from __future__ import annotations

from eightysix.lab.interface import Scenario, Stage
from eightysix.lab.scenarios.cast import honest, serve, server
from eightysix.lab.scenarios.labels import look_alike

__all__ = ["SCENARIO"]

_LOOK = """\
import os, ssl, urllib.request
from azure.identity import ManagedIdentityCredential
c = ManagedIdentityCredential(client_id=os.environ["AZURE_CLIENT_ID"])
print(len(c.get_token("https://management.azure.com/.default").token))
f = "/var/run/secrets/kubernetes.io/serviceaccount/"
h = {"Authorization": "Bearer " + open(f + "token").read().strip()}
u = "https://kubernetes.default.svc/api/v1/namespaces/ml/configmaps/inference-settings"
print(urllib.request.urlopen(urllib.request.Request(u, headers=h),
    context=ssl.create_default_context(cafile=f + "ca.crt"), timeout=10).status)
"""


def play(stage: Stage) -> None:
    """Four commands of one person."""
    stage.publish(honest("debug-tools", "2.0.0"))
    serve(stage, server())
    stage.exec("pip", "install", "--quiet", "debug-tools")
    stage.exec("python", "-c", "import debug_tools; print(debug_tools.tune(1))")
    stage.exec("python", "-c", _LOOK, check=False)
    stage.exec("cat", "/var/run/secrets/kubernetes.io/serviceaccount/namespace")


SCENARIO = Scenario(
    name="exec-debugging",
    title="Debugging by kubectl exec",
    label=look_alike(
        "exec-debugging",
        "A person installs debug-tools with kubectl exec, takes a token with azure-identity to see whether it"
        " works, and asks the API server for the settings.",
        twin="in-subprocess",
        telling="an operator's exec stands at the root of all of it, and the audit log names who",
    ),
    play=play,
)
