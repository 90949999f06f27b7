"""Agents that read their state back: injected objects in it, and the daily revival of messages."""

from __future__ import annotations

from eightysix.lab.generate.cluster import Container, Image
from eightysix.lab.generate.label import Label, attack, look_alike
from eightysix.lab.generate.programs import (
    DROP,
    REDIS,
    STORAGE,
    Endpoint,
    boot_python,
    call,
    import_azure,
    managed_identity,
    storage,
)
from eightysix.lab.generate.scenarios.cast import (
    MANAGED_IDENTITY,
    SERVICE_ACCOUNT,
    STOLEN_SECRET,
    Pace,
    benign,
    steal,
)
from eightysix.lab.generate.scene import Process, Scene, Streams
from eightysix.lab.generate.sensor import Stack
from eightysix.lab.generate.settings import FULL, KERNEL_AND_SENSOR, SENSOR_AND_AUDIT, Setting

__all__: list[str] = []

_REVIVES = 1_200.0
_AGENT = Stack(("app:/app/agent.py",), thread=4)
_LOADS = Stack(("langchain-core", "langgraph-checkpoint", "langgraph", *_AGENT.frames), thread=4)
_MODEL = Endpoint("203.0.113.90", 443, "contoso-ai.openai.azure.com")
_CLIENT = Stack(("httpx", "openai", "langchain-openai", *_AGENT.frames), thread=4)
_AT_ONCE = Pace(0.4, 0.9, 1.2, 1.8)
_MESSAGE = ("langchain", "schema", "messages")


def _agent(setting: Setting) -> tuple[Scene, Process]:
    """An agent that keeps its state in Redis and talks to its model."""
    scene = Scene(setting)
    pod = scene.pod("agent", namespace="ml")
    container: Container = scene.container(
        pod, Image("registry.example/ml/agent:2026.11", "4"), started=0.0, name="agent"
    )
    server = scene.entrypoint(0.3, container, "/opt/venv/bin/python", "-m uvicorn agent:app --host 0.0.0.0")
    boot_python(server, 0.3, ["python", "-m", "uvicorn", "agent:app", "--host", "0.0.0.0"])
    import_azure(server, 0.8, Stack(_AGENT.frames))
    call(server, 1.9, REDIS, _AGENT)
    managed_identity(server, 2.4, _AGENT)
    storage(server, 2.6, STORAGE, _AGENT)
    return scene, server


def _messages(server: Process, at: float) -> None:
    """A thread's messages come out of the checkpoint."""
    for step, name in enumerate(("HumanMessage", "AIMessage", "ToolMessage")):
        server.sense_revive(at + step * 0.001, "constructor", (*_MESSAGE, name), _LOADS)


def _attack(
    server: Process, leaves_s: float, stages: tuple[str, ...], identities: tuple[str, ...], telling: str
) -> Label:
    return Label(
        malicious=True,
        at_least="suspect",
        at_most="suspect",
        telling=telling,
        twin="checkpoint-revival",
        stages=stages,
        rules=("revived-state",),
        identities=identities,
        leaves_s=leaves_s,
        t0_s=_REVIVES,
        pod_uid=server.container.pod.uid,
    )


@attack("state-builds-client", FULL, KERNEL_AND_SENSOR, SENSOR_AND_AUDIT)
def state_builds_client(setting: Setting) -> tuple[Streams, Label]:
    """A message in the checkpoint is an object: a model client with an address of its own and a secret as its key."""
    scene, server = _agent(setting)
    call(server, 900.0, _MODEL, Stack(("httpx", "openai", "langchain-openai", *_AGENT.frames), thread=4))
    _messages(server, _REVIVES)
    server.sense_revive(_REVIVES + 0.01, "secret", ("AZURE_CLIENT_SECRET",), _LOADS)
    server.sense_revive(
        _REVIVES + 0.02, "constructor", ("langchain_openai", "chat_models", "base", "ChatOpenAI"), _LOADS
    )
    call(
        server, _REVIVES + 3.0, DROP, Stack(("httpx", "openai", "langchain-openai", *_AGENT.frames), thread=4)
    )
    return scene.streams(), _attack(
        server,
        _REVIVES + 3.0,
        ("land", "run", "leave"),
        ("environment AZURE_CLIENT_SECRET",),
        "a secret that no agent needs goes into an object, and a new place is called",
    )


@attack("state-takes-credentials", FULL, KERNEL_AND_SENSOR, SENSOR_AND_AUDIT)
def state_takes_credentials(setting: Setting) -> tuple[Streams, Label]:
    """The revived class runs code when it is built: credentials are taken on the reviver's stack."""
    scene, server = _agent(setting)
    _messages(server, _REVIVES)
    server.sense_revive(_REVIVES + 0.01, "constructor", ("runpy", "run_path"), _LOADS)
    steal(server, _REVIVES, _LOADS, _AT_ONCE)
    return scene.streams(), _attack(
        server,
        _REVIVES + _AT_ONCE.leave,
        ("land", "reach", "pivot", "leave"),
        (MANAGED_IDENTITY, SERVICE_ACCOUNT, STOLEN_SECRET),
        "the reviver is on the stack of what takes the credentials",
    )


def _yesterday(setting: Setting) -> Streams:
    """A day of the agent: its store, its model, its messages."""
    scene, server = _agent(setting)
    _messages(server, 600.0)
    call(server, 601.0, _MODEL, _CLIENT)
    return scene.streams()


