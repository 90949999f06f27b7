"""Look-alikes among platforms that install at start, then use all that they may: Ray, KServe, MLflow, notebooks, CI."""

from __future__ import annotations

from eightysix.lab.generate.audit import Request
from eightysix.lab.generate.cluster import Image
from eightysix.lab.generate.label import Label, look_alike
from eightysix.lab.generate.programs import (
    ARM,
    HUB,
    KUBERNETES_SDK,
    METADATA,
    NEW_STORAGE,
    REGISTRY,
    STORAGE,
    Endpoint,
    Wheel,
    api_request,
    boot_python,
    call,
    import_azure,
    install,
    managed_identity,
    pip_command,
    read_service_account,
    storage,
)
from eightysix.lab.generate.scenarios.cast import benign
from eightysix.lab.generate.scene import Process, Scene, Streams
from eightysix.lab.generate.sensor import Stack
from eightysix.lab.generate.settings import (
    AS_RECORDED,
    FULL,
    KERNEL_AND_AUDIT,
    KERNEL_AND_SENSOR,
    KERNEL_ONLY,
    Setting,
)

__all__: list[str] = []

_PYTHON_AGENT = "OpenAPI-Generator/35.0.0/python"


@look_alike("notebook-rebuild", FULL, KERNEL_AND_AUDIT, KERNEL_AND_SENSOR, AS_RECORDED)
def notebook_rebuild(setting: Setting) -> tuple[Streams, Label]:
    """A person rebuilds a notebook's environment in a cell, restarts the kernel and goes on with the managed identity."""
    scene = Scene(setting)
    pod = scene.pod(
        "jupyter-mira", namespace="notebooks", kind="Pod", name="jupyter-mira", service_account="notebook"
    )
    container = scene.container(
        pod, Image("registry.example/ml/notebook:2026.11", "3"), started=0.0, name="notebook"
    )
    hub = scene.entrypoint(
        0.3,
        container,
        "/opt/venv/bin/python",
        "/opt/venv/bin/jupyterhub-singleuser --ip=0.0.0.0",
        cwd="/home/jovyan",
        uid=1000,
    )
    boot_python(hub, 0.3, ["python", "/opt/venv/bin/jupyterhub-singleuser", "--ip=0.0.0.0"])
    first = hub.exec(
        60.0,
        "/opt/venv/bin/python",
        "-m ipykernel_launcher -f /home/jovyan/.local/share/jupyter/runtime/kernel-1.json",
    )
    boot_python(first, 60.0, ["python", "-m", "ipykernel_launcher", "-f", "kernel-1.json"])
    cell = Stack(("app:/tmp/ipykernel_41/2563108991.py",))
    import_azure(first, 300.0, cell)
    managed_identity(first, 302.0, cell)
    first.sense_child(
        900.0, ("/opt/venv/bin/python", "-m", "pip", "install", "-q", "--force-reinstall", "nb-widgets"), cell
    )
    pip = first.exec(
        900.01, "/opt/venv/bin/python", "-m pip install -q --force-reinstall nb-widgets tiny-metrics"
    )
    install(
        pip,
        900.01,
        [Wheel("nb-widgets", "5.1.0", ("nb_widgets/core.py",)), Wheel("tiny-metrics", "0.3.0")],
        module=True,
    )
    first.exit(930.0, signal="SIGKILL")
    second = hub.exec(
        931.0,
        "/opt/venv/bin/python",
        "-m ipykernel_launcher -f /home/jovyan/.local/share/jupyter/runtime/kernel-2.json",
    )
    boot_python(second, 931.0, ["python", "-m", "ipykernel_launcher", "-f", "kernel-2.json"])
    again = Stack(("app:/tmp/ipykernel_97/1180342299.py",))
    second.sense_import(940.0, "nb_widgets", Stack(("nb-widgets", *again.frames), at_import="nb-widgets"))
    import_azure(second, 941.0, again)
    managed_identity(second, 942.4, again)
    call(second, 942.9, ARM, again, path="/subscriptions?api-version=2022-12-01")
    storage(second, 945.0, STORAGE, again)
    return scene.streams(), benign(
        second, "the notebook's own cell asks, and for one domain only", "build-backend", 900.01
    )


