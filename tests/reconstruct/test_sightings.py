"""Where else the same artifact is: by version, digest and file, in any order, bounded, and told honestly."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.context.ledger import Scans, file_id
from eightysix.detect.state import PodState, step
from eightysix.model.event import Artifact, Distribution, Event
from eightysix.model.words import Access, Kind, Origin, Source
from eightysix.reconstruct.sightings import MAX_EVIDENCE, MAX_SIGHTINGS, Places, find_sightings, sightings
from tests.detect.events import event, install, metadata
from tests.detect.test_scanned import BAD, held

SHA = "5e" * 32
PACKAGE = Artifact("pypi", "Torch_Perf.Utils", "1.4.3")
MODEL = file_id(64_768, 7, 9, 5)


def state(key: str, events: Iterable[Event]) -> PodState:
    found = PodState(key=key)
    for each in events:
        step(found, each)
    return found


def of_pod(key: str, *events: Event, **more: Any) -> PodState:
    """A pod that did `events`, as pod `ml/KEY` on node `n`."""
    from msgspec.structs import replace

    told = {"pod_uid": key, "pod": key} | more
    return state(key, [replace(each, event_id=f"{key}{each.event_id}", **told) for each in events])


def find(
    states: Iterable[PodState], *artifacts: Artifact, **more: Any
) -> list[tuple[str, str, str, bool | None]]:
    told = sightings(list(states), artifacts, **({"exclude": (), "taken": ()} | more))
    return [(s.pod, s.how, s.artifact, s.same) for s in told]


def version(text: str, name: str = "torch-perf-utils") -> tuple[Artifact, ...]:
    return (Artifact("pypi", name, text),)


def test_a_package_by_name_and_version() -> None:
    states = [
        of_pod("same", install(5.0, artifacts=version("1.4.3"))),
        of_pod("other", install(6.0, artifacts=version("1.4.2"))),
        of_pod("untold", install(7.0, artifacts=version(""))),
        of_pod("clean", install(8.0, artifacts=version("1.4.3", "numpy")), metadata(9.0)),
    ]
    assert find(states, PACKAGE) == [
        ("same", "installed", "torch-perf-utils==1.4.3", True),
        ("untold", "installed", "torch-perf-utils", None),
        ("other", "installed", "torch-perf-utils==1.4.2", False),
    ]


@pytest.mark.parametrize(
    ("told", "same"), [("v1.4.3", True), ("1.4.3.0", True), ("1.4.3+cu121", False), ("1.4.30", False)]
)
def test_versions_that_are_the_same_release(told: str, same: bool) -> None:
    assert find([of_pod("p", install(5.0, artifacts=version(told)))], PACKAGE)[0][3] is same


def test_without_a_version_nobody_can_say_whether_it_is_the_same() -> None:
    found = find(
        [of_pod("p", install(5.0, artifacts=version("1.4.3")))], Artifact("pypi", "torch-perf-utils")
    )
    assert found == [("p", "installed", "torch-perf-utils==1.4.3", None)]


def test_the_sensor_tells_of_packages_that_run() -> None:
    runs = event(
        Kind.IMPORT,
        5.0,
        source=Source.SENSOR,
        origin=Origin.SUSPECT,
        module="torch_perf_utils",
        dists=(Distribution("torch-perf-utils", "1.4.3", 12.0, True),),
    )
    assert find([of_pod("p", runs)], PACKAGE) == [("p", "loaded", "torch-perf-utils==1.4.3", True)]
    both = of_pod("p", runs, install(3.0, artifacts=version("1.4.3")), install(2.0, artifacts=version("")))
    (one,) = sightings([both], [PACKAGE], exclude=(), taken=())
    assert (one.how, one.same, len(one.evidence)) == ("installed", True, 2)


def test_an_image_by_its_digest() -> None:
    wanted = Artifact("oci", "registry.example/ml/inference:prod", f"sha256:{SHA}")
    states = [
        of_pod(
            "same", metadata(1.0, image="registry.example/ml/inference:prod", image_digest=f"sha256:{SHA}")
        ),
        of_pod("elsewhere", metadata(1.0, image="mirror.example/x@sha256:1", image_digest=f"sha256:{SHA}")),
        of_pod(
            "older",
            metadata(1.0, image="registry.example/ml/inference:prod", image_digest="sha256:" + "00" * 32),
        ),
    ]
    assert [(pod, how, same) for pod, how, _, same in find(states, wanted)] == [
        ("elsewhere", "image", True),
        ("same", "image", True),
    ]


def test_a_tag_moves_so_it_says_nothing() -> None:
    wanted = Artifact("oci", "registry.example/ml/inference", "prod")
    pod = of_pod("p", metadata(1.0, image="registry.example/ml/inference:prod", image_digest=f"sha256:{SHA}"))
    assert find([pod], wanted) == [("p", "image", "registry.example/ml/inference:prod", None)]


def test_a_model_by_what_a_scan_says_that_the_file_holds() -> None:
    scans = Scans()
    scans.note(held(host="N."))
    load = event(
        Kind.FILE, 5.0, file_path="/models/m.bin", file_id=MODEL, access=Access.READ, node="",
        source=Source.SENSOR, origin=Origin.SUSPECT,
    )  # fmt: skip
    pod = of_pod("p", load, metadata(1.0))
    for wanted in (Artifact("model", "m", BAD), Artifact("file", "m.bin", MODEL)):
        assert find([pod], wanted, scans=scans) == [("", "scanned", BAD, True), ("p", "loaded", BAD, True)]
    assert find([pod], Artifact("file", "m.bin", MODEL)) == [("p", "loaded", "/models/m.bin", None)]
    assert find(
        [of_pod("q", load, metadata(1.0), node="other")], Artifact("model", "m", BAD), scans=scans
    ) == [("", "scanned", BAD, True)]


def test_a_model_of_a_hub_by_its_name_and_no_file_that_every_model_has() -> None:
    hub = event(Kind.EXEC, 5.0, activity="download", artifacts=(Artifact("model", "acme/intent"),))
    common = event(Kind.FILE, 6.0, activity="model-file", file_path="/m/model.safetensors", access=Access.WRITE,
                   artifacts=(Artifact("model", "model.safetensors"),))  # fmt: skip
    pod = of_pod("p", hub, common)
    assert find([pod], Artifact("model", "acme/intent")) == [("p", "installed", "acme/intent", None)]
    assert find([pod], Artifact("model", "model.safetensors")) == []


def test_the_storys_own_pods_are_left_out_and_those_that_lost_a_credential_come_first() -> None:
    states = [of_pod(name, install(5.0 + at)) for at, name in enumerate(("a", "b", "c", "own"))]
    told = sightings(states, [PACKAGE], exclude={"own"}, taken={"c"})
    assert [(s.pod, s.identity_taken) for s in told] == [("c", True), ("a", False), ("b", False)]
    assert told[0].cluster == "c"
    assert told[0].node == "n"
    assert told[0].uid == "c"


def test_nothing_is_looked_for_and_nothing_is_found() -> None:
    states = [of_pod("p", install(5.0))]
    assert find(states) == []
    assert find(states, Artifact("pypi", "")) == []
    assert find([], PACKAGE) == []


def test_it_is_bounded_and_says_how_many_more() -> None:
    states = [of_pod(f"p{at:03}", install(5.0 + at)) for at in range(MAX_SIGHTINGS + 7)]
    told, more = find_sightings(states, [PACKAGE], exclude=(), taken=())
    assert (len(told), more) == (MAX_SIGHTINGS, 7)
    assert told[0].pod == "p000"
    busy = of_pod("p", *(install(5.0 + at) for at in range(40)))
    (one,) = sightings([busy], [PACKAGE], exclude=(), taken=())
    assert len(one.evidence) <= MAX_EVIDENCE


@given(st.randoms(use_true_random=False))
def test_order_and_repetition_change_nothing(chance: random.Random) -> None:
    events = {
        f"p{at}": [
            install(5.0 + at),
            install(3.0, artifacts=version("1.4.2")),
            install(9.0 - at),
            metadata(1.0),
        ]
        for at in range(6)
    }
    plain = [of_pod(key, *told) for key, told in events.items()]
    mixed = [of_pod(key, *chance.choices(told, k=4), *chance.sample(told, 4)) for key, told in events.items()]
    wanted = [PACKAGE, Artifact("pypi", "other")]
    expected = find_sightings(plain, wanted, exclude=("p1",), taken=("p2",))
    shuffled = chance.sample(mixed, len(mixed))
    assert find_sightings(shuffled, chance.sample(wanted, 2), exclude=("p1",), taken=("p2",)) == expected


class Everywhere(Places):
    """Looks into every pod, whatever is wanted."""

    def __init__(self, states: list[PodState]) -> None:
        super().__init__(states)
        self.all = sorted(states, key=lambda state: state.key)

    def of(self, marks: object) -> list[PodState]:
        return self.all


KINDS = st.sampled_from(["pypi", "oci", "model", "file", "url", "npm"])
WORDS = st.sampled_from(
    ["a", "A_b", "a-b", "r.example/x:1", f"r.example/x@sha256:{SHA}", "/m/a.bin", "config.json", ""]
)
VERSIONS = st.sampled_from(["", "1.4.3", "v1.4.3.0", SHA, f"sha256:{SHA}", MODEL, "1"])
ARTIFACTS = st.builds(Artifact, KINDS, WORDS, VERSIONS)
EVENTS = st.one_of(
    st.builds(lambda at, one: install(at, artifacts=(one,)), st.floats(1, 9), ARTIFACTS),
    st.builds(
        lambda at, name, told: metadata(at, image=name, image_digest=told), st.floats(1, 9), WORDS, VERSIONS
    ),
    st.builds(
        lambda at, path, told, known, access: event(
            Kind.FILE,
            at,
            file_path=path,
            file_id=known,
            digest=told,
            access=access,
            source=Source.SENSOR,
            origin=Origin.SUSPECT,
        ),
        st.floats(1, 9),
        WORDS,
        VERSIONS,
        st.sampled_from(["", MODEL]),
        st.sampled_from(list(Access)),
    ),
    st.builds(
        lambda at, name, told: event(
            Kind.IMPORT,
            at,
            source=Source.SENSOR,
            origin=Origin.SUSPECT,
            dists=(Distribution(name, told, 1.0, True),),
        ),
        st.floats(1, 9),
        WORDS,
        VERSIONS,
    ),
)


@given(
    st.lists(st.lists(EVENTS, min_size=1, max_size=4), max_size=5),
    st.lists(ARTIFACTS, max_size=3),
    st.booleans(),
)
def test_what_is_looked_up_is_what_a_look_at_every_pod_finds(
    pods: list[list[Event]], wanted: list[Artifact], scanned: bool
) -> None:
    scans = Scans()
    if scanned:
        scans.note(held(host="n"))
    states = [of_pod(f"p{number}", *events) for number, events in enumerate(pods)]
    places = Places(states)
    for _ in range(2):  # what was looked through once is as good the second time
        assert find_sightings(places, wanted, exclude=("p0",), taken=(), scans=scans) == find_sightings(
            Everywhere(states), wanted, exclude=("p0",), taken=(), scans=scans
        )


@given(
    st.lists(
        st.builds(
            Artifact, st.sampled_from(["pypi", "oci", "model", "file", "npm", "\0"]), st.text(), st.text()
        )
    ),
    st.text(),
    st.text(),
)
def test_no_text_makes_it_fail(artifacts: list[Artifact], name: str, told: str) -> None:
    pod = of_pod(
        "p",
        install(5.0, artifacts=(Artifact("pypi", name, told),)),
        metadata(1.0, image=name, image_digest=told),
    )
    for found in sightings([pod], [*artifacts, Artifact("pypi", name, told)], exclude=(), taken=()):
        assert found.pod == "p"