@attack("state-redirects-client", FULL, KERNEL_AND_SENSOR)
def state_redirects_client(setting: Setting) -> tuple[Streams, Label, Streams]:
    """The injected client takes the model's own key, and sends it to a place that the workload never knew."""
    scene, server = _agent(setting)
    _messages(server, _REVIVES)
    server.sense_revive(_REVIVES + 0.01, "secret", ("OPENAI_API_KEY",), _LOADS)
    server.sense_revive(
        _REVIVES + 0.02, "constructor", ("langchain_openai", "chat_models", "base", "ChatOpenAI"), _LOADS
    )
    call(server, _REVIVES + 3.0, DROP, _CLIENT)
    label = _attack(
        server,
        _REVIVES + 3.0,
        ("land", "run", "leave"),
        ("environment OPENAI_API_KEY",),
        "a client is built while the agent serves, and a place that the workload never knew is called",
    )
    return scene.streams(), label, _yesterday(setting)


def _benign(server: Process, telling: str, twin: str) -> Label:
    return benign(server, telling, twin, _REVIVES)


@look_alike("checkpoint-revival", FULL, KERNEL_AND_SENSOR, SENSOR_AND_AUDIT)
def checkpoint_revival(setting: Setting) -> tuple[Streams, Label]:
    """Messages come out of the checkpoint all day; the agent talks to its store and its model, and renews its token."""
    scene, server = _agent(setting)
    client = Stack(("httpx", "openai", "langchain-openai", *_AGENT.frames), thread=4)
    for turn in range(4):
        at = 600.0 + turn * 300.0
        call(server, at - 0.1, REDIS, Stack(("langgraph-checkpoint", "langgraph", *_AGENT.frames), thread=4))
        _messages(server, at)
        call(server, at + 0.5, _MODEL, client)
        call(server, at + 3.0, REDIS, Stack(("langgraph-checkpoint", "langgraph", *_AGENT.frames), thread=4))
    managed_identity(server, 1_600.0, _AGENT)
    storage(server, 1_600.2, STORAGE, _AGENT)
    return scene.streams(), _benign(
        server,
        "what is revived are messages, and nothing happens on the reviver's stack",
        "state-builds-client",
    )


@look_alike("saved-chain", FULL, KERNEL_AND_SENSOR)
def saved_chain(setting: Setting) -> tuple[Streams, Label]:
    """A chain that was saved with `dumps` is read at start: a client, a prompt, and the keys that it names."""
    scene, server = _agent(setting)
    loads = Stack(("langchain-core", *_AGENT.frames), thread=4)
    for step, name in enumerate(("OPENAI_API_KEY", "TAVILY_API_KEY")):
        server.sense_revive(8.0 + step * 0.01, "secret", (name,), loads)
    server.sense_revive(8.1, "constructor", ("langchain", "chat_models", "openai", "ChatOpenAI"), loads)
    server.sense_revive(8.2, "constructor", ("langchain", "prompts", "chat", "ChatPromptTemplate"), loads)
    call(server, 12.0, _MODEL, Stack(("httpx", "openai", "langchain-openai", *_AGENT.frames), thread=4))
    return scene.streams(), _benign(
        server, "the keys are those of the services that the agent calls", "state-builds-client"
    )


@look_alike("agent-browses", FULL, KERNEL_AND_SENSOR)
def agent_browses(setting: Setting) -> tuple[Streams, Label, Streams]:
    """An agent with a saved chain and objects of its own in its state reads pages of the web, each for the first time."""
    scene, server = _agent(setting)
    loads = Stack(("langchain-core", *_AGENT.frames), thread=4)
    server.sense_revive(8.0, "secret", ("OPENAI_API_KEY",), loads)
    server.sense_revive(8.1, "constructor", ("langchain", "chat_models", "openai", "ChatOpenAI"), loads)
    call(server, 12.0, _MODEL, _CLIENT)
    for turn in range(3):
        at = 1_000.0 + turn * 300.0
        _messages(server, at)
        server.sense_revive(at + 0.01, "constructor", ("agent", "state", "Plan"), _LOADS)
        page = Endpoint(f"203.0.113.{120 + turn}", 443, f"news-{turn}.example")
        call(server, at + 2.0, page, Stack(("requests", *_AGENT.frames), thread=4))
        call(server, at + 4.0, _MODEL, _CLIENT)
    return (
        scene.streams(),
        _benign(server, "no secret and no client is revived while it serves", "state-redirects-client"),
        _yesterday(setting),
    )


@look_alike("cloud-client-revived", FULL, KERNEL_AND_SENSOR)
def cloud_client_revived(setting: Setting) -> tuple[Streams, Label]:
    """A service reads a saved chain for each request: its cloud client takes a token when it is built, and calls at once."""
    scene, server = _agent(setting)
    loads = Stack(("langchain-core", *_AGENT.frames), thread=4)
    for at in (30.0, 1_200.0, 1_500.0):
        server.sense_revive(
            at, "constructor", ("langchain", "chat_models", "azure_openai", "AzureChatOpenAI"), loads
        )
        used = Stack(("langchain-openai", *loads.frames), thread=4)
        managed_identity(server, at + 0.3, used)
        call(server, at + 0.8, _MODEL, Stack(("httpx", "openai", *used.frames), thread=4))
    return scene.streams(), _benign(
        server, "one credential, and the place that the client is for", "state-takes-credentials"
    )