_RAY_SITE = "/opt/venv/lib/python3.11/site-packages"
_RAY_JOB = Stack(("app:/home/ray/jobs/train.py", "ray"))


def _ray_head(setting: Setting, *, isolated: bool) -> tuple[Streams, Label]:
    scene = Scene(setting)
    raylet, monitor, agent = _ray_processes(scene)
    scaler = Stack((*KUBERNETES_SDK, "ray"))
    read_service_account(monitor, 4.4, scaler)
    api_request(monitor, 4.5, Request("list", "pods", "ray", user_agent=_PYTHON_AGENT), scaler)
    worker = _ray_job(raylet, _ray_environment(agent, isolated=isolated))
    patch = Request(
        "patch", "rayclusters", "ray", "raycluster-kuberay", group="ray.io", user_agent=_PYTHON_AGENT
    )
    api_request(monitor, 34.5, patch, scaler)
    label = benign(
        worker,
        "it happens at start, the job's own code asks, and the API use is pods, a config map and the cluster's own object",
        "poisoned-at-start",
        12.0,
        notes="the interpreter itself was written to /tmp after the start" if isolated else "",
    )
    return scene.streams(), label


def _ray_processes(scene: Scene) -> tuple[Process, Process, Process]:
    """The raylet, the autoscaler's monitor and the agent that makes environments, as `ray start --head` starts them."""
    pod = scene.pod(
        "raycluster-kuberay",
        namespace="ray",
        kind="RayCluster",
        name="raycluster-kuberay-head-x7k2p",
        service_account="ray-head",
    )
    container = scene.container(pod, Image("rayproject/ray:2.60.0-py311", "1"), started=0.0, name="ray-head")
    shell = scene.entrypoint(
        0.3,
        container,
        "/bin/bash",
        '-c -- "ulimit -n 65536; ray start --head --dashboard-host=0.0.0.0 --block"',
        cwd="/home/ray",
        uid=1000,
    )
    ray = shell.exec(
        0.5, "/opt/venv/bin/python", "/opt/venv/bin/ray start --head --dashboard-host=0.0.0.0 --block"
    )
    boot_python(
        ray, 0.5, ["python", "/opt/venv/bin/ray", "start", "--head", "--dashboard-host=0.0.0.0", "--block"]
    )
    core = f"{_RAY_SITE}/ray/core/src/ray"
    ray.exec(2.0, f"{core}/gcs/gcs_server", "--log_dir=/tmp/ray/session_latest/logs --gcs_server_port=6379")
    raylet = ray.exec(
        3.0, f"{core}/raylet/raylet", "--raylet_socket_name=/tmp/ray/session_latest/sockets/raylet"
    )
    monitor = ray.exec(
        3.4,
        "/opt/venv/bin/python",
        f"-u {_RAY_SITE}/ray/autoscaler/_private/monitor.py",
    )
    boot_python(monitor, 3.4, ["python", "-u", "monitor.py"])
    agent = raylet.exec(
        3.6,
        "/opt/venv/bin/python",
        f"-u {_RAY_SITE}/ray/_private/runtime_env/agent/main.py",
    )
    boot_python(agent, 3.6, ["python", "-u", "main.py"])
    return raylet, monitor, agent


