"""Look-alikes from running a cluster: agents that poll, and people who look into pods."""

from __future__ import annotations

from eightysix.lab.generate.audit import Request, into_pod, operator
from eightysix.lab.generate.cluster import Image
from eightysix.lab.generate.label import Label, look_alike
from eightysix.lab.generate.programs import (
    ARM,
    METADATA,
    Endpoint,
    Wheel,
    api_request,
    call,
    install,
    managed_identity,
    pip_command,
    read_service_account,
)
from eightysix.lab.generate.scenarios.cast import SERVER, inference, start_server
from eightysix.lab.generate.scene import Scene, Streams
from eightysix.lab.generate.settings import FULL, KERNEL_AND_AUDIT, KERNEL_ONLY, Setting

__all__: list[str] = []

_INGEST = Endpoint("203.0.113.70", 443, "contoso.ods.opinsights.azure.com")


@look_alike("node-agent-polling", FULL, KERNEL_AND_AUDIT, KERNEL_ONLY)
def node_agent_polling(setting: Setting) -> tuple[Streams, Label]:
    """An agent polls the metadata service every 30 s and watches pods, on a node where another pod installs."""
    scene = Scene(setting)
    pod = scene.pod("telegraf", namespace="monitoring", kind="DaemonSet")
    container = scene.container(
        pod,
        Image("registry.example/ops/telegraf:1.38", "1"),
        started=-3_600.0,
        name="telegraf",
        instrumented=False,
    )
    agent = scene.entrypoint(
        -3_599.7, container, "/usr/bin/telegraf", "--config /etc/telegraf/telegraf.conf", cwd="/"
    )
    read_service_account(agent, -3_599.0, None)
    watch = Request("watch", "pods", user_agent="telegraf/1.38 (linux/amd64)")
    api_request(agent, -3_598.9, watch, None, started_only=True)
    for poll in range(20):
        at = 30.0 * poll
        call(agent, at, METADATA, None)
        if poll % 2:
            call(agent, at + 0.5, _INGEST, None)
    neighbour = inference(scene, replica=1)
    server = scene.entrypoint(0.31, neighbour, "/opt/venv/bin/python", "/app/server.py")
    start_server(server, 0.31)
    pip = server.exec(295.0, "/opt/venv/bin/python3", pip_command("-U", "serving-plugin"))
    install(pip, 295.0, [Wheel("serving-plugin", "2.0.1")])
    label = Label(
        malicious=False,
        at_least="none",
        at_most="watch",
        telling="the install was in another pod of the node",
        twin="breach-fast",
        t0_s=295.0,
        pod_uid=pod.uid,
    )
    return scene.streams(), label


@look_alike("exec-debugging", FULL, KERNEL_AND_AUDIT, KERNEL_ONLY)
def exec_debugging(setting: Setting) -> tuple[Streams, Label]:
    """A person in a pod: installs a profiler, signs in with az, lists pods with kubectl, tries a URL with curl."""
    scene = Scene(setting)
    container = inference(scene)
    server = scene.entrypoint(0.31, container, "/opt/venv/bin/python", "/app/server.py")
    managed_identity(server, 3.0, SERVER)
    scene.api(1_199.7, operator(), into_pod("ml", container.pod.name), started_only=True)
    shell = scene.session(1_200.0, container, "/bin/bash", "")
    pip = shell.exec(1_215.0, "/opt/venv/bin/python3", pip_command("py-spy"))
    install(pip, 1_215.0, [Wheel("py-spy", "0.4.1", ("py_spy/__init__.py",))])
    spy = shell.exec(1_225.0, "/opt/venv/bin/py-spy", f"dump --pid {server.facts.ns_pid}")
    spy.exit(1_227.0)
    az = shell.exec(1_240.0, "/opt/az/bin/python3", "-Im azure.cli login --identity")
    call(az, 1_241.6, METADATA, None)
    call(az, 1_242.1, ARM, None)
    az.write(1_242.4, "/root/.azure/msal_token_cache.json")
    az.exit(1_242.6)
    kubectl = shell.exec(1_260.0, "/usr/local/bin/kubectl", "get pods")
    read_service_account(kubectl, 1_260.1, None)
    agent = "kubectl/v1.34.1 (linux/amd64) kubernetes/3a8f1c2"
    api_request(kubectl, 1_260.2, Request("list", "pods", "ml", user_agent=agent), None)
    kubectl.exit(1_260.5)
    curl = shell.exec(1_275.0, "/usr/bin/curl", "-sI https://mlmodels.blob.core.windows.net/")
    call(curl, 1_275.1, Endpoint("203.0.113.21", 443, "mlmodels.blob.core.windows.net"), None)
    curl.exit(1_275.3)
    curl = shell.exec(1_280.0, "/usr/bin/curl", "-s http://127.0.0.1:8080/healthz")
    call(curl, 1_280.02, Endpoint("127.0.0.1", 8080, ""), None)
    curl.exit(1_280.05)
    shell.exit(1_300.0)
    label = Label(
        malicious=False,
        at_least="none",
        at_most="watch",
        telling="a named person's session does it, each tool takes its own credential, and no new program or package asks",
        twin="poisoned-exec-session",
        t0_s=1_215.0,
        pod_uid=container.pod.uid,
        notes="two domains under one shell, after an install in the same shell",
    )
    return scene.streams(), label
