"""The injection patch: it adds and never changes what is there, is empty the second time, and makes valid pods."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import jsonpatch
import kubernetes_validate  # type: ignore[import-untyped]
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from eightysix.gate.inject import Injection, Options, inject
from eightysix.gate.parts import (
    CONTAINERS,
    ENV_FROM,
    EXCLUDE,
    HOME,
    IMAGE_PRELOAD,
    INJECTED,
    INSTALLER,
    PRELOAD,
    RUN,
    SENSOR,
    STATE,
    UID,
)

OPTIONS = Options("registry.example/eightysix-sensor@sha256:" + "5e" * 32)
OURS = {"eightysix-sensor", "eightysix-pods", "eightysix-sensor-state"}
NAMES = {
    UID,
    "EIGHTYSIX_SENSOR",
    "EIGHTYSIX_SENSOR_HOME",
    "EIGHTYSIX_SENSOR_STATE",
    "EIGHTYSIX_SENSOR_CONTAINER",
}
VERSIONS = ("1.28", "1.31", kubernetes_validate.latest_version())

Pod = dict[str, Any]


def pod(**container: object) -> Pod:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "inference-0", "namespace": "ml", "labels": {SENSOR: "enabled"}},
        "spec": {
            "containers": [{"name": "server", "image": "registry.example/ml/inference:prod", **container}]
        },
    }


def with_meta(annotations: Mapping[str, str], **container: object) -> Pod:
    made = pod(**container)
    made["metadata"]["annotations"] = dict(annotations)
    return made


def applied(before: Pod, told: Injection) -> Pod:
    after: Pod = jsonpatch.JsonPatch(list(told.patch)).apply(copy.deepcopy(before))
    return after


def injected(before: Pod, **options: Any) -> Pod:
    told = inject(before, OPTIONS, **options)
    assert told.patch, told.reason
    return applied(before, told)


def environment(container: Pod) -> dict[str, Any]:
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container.get("env", [])}


def valid(made: Pod, version: str = VERSIONS[-1]) -> None:
    kubernetes_validate.validate(made, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_pod_that_asks_for_it_gets_the_sensor(version: str) -> None:
    after = injected(pod())
    valid(after, version)
    first = after["spec"]["initContainers"][0]
    assert first["command"] == ["python", "-m", "eightysix_sensor", "install", HOME]
    (server,) = after["spec"]["containers"]
    env = environment(server)
    assert env["LD_PRELOAD"] == PRELOAD
    assert env["EIGHTYSIX_SENSOR"] == f"unix:{RUN}/s.sock"
    assert env[UID] == {"fieldRef": {"fieldPath": "metadata.uid"}}
    mounts = {each["mountPath"]: each for each in server["volumeMounts"]}
    assert mounts[RUN]["subPathExpr"] == f"$({UID})"
    assert mounts[RUN]["readOnly"] is mounts[HOME]["readOnly"] is True
    assert "readOnly" not in mounts[STATE]
    assert after["metadata"]["annotations"] == {INJECTED: OPTIONS.image}


def test_the_container_that_installs_may_run_where_pods_are_restricted() -> None:
    context = injected(pod())["spec"]["initContainers"][0]["securityContext"]
    assert context == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


# --- LD_PRELOAD is appended to, never replaced


@pytest.mark.parametrize(
    ("there", "after"),
    [
        ({"value": "/usr/lib/libjemalloc.so.2"}, f"/usr/lib/libjemalloc.so.2:{PRELOAD}"),
        ({"value": "/a.so /b.so"}, f"/a.so /b.so {PRELOAD}"),
        ({"value": "$(JEMALLOC)"}, f"$(JEMALLOC):{PRELOAD}"),
        ({"value": ""}, PRELOAD),
        ({}, PRELOAD),
        ({"value": f"/a.so:{PRELOAD}"}, f"/a.so:{PRELOAD}"),
    ],
)
def test_what_is_preloaded_stays(there: dict[str, str], after: str) -> None:
    before = pod(
        env=[{"name": "A", "value": "1"}, {"name": "LD_PRELOAD", **there}, {"name": "B", "value": "2"}]
    )
    made = injected(before)
    valid(made)
    env = made["spec"]["containers"][0]["env"]
    assert [each["name"] for each in env[:3]] == ["A", "LD_PRELOAD", "B"]
    assert environment(made["spec"]["containers"][0])["LD_PRELOAD"] == after


def test_of_two_the_last_one_counts() -> None:
    before = pod(
        env=[{"name": "LD_PRELOAD", "value": "/first.so"}, {"name": "LD_PRELOAD", "value": "/last.so"}]
    )
    env = injected(before)["spec"]["containers"][0]["env"]
    assert [each["value"] for each in env[:2]] == ["/first.so", f"/last.so:{PRELOAD}"]


def test_what_the_image_preloads_is_told_by_an_annotation() -> None:
    made = injected(with_meta({IMAGE_PRELOAD: "/usr/lib/libjemalloc.so.2"}))
    assert environment(made["spec"]["containers"][0])["LD_PRELOAD"] == f"/usr/lib/libjemalloc.so.2:{PRELOAD}"


SOURCE = {"configMapKeyRef": {"name": "c", "key": "k"}}
LEFT_OUT: list[tuple[dict[str, Any], str]] = [
    ({"env": [{"name": "LD_PRELOAD", "valueFrom": SOURCE}]}, "valueFrom"),
    ({"envFrom": [{"secretRef": {"name": "s"}}]}, "from a Secret"),
    ({"envFrom": [{"configMapRef": {"name": "c"}}]}, "the ConfigMap c, which may"),
    ({"env": [{"name": "EIGHTYSIX_SENSOR", "value": "off"}]}, "sets EIGHTYSIX_SENSOR to something else"),
    ({"env": [{"name": "EIGHTYSIX_SENSOR_DISABLE", "value": "1"}]}, "EIGHTYSIX_SENSOR_DISABLE"),
    ({"env": [{"name": UID, "value": "another"}]}, f"sets {UID}"),
    ({"volumeMounts": [{"name": "x", "mountPath": HOME}]}, "something else at /opt/eightysix"),
    (
        {"volumeMounts": [{"name": "x", "mountPath": "/var/run/eightysix/"}]},
        "something else at /run/eightysix",
    ),
    ({"volumeMounts": [{"name": "x", "mountPath": f"{RUN}/deep"}]}, "inside of /run/eightysix"),
    ({"volumeMounts": [{"name": "x", "mountPath": "/opt", "readOnly": True}]}, "/opt read-only"),
]


@pytest.mark.parametrize(("container", "reason"), LEFT_OUT)
def test_what_cannot_be_done_without_touching_something_is_not_done(
    container: dict[str, Any], reason: str
) -> None:
    told = inject(pod(**container), OPTIONS)
    assert told.patch == ()
    assert reason in told.left_out["server"]


def test_a_container_that_is_left_out_keeps_no_other_from_it() -> None:
    before = pod()
    before["spec"]["containers"].append({"name": "other", "image": "x", **LEFT_OUT[0][0]})
    told = inject(before, OPTIONS)
    after = applied(before, told)
    assert list(told.left_out) == ["other"]
    assert after["spec"]["containers"][1] == before["spec"]["containers"][1]


@pytest.mark.parametrize(
    ("keys", "prefix", "works"),
    [
        ({"JEMALLOC"}, "", True),
        ({"LD_PRELOAD"}, "", False),
        ({"PRELOAD"}, "LD_", False),
        ({"LD_PRELOAD"}, "APP_", True),
    ],
)
def test_the_keys_of_a_config_map_decide(keys: set[str], prefix: str, works: bool) -> None:
    before = pod(envFrom=[{"prefix": prefix, "configMapRef": {"name": "c"}}])
    told = inject(before, OPTIONS, config_keys={"c": frozenset(keys)})
    assert bool(told.patch) is works


def test_who_knows_what_a_secret_holds_may_say_so() -> None:
    before = with_meta({ENV_FROM: "true"}, envFrom=[{"secretRef": {"name": "s"}}])
    assert environment(injected(before)["spec"]["containers"][0])["LD_PRELOAD"] == PRELOAD


# --- which pods, and which containers


def changed(**spec: object) -> Pod:
    made = pod()
    made["spec"] |= spec
    return made


def labelled(value: str | None, annotation: str | None = None) -> Pod:
    made = pod()
    made["metadata"]["labels"] = {} if value is None else {SENSOR: value}
    if annotation is not None:
        made["metadata"]["annotations"] = {SENSOR: annotation}
    return made


@pytest.mark.parametrize(
    ("before", "options", "reason"),
    [
        (labelled(None), {}, "does not ask"),
        (labelled("true"), {}, "does not ask"),
        (labelled("enabled", "disabled"), {}, "does not ask"),
        (pod(), {"namespace": "kube-system"}, "kube-system never"),
        (changed(os={"name": "windows"}), {}, "Windows"),
        (changed(nodeSelector={"kubernetes.io/os": "windows"}), {}, "Windows"),
        (with_meta({"kubernetes.io/config.mirror": "x"}), {}, "static pod"),
        (pod(), {"pod_security": "restricted"}, "allows no hostPath"),
        (pod(), {"pod_security": "baseline"}, "allows no hostPath"),
        (changed(volumes=[{"name": "eightysix-pods", "emptyDir": {}}]), {}, "another volume"),
        (changed(initContainers=[{"name": INSTALLER, "image": "evil"}]), {}, "another container"),
        (with_meta({EXCLUDE: "server"}), {}, "no container is left"),
        ({"kind": "Node", "metadata": {}, "spec": {}}, {}, "no pod"),
        ({"metadata": {"labels": 7}, "spec": ["x"]}, {}, "no pod"),
    ],
)
def test_pods_that_get_nothing_and_why(before: Pod, options: Any, reason: str) -> None:
    told = inject(before, OPTIONS, **options)
    assert told.patch == ()
    assert reason in told.reason


def test_a_pod_without_a_namespace_waits_for_one() -> None:
    before = pod()
    del before["metadata"]["namespace"]
    assert "namespace is not known" in inject(before, OPTIONS).reason
    assert inject(before, OPTIONS, namespace="ml").patch


def test_an_annotation_asks_too() -> None:
    assert inject(labelled(None, "enabled"), OPTIONS).patch


def test_where_a_driver_mounts_the_folder_no_host_path_is_needed() -> None:
    told = inject(pod(), Options("i", csi_driver="pods.example"), pod_security="restricted")
    after = applied(pod(), told)
    valid(after)
    assert not any("hostPath" in volume for volume in after["spec"]["volumes"])
    assert inject(after, Options("i", csi_driver="pods.example"), pod_security="restricted").patch == ()


def test_a_sidecar_is_a_container_and_an_init_container_has_to_be_named() -> None:
    init = [{"name": "fetch", "image": "a"}, {"name": "proxy", "image": "b", "restartPolicy": "Always"}]
    before = changed(initContainers=init)
    told = inject(before, OPTIONS)
    after = applied(before, told)
    valid(after)
    installer, fetch, proxy = after["spec"]["initContainers"]
    assert installer["name"] == INSTALLER
    assert fetch == init[0]
    assert environment(proxy)["LD_PRELOAD"] == PRELOAD
    assert "only where" in told.left_out["fetch"]
    before["metadata"]["annotations"] = {CONTAINERS: "fetch, server"}
    told = inject(before, OPTIONS)
    after = applied(before, told)
    assert environment(after["spec"]["initContainers"][1])["LD_PRELOAD"] == PRELOAD
    assert set(told.left_out) == {"proxy"}


def test_proxies_of_meshes_and_ephemeral_containers_go_without() -> None:
    before = changed(ephemeralContainers=[{"name": "debug", "image": "x"}])
    before["spec"]["containers"].append({"name": "istio-proxy", "image": "x"})
    told = inject(before, OPTIONS)
    assert set(told.left_out) == {"debug", "istio-proxy"}


@pytest.mark.parametrize("field", ["hostPID", "hostNetwork", "hostIPC", "shareProcessNamespace"])
def test_namespaces_of_the_node_change_nothing(field: str) -> None:
    valid(injected(changed(**{field: True})))


def test_a_user_of_its_own_and_a_read_only_root_change_nothing() -> None:
    context = {"runAsNonRoot": True, "runAsUser": 1000, "readOnlyRootFilesystem": True}
    after = injected(pod(securityContext=context))
    valid(after)
    assert after["spec"]["containers"][0]["securityContext"] == context


def test_what_the_api_server_adds_does_not_make_it_another() -> None:
    after = injected(pod())
    after["spec"]["initContainers"][0] |= {
        "imagePullPolicy": "IfNotPresent",
        "terminationMessagePath": "/dev/x",
    }
    after["spec"]["volumes"][1]["hostPath"]["type"] = "DirectoryOrCreate"
    env = after["spec"]["containers"][0]["env"]
    env[0]["valueFrom"]["fieldRef"]["apiVersion"] = "v1"
    token = {"name": "kube-api-access", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
    after["spec"]["containers"][0]["volumeMounts"].append({**token, "readOnly": True})
    told = inject(after, OPTIONS)
    assert (told.patch, told.reason) == ((), "it is injected already")


# --- properties

WORDS = st.sampled_from(["a", "server", "proxy", "worker", "fetch", "istio-proxy", "x-1"])
TEXTS = st.sampled_from(
    ["", "1", "/usr/lib/libjemalloc.so.2", "/a.so /b.so", "$(A)", PRELOAD, f"/a.so:{PRELOAD}"]
)
VARIABLES = st.one_of(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["A", "LD_PRELOAD", "PYTHONPATH", "EIGHTYSIX_SENSOR", UID])},
        optional={"value": TEXTS},
    ),
    st.just({"name": "LD_PRELOAD", "valueFrom": SOURCE}),
)
PATHS = st.sampled_from(["/data", "/opt", "/run", "/var/run", HOME, f"{RUN}/x", "/tmp", "/var/run/secrets/x"])
MOUNTS = st.fixed_dictionaries(
    {"name": st.just("data"), "mountPath": PATHS}, optional={"readOnly": st.booleans()}
)
CONTAINER = st.fixed_dictionaries(
    {"name": WORDS, "image": st.just("registry.example/x:1")},
    optional={
        "env": st.lists(VARIABLES, max_size=4),
        "envFrom": st.lists(
            st.sampled_from([{"secretRef": {"name": "s"}}, {"configMapRef": {"name": "c"}}]), max_size=1
        ),
        "volumeMounts": st.lists(MOUNTS, max_size=3, unique_by=lambda each: str(each["mountPath"])),
        "securityContext": st.just({"runAsNonRoot": True, "readOnlyRootFilesystem": True}),
        "command": st.just(["python", "/app/server.py"]),
        "resources": st.just({"limits": {"nvidia.com/gpu": "1"}}),
    },
)
INIT = st.tuples(CONTAINER, st.booleans()).map(
    lambda both: both[0] | ({"restartPolicy": "Always"} if both[1] else {})
)


@st.composite
def pods(draw: st.DrawFn) -> Pod:
    unique = {"min_size": 1, "max_size": 3, "unique_by": lambda each: each["name"]}
    made: Pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "ml", "labels": {SENSOR: "enabled", "app": "x"}},
        "spec": {"containers": draw(st.lists(CONTAINER, **unique))},  # type: ignore[arg-type]
    }
    spec = made["spec"]
    if draw(st.booleans()):
        names = {each["name"] for each in spec["containers"]}
        init = draw(st.lists(INIT, **unique))  # type: ignore[arg-type]
        spec["initContainers"] = [each for each in init if each["name"] not in names]
    if draw(st.booleans()):
        spec["volumes"] = [{"name": "data", "emptyDir": {}}]
    annotations = draw(
        st.dictionaries(
            st.sampled_from([CONTAINERS, EXCLUDE, IMAGE_PRELOAD, ENV_FROM, "other/annotation"]),
            st.sampled_from(["server", "worker,fetch", "true", "/usr/lib/x.so"]),
            max_size=3,
        )
    )
    empty = draw(st.booleans())
    if annotations or empty:
        made["metadata"]["annotations"] = annotations
    for field in ("hostPID", "hostNetwork", "shareProcessNamespace"):
        if draw(st.booleans()):
            spec[field] = True
    return made


def stripped(after: Pod, before: Pod) -> Pod:
    """`after` without what is the sensor's: what is left must be `before`."""
    rest = copy.deepcopy(after)
    spec = rest["spec"]
    spec["volumes"] = [each for each in spec["volumes"] if each["name"] not in OURS]
    spec["initContainers"] = [each for each in spec["initContainers"] if each["name"] != INSTALLER]
    del rest["metadata"]["annotations"][INJECTED]
    for field in ("volumes", "initContainers"):
        if field not in before["spec"]:
            assert spec.pop(field) == []
    if "annotations" not in before["metadata"]:
        assert rest["metadata"].pop("annotations") == {}
    for field in ("initContainers", "containers"):
        for each, was in zip(spec.get(field, []), before["spec"].get(field, []), strict=True):
            _strip(each, was)
    return rest