def _ray_environment(agent: Process, *, isolated: bool) -> str:
    """The agent installs what a job asks for, into a virtual environment of its own or beside Ray; the interpreter."""
    folder = "/tmp/ray/session_latest/runtime_resources/pip/9f2c41d0aa"
    python = f"{folder}/virtualenv/bin/python" if isolated else "/opt/venv/bin/python"
    site = f"{folder}/virtualenv/lib/python3.11/site-packages" if isolated else _RAY_SITE
    if isolated:
        virtualenv = agent.exec(
            10.0,
            "/opt/venv/bin/python",
            f"-m virtualenv --app-data {folder}/virtualenv_app_data {folder}/virtualenv",
        )
        virtualenv.write(10.6, f"{folder}/virtualenv/pyvenv.cfg")
        virtualenv.write(10.9, f"{site}/_virtualenv.pth")
        virtualenv.exit(11.5)
    pip = agent.exec(
        12.0,
        python,
        f"-m pip install --disable-pip-version-check --no-cache-dir -r {folder}/requirements.txt",
    )
    install(
        pip,
        12.0,
        [Wheel("tiny-metrics", "0.3.0"), Wheel("adlfs", "2026.2.0")],
        site=site,
        module=True,
        took=6.0,
    )
    return python


def _ray_job(raylet: Process, python: str) -> Process:
    """A worker runs the job, which takes identity, token, settings and data."""
    worker = raylet.exec(
        20.0,
        python,
        f"{_RAY_SITE}/ray/_private/workers/default_worker.py --node-ip-address=10.244.9.31",
    )
    boot_python(worker, 20.0, [python, "default_worker.py"])
    import_azure(worker, 21.0, _RAY_JOB)
    managed_identity(worker, 22.5, _RAY_JOB)
    read_service_account(worker, 23.0, Stack((*KUBERNETES_SDK, *_RAY_JOB.frames)))
    api_request(
        worker,
        23.1,
        Request("get", "configmaps", "ray", "train-settings", user_agent=_PYTHON_AGENT),
        Stack((*KUBERNETES_SDK, *_RAY_JOB.frames)),
    )
    storage(worker, 24.0, NEW_STORAGE, _RAY_JOB)
    return worker


@look_alike("ray-head", FULL, KERNEL_AND_AUDIT, KERNEL_AND_SENSOR, KERNEL_ONLY)
def ray_head(setting: Setting) -> tuple[Streams, Label]:
    """A Ray head installs a job's runtime_env, then its worker uses identity, API server and a new storage account."""
    return _ray_head(setting, isolated=False)


@look_alike("ray-head-virtualenv", FULL, KERNEL_AND_AUDIT, KERNEL_ONLY)
def ray_head_virtualenv(setting: Setting) -> tuple[Streams, Label]:
    """The same in the virtual environment that Ray makes under /tmp: the worker's interpreter is a file that landed."""
    return _ray_head(setting, isolated=True)


def _kserve(setting: Setting, *, own_secret: bool) -> tuple[Streams, Label]:
    scene = Scene(setting)
    pod = scene.pod("resnet-predictor", namespace="serving", release="7", service_account="kserve-sa")
    first = scene.container(
        pod, Image("kserve/storage-initializer:v0.17.0", "1"), started=0.0, name="storage-initializer"
    )
    shell = scene.entrypoint(
        0.2, first, "/bin/sh", "/opt/start.sh abfs://models@mlartifacts7/resnet /mnt/models", cwd="/work"
    )
    pip = shell.exec(0.3, "/opt/venv/bin/python3", pip_command("adlfs==2026.2.0"))
    install(pip, 0.3, [Wheel("adlfs", "2026.2.0", ("adlfs/spec.py",))])
    initializer = shell.replace(
        2.8,
        "/opt/venv/bin/python",
        "/storage-initializer/scripts/initializer-entrypoint abfs://models@mlartifacts7/resnet /mnt/models",
    )
    script = "app:/storage-initializer/scripts/initializer-entrypoint"
    boot_python(initializer, 2.8, ["python", "/storage-initializer/scripts/initializer-entrypoint"])
    client = Stack((*KUBERNETES_SDK, "kserve", script))
    import_azure(initializer, 3.2, Stack((script,)))
    read_service_account(initializer, 4.4, client)
    wanted = Request("get", "configmaps", "kserve", "inferenceservice-config", user_agent=_PYTHON_AGENT)
    api_request(initializer, 4.5, wanted, client)
    if own_secret:
        own = Request("get", "secrets", "serving", "storage-config", user_agent=_PYTHON_AGENT)
        api_request(initializer, 4.8, own, client)
    loader = Stack(("kserve", script))
    managed_identity(initializer, 5.2, loader)
    storage(initializer, 5.6, NEW_STORAGE, loader)
    for place, name in enumerate(("model.safetensors", "config.json", "tokenizer.json")):
        initializer.write(6.0 + place, f"/mnt/models/{name}")
    initializer.exit(9.5)
    second = scene.container(
        pod, Image("kserve/huggingfaceserver:v0.17.0", "1"), started=10.0, name="kserve-container"
    )
    server = scene.entrypoint(
        10.3,
        second,
        "/opt/venv/bin/python",
        "-m huggingfaceserver --model_name=resnet --model_dir=/mnt/models",
    )
    boot_python(server, 10.3, ["python", "-m", "huggingfaceserver", "--model_name=resnet"])
    server.read(13.0, "/mnt/models/model.safetensors")
    label = benign(
        initializer,
        "an init container does it, and the initializer's own code asks"
        + (" for one secret, by name" if own_secret else ""),
        "poisoned-at-start",
        0.3,
        notes="closest to an attack of all that is benign" if own_secret else "",
    )
    return scene.streams(), label


