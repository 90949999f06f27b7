"""A breach that takes no credential: the miner in ultralytics.

What is taken from reports and what is assumed stands in `examples/replays/<name>/README.md`.
"""

from __future__ import annotations

from eightysix.lab.generate.cluster import Image
from eightysix.lab.generate.programs import Endpoint, Wheel, boot_python, call, install, pip_command
from eightysix.lab.generate.scene import Process, Streams
from eightysix.lab.generate.sensor import Stack
from eightysix.lab.generate.settings import Setting
from tests.replays.cast import PYTHON, Estate, image_holds, ordinary_role
from tests.replays.label import Story, replay
from tests.replays.teampcp import before

__all__ = ["ultralytics"]

_GITHUB_API = Endpoint("203.0.113.81", 443, "api.github.com")
_POOL = Endpoint("198.51.100.25", 8080, "connect.consrensys.com")
_LANDS = 1_620.0
_KERNEL = Stack(("app:/tmp/ipykernel_44/2210.py", "ipykernel"))


def _vision(scene: Estate) -> Process:
    """A notebook with a GPU that has run for half an hour."""
    pod = scene.pod("jupyter-ivo", namespace="research", kind="StatefulSet", name="jupyter-ivo-0")
    container = image_holds(
        scene.container(
            pod, Image("registry.example/research/notebook:2024.12"), started=0.0, name="notebook"
        ),
        ipykernel="6.29.5",
        ultralytics="8.3.40",
    )
    jupyter = scene.entrypoint(
        0.3, container, PYTHON, "/opt/venv/bin/jupyter-lab --ip=0.0.0.0", cwd="/home/ivo"
    )
    boot_python(jupyter, 0.3, [PYTHON, "/opt/venv/bin/jupyter-lab"])
    words = "-m ipykernel_launcher -f /home/ivo/.local/share/jupyter/runtime/kernel-02b4.json"
    kernel = jupyter.exec(60.0, PYTHON, words)
    boot_python(kernel, 60.0, [PYTHON, *words.split()])
    ordinary_role(kernel, 95.0, _KERNEL)
    return kernel


@replay("ultralytics-8.3.41")
def ultralytics(setting: Setting) -> tuple[Streams, Streams, Story]:
    """A notebook upgrades ultralytics and loads a model; that fetches a miner to /tmp and starts it."""
    scene = Estate(setting)
    kernel = _vision(scene)
    shell = kernel.exec(_LANDS - 0.02, "/bin/bash", '-c "pip install -q -U ultralytics"')
    pip = shell.exec(_LANDS, f"{PYTHON}3", pip_command("-U", "ultralytics"))
    files = ("ultralytics/models/yolo/model.py", "ultralytics/utils/downloads.py")
    install(pip, _LANDS, [Wheel("ultralytics", "8.3.41", files)], took=4.0)
    shell.exit(_LANDS + 4.1)
    begins = _LANDS + 20.0
    kernel.sense_import(begins, "ultralytics", _KERNEL)
    package = Stack(("ultralytics", *_KERNEL.frames))
    call(kernel, begins + 3.0, _GITHUB_API, Stack(("urllib3", "requests", *package.frames)))
    target = "/tmp/ultralytics_runner"
    kernel.write(begins + 4.4, target)
    kernel.sense_child(begins + 4.6, (target, "-u", "...", "-o", f"{_POOL.host}:{_POOL.port}", "-k"), package)
    miner = kernel.exec(begins + 4.61, target, f"-u ... -o {_POOL.host}:{_POOL.port} -k")
    call(miner, begins + 5.0, _POOL, None)
    story = Story(
        landed="ultralytics 8.3.41, `models/yolo/model.py` and `utils/downloads.py`",
        pod_uid=kernel.container.pod.uid,
        t0_s=begins + 4.4,
        leaves_s=begins + 5.0,
        rules=("foreign-program",),
        stages=("land", "run", "leave"),
        verdicts={
            "kernel": "suspect",
            "kernel, audit": "suspect",
            "kernel, sensor": "suspect",
            "sensor, audit": "none",
            "all": "suspect",
            "all, baseline": "suspect",
        },
        short="a miner takes no credential, so nothing is to be contained; it is no Python program, so without the kernel "
        "nobody sees it",
    )
    return scene.streams(), before(setting, _vision), story
