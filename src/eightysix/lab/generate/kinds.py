"""The workloads of a generated cluster that nothing happens to: what they are, how they start and what they do all day.

Names, arguments and habits are those of the projects themselves; images, addresses and sizes are made up.
"""

from __future__ import annotations

from dataclasses import dataclass

from eightysix.lab.generate.programs import (
    COLLECTOR,
    HUB,
    METADATA,
    NEW_STORAGE,
    REDIS,
    REGISTRY,
    STORAGE,
    Endpoint,
)

__all__ = ["KINDS", "NODE_AGENT", "Kind"]

_PYTHON = "/opt/venv/bin/python"
_INDEX_OF_TOOLS = Endpoint("203.0.113.61", 443, "registry.npmjs.org")
_GITHUB = Endpoint("203.0.113.60", 443, "github.com")
_INGEST = Endpoint("203.0.113.70", 443, "contoso.ods.opinsights.azure.com")
_TRACKING = Endpoint("10.0.51.200", 8080, "mlflow.ml.svc.cluster.local")
_QUERY = ("/usr/bin/nvidia-smi", "--query-gpu=utilization.gpu,memory.used --format=csv,noheader,nounits")
_SHELL = (("/usr/bin/date", "+%s"), ("/bin/sh", '-c "test -f /tmp/ready"'), ("/usr/bin/uname", "-p"))


@dataclass(frozen=True)
class Kind:
    """One kind of workload.

    `identity` and `account` say which credentials its own code uses, at start and again and again; `asks` are its requests
    to the API server (verb, resource, name, API group). `installs` are packages that it installs before its program starts,
    `installs_later` tells that somebody installs in the running pod now and then. `beside` are long-lived children.
    """

    name: str
    namespace: str
    image: str
    binary: str
    arguments: str
    controller: str = "Deployment"
    share: int = 10
    life: float = 1.0
    frames: tuple[str, ...] = ()
    identity: bool = False
    account: bool = False
    asks: tuple[tuple[str, str, str, str], ...] = ()
    installs: tuple[str, ...] = ()
    installs_later: bool = False
    probe: bool = False
    usual: tuple[Endpoint, ...] = (REDIS, COLLECTOR)
    store: Endpoint = STORAGE
    children: tuple[tuple[str, str], ...] = _SHELL
    beside: tuple[tuple[str, str], ...] = ()
    files: tuple[str, ...] = ("/proc/self/stat", "/var/log/app/server.log", "/proc/self/cgroup")

    @property
    def python(self) -> bool:
        """Whether its main program is an interpreter that the sensor is in."""
        return "/python" in self.binary