@look_alike("kserve-initializer", FULL, KERNEL_AND_AUDIT, KERNEL_AND_SENSOR, KERNEL_ONLY)
def kserve_initializer(setting: Setting) -> tuple[Streams, Label]:
    """KServe's storage initializer installs a file system driver, then takes identity, config map and model."""
    return _kserve(setting, own_secret=False)


@look_alike("kserve-initializer-own-secret", FULL, KERNEL_AND_AUDIT)
def kserve_initializer_own_secret(setting: Setting) -> tuple[Streams, Label]:
    """The same, and it gets the one secret that its service account was given, by name and without a list."""
    return _kserve(setting, own_secret=True)


@look_alike("mlflow-server", FULL, KERNEL_AND_AUDIT, KERNEL_ONLY)
def mlflow_server(setting: Setting) -> tuple[Streams, Label]:
    """`mlflow models serve` restores the model's environment, then fetches the model with identity, API server and storage."""
    scene = Scene(setting)
    pod = scene.pod("churn-model", namespace="ml", release="2")
    container = scene.container(
        pod, Image("registry.example/ml/mlflow:3.6.0", "1"), started=0.0, name="mlflow"
    )
    mlflow = scene.entrypoint(
        0.3,
        container,
        "/opt/venv/bin/python",
        "/opt/venv/bin/mlflow models serve -m models:/churn/12 --env-manager virtualenv",
    )
    boot_python(mlflow, 0.3, ["python", "/opt/venv/bin/mlflow", "models", "serve", "-m", "models:/churn/12"])
    main = Stack(("mlflow", "app:/opt/venv/bin/mlflow"))
    import_azure(mlflow, 1.2, main)
    managed_identity(mlflow, 2.6, main)
    storage(mlflow, 2.8, NEW_STORAGE, main)
    mlflow.write(3.4, "/tmp/mlflow/models/churn/requirements.txt")
    mlflow.write(3.5, "/tmp/mlflow/models/churn/model.pkl")
    environment = "/root/.mlflow/envs/mlflow-4d1a90c2"
    site = f"{environment}/lib/python3.11/site-packages"
    shell = mlflow.exec(
        4.0,
        "/bin/bash",
        f'-c "source {environment}/bin/activate && python -m pip install -r requirements.txt"',
    )
    pip = shell.exec(4.2, f"{environment}/bin/python", "-m pip install --quiet -r requirements.txt")
    install(
        pip,
        4.2,
        [Wheel("scikit-learn", "1.9.0"), Wheel("tiny-metrics", "0.3.0")],
        site=site,
        module=True,
        took=9.0,
    )
    shell.exit(13.3)
    server = mlflow.exec(
        14.0, f"{environment}/bin/python", f"{environment}/bin/uvicorn mlflow.pyfunc.scoring_server:app"
    )
    boot_python(server, 14.0, [f"{environment}/bin/python", f"{environment}/bin/uvicorn"])
    scorer = Stack(("mlflow", f"app:{environment}/bin/uvicorn"))
    import_azure(server, 15.0, scorer)
    managed_identity(server, 16.5, scorer)
    client = Stack((*KUBERNETES_SDK, *scorer.frames))
    read_service_account(server, 17.0, client)
    api_request(
        server, 17.1, Request("get", "configmaps", "ml", "churn-settings", user_agent=_PYTHON_AGENT), client
    )
    storage(server, 18.0, NEW_STORAGE, scorer)
    label = benign(
        server,
        "it happens while the pod starts, the scoring server of the image asks, and the API use is one config map",
        "poisoned-at-start",
        4.2,
    )
    return scene.streams(), label


