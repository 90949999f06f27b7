"""A notebook that upgrades azure-identity under itself, then works with both of its identities."""

from __future__ import annotations

from eightysix.lab.interface import PodSpec, Scenario, Stage
from eightysix.lab.scenarios import starting
from eightysix.lab.scenarios.cast import DAY_OF_WORK_S, app
from eightysix.lab.scenarios.labels import look_alike

__all__ = ["SCENARIO"]

_INSTALL = "install -q -U --force-reinstall --no-deps azure-identity"
_CELLS = (
    f"import subprocess, sys\nsubprocess.run([sys.executable, '-m', 'pip', *{_INSTALL!r}.split()], check=True)",
    (
        "import os\nfrom azure.identity import ManagedIdentityCredential\n"
        "c = ManagedIdentityCredential(client_id=os.environ['AZURE_CLIENT_ID'])\n"
        "t = c.get_token('https://storage.azure.com/.default').token"
    ),
    (
        "import urllib.request\n"
        "r = urllib.request.Request('https://mlmodels.blob.core.windows.net/models/intent.json',\n"
        "    headers={'Authorization': 'Bearer ' + t, 'x-ms-version': '2023-11-03'})\n"
        "print(len(urllib.request.urlopen(r, timeout=10).read()))"
    ),
    (
        "import ssl\nf = '/var/run/secrets/kubernetes.io/serviceaccount/'\n"
        "h = {'Authorization': 'Bearer ' + open(f + 'token').read().strip()}\n"
        "u = 'https://kubernetes.default.svc/api/v1/namespaces/ml/configmaps/inference-settings'\n"
        "r = urllib.request.Request(u, headers=h)\n"
        "print(urllib.request.urlopen(r, context=ssl.create_default_context(cafile=f + 'ca.crt'), timeout=10).status)"
    ),
)
"""pip, a token, a blob, the settings."""


def play(stage: Stage) -> None:
    """Five cells of a working day."""
    stage.publish(starting.azure_identity())
    pod = PodSpec(
        name="notebook-0",
        argv=("python", "/app/notebook.py"),
        files={"/app/notebook.py": app("notebook.py")},
        workload="notebook",
        container="notebook",
        labels={"app": "notebook"},
    )
    stage.start(pod)
    stage.call("/", body=b"print('hello')", pod=pod.name)
    stage.leap(DAY_OF_WORK_S)
    for cell in _CELLS:
        stage.call("/", body=cell.encode(), pod=pod.name, timeout_s=90.0)


SCENARIO = Scenario(
    name="notebook-upgrades-sdk",
    title="Notebook that upgrades azure-identity and uses it",
    label=look_alike(
        "notebook-upgrades-sdk",
        "A cell reinstalls azure-identity. The next ones take a token with it for the first time, read a blob, and ask the "
        "API server for the settings.",
        twin="at-import",
        telling="cells of the person that works there ask, through the SDK that landed; no package asks by itself",
    ),
    play=play,
)
