"""A notebook whose cells install a package, and then use the identity of the pod."""

from __future__ import annotations

from eightysix.lab.interface import PodSpec, Scenario, Stage
from eightysix.lab.scenarios.cast import DAY_OF_WORK_S, app, honest
from eightysix.lab.scenarios.labels import look_alike

__all__ = ["SCENARIO"]

_CELLS = (
    "import subprocess, sys\nsubprocess.run([sys.executable, '-m', 'pip', 'install', '-q', 'nb-widgets'], check=True)",
    "import nb_widgets\nprint(nb_widgets.tune(3))",
    (
        "import os\nfrom azure.identity import ManagedIdentityCredential\n"
        "c = ManagedIdentityCredential(client_id=os.environ['AZURE_CLIENT_ID'])\n"
        "t = c.get_token('https://storage.azure.com/.default').token"
    ),
    (
        "import urllib.request\n"
        "r = urllib.request.Request('https://mlmodels.blob.core.windows.net/models/intent.json',\n"
        "    headers={'Authorization': 'Bearer ' + t, 'x-ms-version': '2023-11-03'})\n"
        "try:\n    print(len(urllib.request.urlopen(r, timeout=10).read()))\nexcept OSError as e:\n    print(e)"
    ),
)
"""pip, the import, a token, a blob."""


def play(stage: Stage) -> None:
    """Five cells of a working day."""
    stage.publish(honest("nb-widgets", "5.1.0"))
    files = {"/app/notebook.py": app("notebook.py")}
    pod = PodSpec(
        name="notebook-0",
        argv=("python", "/app/notebook.py"),
        files=files,
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
    name="notebook-rebuild",
    title="Notebook that rebuilds its environment",
    label=look_alike(
        "notebook-rebuild",
        "A cell installs nb-widgets, the next ones import it, take a token with azure-identity and read a "
        "blob.",
        twin="in-subprocess",
        telling="one credential is taken, by a cell of the person that works there",
    ),
    play=play,
)