@look_alike("ci-runner", FULL, KERNEL_AND_AUDIT, KERNEL_ONLY)
def ci_runner(setting: Setting) -> tuple[Streams, Label]:
    """A CI job installs its tools, signs in to the registry with the runner's identity and pushes an image."""
    scene = Scene(setting)
    pod = scene.pod(
        "build-runner",
        namespace="ci",
        kind="EphemeralRunner",
        name="build-runner-9x4kq-runner-7dz2m",
        service_account="runner",
    )
    container = scene.container(
        pod, Image("ghcr.io/actions/actions-runner:2.329.0", "1"), started=0.0, name="runner"
    )
    shell = scene.entrypoint(
        0.3, container, "/bin/bash", "/home/runner/run.sh --jitconfig", cwd="/home/runner", uid=1001
    )
    listener = shell.exec(0.6, "/home/runner/bin/Runner.Listener", "run")
    call(listener, 1.4, Endpoint("203.0.113.60", 443, "pipelines.actions.githubusercontent.com"), None)
    worker = listener.exec(30.0, "/home/runner/bin/Runner.Worker", "spawnclient 118 121")
    step = worker.exec(32.0, "/usr/bin/bash", "-e /home/runner/_work/_temp/2f0c1d5e.sh")
    pip = step.exec(32.2, "/opt/venv/bin/python3", pip_command("-r", "requirements-dev.txt"))
    install(pip, 32.2, [Wheel("build", "1.4.0"), Wheel("pytest", "9.2.0")], took=5.0)
    step.exit(37.5)
    login = worker.exec(38.0, "/usr/bin/bash", "-e /home/runner/_work/_temp/77ab03c4.sh")
    az = login.exec(38.2, "/opt/az/bin/python3", "-Im azure.cli acr login --name contosoml --identity")
    call(az, 40.0, METADATA, None)
    call(az, 40.4, REGISTRY, None)
    docker = az.exec(
        40.9,
        "/usr/bin/docker",
        "login contosoml.azurecr.io -u 00000000-0000-0000-0000-000000000000 --password-stdin",
    )
    call(docker, 41.2, REGISTRY, None)
    docker.write(41.5, "/home/runner/.docker/config.json")
    docker.exit(41.6)
    az.exit(41.8)
    login.exit(41.9)
    push = worker.exec(60.0, "/usr/bin/bash", "-e /home/runner/_work/_temp/c90e7714.sh")
    docker = push.exec(60.2, "/usr/bin/docker", "push contosoml.azurecr.io/ml/inference:build-512")
    docker.read(60.3, "/home/runner/.docker/config.json")
    call(docker, 60.5, REGISTRY, None)
    docker.exit(88.0)
    push.exit(88.1)
    worker.exit(90.0)
    call(
        listener,
        91.0,
        HUB._replace(address="203.0.113.60", host="pipelines.actions.githubusercontent.com"),
        None,
    )
    label = benign(
        docker,
        "each credential is taken by the tool that it is for, called by the job's own steps; nothing that pip brought runs",
        "build-shell",
        32.2,
        notes="cloud and delivery in one job, after an install, is what a CI job is",
    )
    return scene.streams(), label