def _strip(container: Pod, was: Pod) -> None:
    for field, ours in (("env", NAMES | {"LD_PRELOAD"}), ("volumeMounts", OURS)):
        known = was.get(field, [])
        found = container.get(field, [])
        added = found[len(known) :]
        assert all(each["name"] in ours for each in added)
        container[field] = found[: len(known)]
        if field not in was:
            assert container.pop(field) == []
    for each, before in zip(container.get("env", []), was.get("env", []), strict=True):
        if each["name"] == "LD_PRELOAD" and each != before:
            value = before.get("value", "")
            assert each["value"].startswith(value)
            assert each["value"][len(value) :] in (PRELOAD, f":{PRELOAD}", f" {PRELOAD}")
            each.clear()
            each |= before


@given(pods())
def test_nothing_but_the_sensor_is_added_and_a_second_time_nothing(before: Pod) -> None:
    kept = copy.deepcopy(before)
    told = inject(before, OPTIONS)
    assert before == kept
    if not told.patch:
        assert told.reason
        return
    after = applied(before, told)
    assert stripped(after, before) == before
    again = inject(after, OPTIONS)
    assert again.patch == ()
    assert again.left_out == told.left_out


@settings(max_examples=30)
@given(pods())
def test_a_valid_pod_stays_valid(before: Pod) -> None:
    told = inject(before, OPTIONS)
    assume(told.patch)
    valid(before)
    after = applied(before, told)
    valid(after)
    for container in (*after["spec"]["initContainers"], *after["spec"]["containers"]):
        paths = [each["mountPath"] for each in container.get("volumeMounts", [])]
        ours = [path for path in paths if path in (HOME, RUN, STATE)]
        assert len(ours) == len(set(ours))
        env = [each["name"] for each in container.get("env", [])]
        assert all(env.count(name) == 1 for name in NAMES & set(env) if name not in _given(before, container))


def _given(before: Pod, container: Pod) -> set[str]:
    """Variables that the container had: who writes one twice has it twice."""
    every = (*before["spec"].get("initContainers", []), *before["spec"]["containers"])
    return {each["name"] for was in every if was["name"] == container["name"] for each in was.get("env", [])}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["metadata", "spec", "containers", "env", "name", "labels", SENSOR]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_answered(value: object) -> None:
    before: Pod = {"metadata": {"labels": {SENSOR: "enabled"}, "namespace": "ml"}, "spec": value}
    told = inject(before, OPTIONS)
    if told.patch:
        applied(before, told)