KINDS: tuple[Kind, ...] = (
    Kind(
        "vllm",
        "ml",
        "vllm/vllm-openai:v0.11.{release}",
        _PYTHON,
        "-m vllm.entrypoints.openai.api_server --model /models/qwen3-32b --tensor-parallel-size 2",
        share=16,
        life=1.4,
        frames=("vllm", "app:/opt/venv/bin/vllm"),
        identity=True,
        probe=True,
        usual=(COLLECTOR, REDIS),
        children=(_QUERY, *_SHELL),
        files=(
            "/models/qwen3-32b/config.json",
            "/proc/self/stat",
            "/root/.cache/vllm/torch_compile_cache/index.json",
        ),
    ),
    Kind(
        "tgi",
        "ml",
        "ghcr.io/huggingface/text-generation-inference:3.{release}",
        "/usr/local/bin/text-generation-launcher",
        "--model-id acme/ranker-8b --port 8080",
        share=10,
        life=1.4,
        identity=False,
        usual=(HUB, COLLECTOR),
        children=(_QUERY,),
        beside=(
            ("/usr/local/bin/text-generation-router", "--validation-workers 2 --port 8080"),
            (
                _PYTHON,
                "/opt/conda/bin/text-generation-server serve acme/ranker-8b --uds-path /tmp/text-generation-server",
            ),
        ),
        files=("/data/models--acme--ranker-8b/refs/main", "/proc/self/stat"),
    ),
    Kind(
        "notebook",
        "notebooks",
        "registry.example/ml/notebook:2026.{release}",
        _PYTHON,
        "/opt/venv/bin/jupyterhub-singleuser --ip=0.0.0.0",
        controller="Pod",
        share=10,
        life=1.2,
        frames=("app:/tmp/ipykernel_41/2563108991.py",),
        identity=True,
        installs_later=True,
        usual=(_TRACKING, HUB),
        children=(("/usr/bin/git", "status --porcelain"), ("/bin/bash", "-l"), _QUERY),
        files=("/home/jovyan/work/train.ipynb", "/home/jovyan/.local/share/jupyter/runtime/kernel-1.json"),
    ),
    Kind(
        "ray-worker",
        "ray",
        "rayproject/ray:2.60.{release}-py311",
        _PYTHON,
        "/opt/venv/bin/ray start --address=raycluster-kuberay-head-svc:6379 --block",
        controller="RayCluster",
        share=12,
        frames=("app:/home/ray/jobs/train.py", "ray"),
        identity=True,
        account=True,
        asks=(
            ("get", "configmaps", "train-settings", ""),
            ("get", "rayclusters", "raycluster-kuberay", "ray.io"),
        ),
        usual=(Endpoint("10.0.71.3", 6379, "raycluster-kuberay-head-svc.ray.svc.cluster.local"), COLLECTOR),
        store=NEW_STORAGE,
        children=(_QUERY, ("/usr/bin/ps", "-eo pid,rss,comm")),
        beside=(
            (
                "/opt/venv/lib/python3.11/site-packages/ray/core/src/ray/raylet/raylet",
                "--raylet_socket_name=/tmp/ray/session_latest/sockets/raylet",
            ),
        ),
        files=("/tmp/ray/session_latest/logs/raylet.out", "/proc/self/cgroup"),
    ),
    Kind(
        "predictor",
        "serving",
        "kserve/huggingfaceserver:v0.17.{release}",
        _PYTHON,
        "-m huggingfaceserver --model_name=resnet --model_dir=/mnt/models",
        share=12,
        frames=("kserve", "app:/prod_venv/bin/huggingfaceserver"),
        identity=True,
        account=True,
        asks=(("get", "configmaps", "inferenceservice-config", ""),),
        installs=("adlfs",),
        probe=True,
        store=NEW_STORAGE,
        files=("/mnt/models/model.safetensors", "/mnt/models/config.json"),
    ),
    Kind(
        "tracking",
        "ml",
        "registry.example/ml/mlflow:3.6.{release}",
        _PYTHON,
        "/opt/venv/bin/mlflow server --host 0.0.0.0 --workers 4",
        share=5,
        life=1.5,
        frames=("mlflow", "app:/opt/venv/bin/mlflow"),
        identity=True,
        usual=(Endpoint("10.0.33.8", 5432, "postgres.ml.svc.cluster.local"), COLLECTOR),
        store=NEW_STORAGE,
        files=("/mlflow/artifacts/0/meta.yaml", "/proc/self/stat"),
    ),
    Kind(
        "runner",
        "ci",
        "ghcr.io/actions/actions-runner:2.329.{release}",
        "/bin/bash",
        "/home/runner/run.sh --jitconfig",
        controller="EphemeralRunner",
        share=14,
        life=0.2,
        identity=False,
        installs=("build", "pytest"),
        usual=(_GITHUB, REGISTRY, _INDEX_OF_TOOLS),
        children=(
            ("/usr/bin/git", "fetch --depth=1 origin main"),
            ("/usr/bin/tar", "-xzf /home/runner/_work/_temp/cache.tgz"),
            ("/usr/bin/docker", "build -t contosoml.azurecr.io/ml/inference:build ."),
        ),
        files=("/home/runner/_work/_temp/2f0c1d5e.sh", "/home/runner/.docker/config.json"),
    ),
    Kind(
        "train",
        "ml",
        "registry.example/ml/train:2026.{release}",
        _PYTHON,
        "/app/train.py --config /app/config.yaml",
        controller="Job",
        share=14,
        life=0.4,
        frames=("app:/app/train.py",),
        identity=True,
        installs=("tiny-metrics",),
        usual=(_TRACKING, HUB),
        children=(_QUERY,),
        files=("/data/cache/tokenizer/merges.txt", "/data/checkpoints/step-100.pt.tmp"),
    ),
    Kind(
        "web",
        "web",
        "registry.example/web/shop:2026.{release}",
        "/usr/local/bin/node",
        "/srv/server.js",
        share=17,
        account=True,
        asks=(("get", "configmaps", "shop-flags", ""), ("list", "endpoints", "", "")),
        usual=(REDIS, Endpoint("10.0.12.80", 443, "payments.web.svc.cluster.local"), _INDEX_OF_TOOLS),
        files=("/srv/public/index.html", "/proc/self/stat"),
    ),
)
"""Drawn by `share`. Node agents are not among them: each node has one."""

NODE_AGENT = Kind(
    "telegraf",
    "monitoring",
    "registry.example/ops/telegraf:1.38.{release}",
    "/usr/bin/telegraf",
    "--config /etc/telegraf/telegraf.conf",
    controller="DaemonSet",
    identity=True,
    account=True,
    asks=(("list", "pods", "", ""), ("list", "nodes", "", "")),
    usual=(_INGEST, METADATA),
    files=("/proc/self/stat", "/proc/meminfo"),
)
