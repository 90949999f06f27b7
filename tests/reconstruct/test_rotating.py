"""What to do and in which order: whole lists, the order's rules, and that lines are inert in a real shell."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from eightysix.model.event import Artifact
from eightysix.model.incident import PodRef
from eightysix.model.story import Rotation
from eightysix.model.words import IdentityState
from eightysix.reconstruct.isolating import LABEL, POLICY
from eightysix.reconstruct.revoking import KINDS
from eightysix.reconstruct.rotating import MAX_IDENTITIES
from eightysix.report.inert import LIMIT
from tests.reconstruct.aftermath import (
    CLIENT,
    EVERY_KIND,
    EXPOSED,
    IDENTITIES,
    POD,
    breach,
    every_kind,
    identity,
    sighting,
    text_of,
    use,
)

SNAPSHOTS = Path(__file__).parent / "snapshots"


@pytest.mark.parametrize(("name", "steps"), [("breach", breach()), ("every-kind", every_kind())])
def test_the_whole_list_is_as_it_was_reviewed(name: str, steps: tuple[Rotation, ...]) -> None:
    path = SNAPSHOTS / f"rotation-{name}.txt"
    text = text_of(steps)
    if os.environ.get("EIGHTYSIX_UPDATE_SNAPSHOTS"):
        path.write_text(text)
    assert text == path.read_text()


def place(steps: tuple[Rotation, ...], words: str) -> int:
    """The order of the one step that begins with `words`."""
    (found,) = [step.order for step in steps if step.what.startswith(words)]
    return found


def test_what_still_runs_is_stopped_first_and_kept_until_the_end() -> None:
    steps = breach()
    assert [step.order for step in steps] == list(range(1, len(steps) + 1))
    order = [
        place(steps, "isolate pod ml/inference-0"),
        place(steps, "see that nothing leaves"),
        place(steps, "isolate the other pods that lost"),
        place(steps, "take the evidence"),
        place(steps, "cut the role assignments"),  # in use from outside, and not to be revoked
        place(steps, "stop new tokens"),
        place(steps, "cut what service account"),
        place(steps, "change what every secret"),
        place(steps, "change what was only exposed"),
        place(steps, "block the artifact"),
        place(steps, "isolate or replace"),
        place(steps, "delete pod"),
        place(steps, "look for what they left"),
    ]
    assert order == sorted(order)


def test_what_is_used_from_outside_comes_before_what_cannot_be_revoked() -> None:
    quiet = identity("managed-identity", "of the pod", ids=(CLIENT,))
    abused = identity("secret", "ml/acr-push-sp", IdentityState.USED, uses=(use("198.51.100.7"),))
    ours = identity("secret", "ml/other", IdentityState.USED, uses=(use("10.0.0.4", foreign=False),))
    before = identity("secret", "ml/before", IdentityState.USED, uses=(use("198.51.100.7", after=False),))
    steps = breach(identities=(before, quiet, ours, abused), exposed=())
    told = [step.what for step in steps if "cut" in step.what or "secret" in step.what]
    assert [words.split(" holds")[0] for words in told] == [
        "change what secret ml/acr-push-sp",
        "cut the role assignments of managed identity of the pod",
        "change what secret ml/before",
        "change what secret ml/other",
    ]
    (step,) = [step for step in steps if "acr-push-sp" in step.what]
    assert "in use from outside (198.51.100.7)" in step.why


@given(st.randoms(use_true_random=False))
def test_the_order_in_which_things_are_known_changes_nothing(chance: random.Random) -> None:
    def shuffled(things: Any) -> list[Any]:
        return chance.sample(list(things), len(things))

    artifacts = [Artifact("pypi", "a", "1"), Artifact("oci", "b", "c"), Artifact("model", "x/y", "")]
    more = [sighting(f"p-{at}", cluster=f"c-{at % 2}", identity_taken=at % 3 == 0) for at in range(6)]
    told = {"identities": EVERY_KIND, "exposed": EXPOSED, "artifacts": artifacts}
    mixed = {name: shuffled(things) for name, things in told.items()}
    assert breach(**mixed, elsewhere=more) == breach(**told, elsewhere=more)


def test_too_many_identities_do_not_push_out_the_last_steps() -> None:
    many = [identity("secret", f"ml/s-{at:03}") for at in range(MAX_IDENTITIES + 30)]
    steps = breach(identities=many)
    assert "do the same for 30 more: secret ml/s-032" in " ".join(step.what for step in steps)
    assert steps[-1].what.startswith("look for what they left")
    assert len(steps) < MAX_IDENTITIES + 15


def test_a_node_is_closed_only_where_the_chain_left_its_pod() -> None:
    assert not any("on node" in step.what for step in breach())
    left = identity("node", "every pod on it", IdentityState.EXPOSED)
    steps = breach(exposed=(left,))
    assert place(steps, "take no new pods on node") == 3


def test_without_a_pod_nothing_is_isolated_or_deleted() -> None:
    steps = breach(pod=None, elsewhere=(), node="")
    assert not any(step.what.startswith(("isolate", "delete", "take the evidence")) for step in steps)
    assert any("managed identity" in step.what for step in steps)


def test_nothing_is_known_and_nothing_is_made_up() -> None:
    steps = breach(
        pod=None, identities=(), exposed=(), artifacts=(), elsewhere=(), service_account="", node=""
    )
    assert [step.what.split(",")[0] for step in steps] == ["look for what they left behind"]


def test_a_pod_of_another_cluster_gets_a_context_to_fill_in() -> None:
    here, there = sighting("a"), sighting("b", cluster="east")
    commands = [c for step in breach(elsewhere=(here, there)) for c in step.commands]
    assert any("pod/b" in c and "--context='<context of cluster east>'" in c for c in commands)
    assert not any("pod/a" in c and "--context" in c for c in commands)


def test_other_versions_are_not_isolated() -> None:
    commands = [c for step in breach(elsewhere=(sighting("old", same=False),)) for c in step.commands]
    assert not any("pod/old" in command for command in commands)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_step_that_says_how(kind: str) -> None:
    step, *_ = [s for s in breach(identities=(identity(kind, "ml/x"),)) if s.for_entity == f"identity:{kind}"]
    assert len(step.what) > 10
    assert len(step.why) > 40


def test_placeholders_are_explained() -> None:
    for step in (*breach(), *every_kind()):
        if any("<" in command for command in step.commands):
            assert "Fill in <...>" in step.why


def test_a_terminal_leaves_nothing_out() -> None:
    addresses = [use(f"2001:db8:aaaa:bbbb:cccc:dddd:eeee:{at:04x}") for at in range(9)]
    abused = [replace(i, uses=tuple(addresses), state=IdentityState.USED) for i in EVERY_KIND]
    many = [sighting(f"inference-server-6d5f8b7c9d-{at:05}", identity_taken=at % 2 == 0) for at in range(40)]
    for step in (*breach(elsewhere=many), *every_kind(), *breach(identities=abused)):
        assert len(step.why) <= LIMIT, step.what
        assert len(step.what) <= LIMIT, step.what


def test_a_name_that_is_too_long_for_a_line_is_said_to_be() -> None:
    steps = breach(pod=replace(POD, name="x" * 5_000), artifacts=(Artifact("pypi", "x" * 5_000, "1"),))
    (step,) = [step for step in steps if step.what.startswith("isolate pod")]
    assert "A line is missing here" in step.why
    assert all(step.commands)
    (step,) = [step for step in steps if step.what.startswith("block")]
    assert (step.commands, "A line is missing here" in step.why) == ((), True)


def test_a_placeholder_makes_a_line_fail_and_change_nothing() -> None:
    for step in (*breach(), *every_kind()):
        for command in step.commands:
            if "<" in command:  # what is in quotes is a word that no program takes
                assert ">>" not in command
                assert command.startswith(("kubectl ", "az ", "printf ", "eightysix ", "npm ", "vault ")), (
                    command
                )


# ---------------------------------------------------------------------------------------------- a real shell

HOSTILE = (
    "$(touch pwned)",
    "`touch pwned`",
    "x; touch pwned",
    "x' ; touch pwned ; '",
    "x\ntouch pwned",
    "--all",
    "-A",
    "@/etc/passwd",
    "x && touch pwned",
    "x | tee pwned",
    "> pwned",
    "\u202etxt.exe",
    "\x1b]52;c;eA==\x07",
    "*",
    "{}",
    "%s%n",
    "!!",
    "a/b",
)
names = st.sampled_from(HOSTILE) | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=24)

PROGRAMS = ("kubectl", "az", "npm", "vault", "eightysix", "grep", "sort", "tail")
STUB = """#!/bin/sh
printf '%s\\0' "${0##*/}" "$#" "$@" >> "$SPY"
"""


@pytest.fixture(scope="module")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Programs that write down what they were called with."""
    folder = tmp_path_factory.mktemp("stubs")
    for name in PROGRAMS:
        path = folder / name
        path.write_text(STUB)
        path.chmod(0o755)
    return folder


def words_of(steps: tuple[Rotation, ...], folder: Path, stubs: Path | None = None) -> list[list[str]]:
    """What programs were called with when bash ran all lines in an empty folder: programs that bash found in PATH, or
    (cheaper) functions of that bash."""
    folder.mkdir(exist_ok=True)
    spy = folder.with_name(folder.name + "-spy")
    spy.write_bytes(b"")
    environment = {"PATH": f"{stubs}:/usr/bin:/bin", "SPY": str(spy), "HOME": str(folder), "LC_ALL": "C"}
    commands = [command for step in steps for command in step.commands]
    if stubs is None:
        told = """() { printf '%s\\0' "${FUNCNAME[0]}" "$#" "$@" >> "$SPY"; }"""
        commands = [*(name + told for name in (*PROGRAMS, "xargs")), *commands]
    done = subprocess.run(
        ["bash", "-c", "\n".join(commands)],
        cwd=folder,
        env=environment,
        capture_output=True,
        check=False,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    assert done.stderr == b"", (done.stderr, commands)
    words = iter(spy.read_bytes().decode().split("\0")[:-1])
    return [[program, *(next(words) for _ in range(int(next(words))))] for program in words]


def hostile_steps(name: str, other: str) -> tuple[Rotation, ...]:
    return breach(
        pod=PodRef(other, name, name, other, ""),
        workload=name,
        service_account=f"{name}/{other}",
        identities=(
            *(replace(i, name=name, ids=(other,)) for i in EVERY_KIND[:12]),
            identity("secret", f"{other}/{name}"),
            identity("made-pod", f"credential of pod {name}/{other}"),
            identity("service-account", f"{name}/{other}"),
        ),
        exposed=(identity("node", name, IdentityState.EXPOSED),),
        artifacts=(
            Artifact("pypi", name, other),
            Artifact("oci", name, other),
            Artifact("model", other, name),
        ),
        elsewhere=(sighting(name, cluster=name, namespace=other), sighting(other, identity_taken=True)),
        node=name,
    )


_OURS = frozenset({"constraints.txt"})
_PREFIXES = ("pod", "logs", "events", "role-assignments", "bindings")


@pytest.mark.parametrize(("name", "other"), list(zip(HOSTILE, HOSTILE[3:] + HOSTILE[:3], strict=True))[:4])
def test_no_name_is_more_than_a_word_to_a_program(stubs: Path, tmp_path: Path, name: str, other: str) -> None:
    assert_inert(name, other, tmp_path / "cwd", stubs)


@settings(max_examples=30)
@given(name=names, other=names)
@example(name="-A", other="--all")
@example(name="x\ntouch pwned", other="`touch pwned`")
def test_no_name_is_more_than_a_word_to_a_shell(
    tmp_path_factory: pytest.TempPathFactory, name: str, other: str
) -> None:
    assert_inert(name, other, tmp_path_factory.mktemp("run") / "cwd", None)


_VERBS = frozenset({"apply", "label", "annotate", "get", "cordon", "logs", "auth", "delete"})


def assert_inert(name: str, other: str, folder: Path, stubs: Path | None) -> None:
    """Whatever the names are, the same programs are called with as many words and the same options."""
    calls = words_of(hostile_steps(name, other), folder, stubs)
    assert {path.name for path in folder.iterdir() if not path.name.startswith(_PREFIXES)} <= _OURS
    assert {call[0] for call in calls} <= {*PROGRAMS, "xargs"}
    for call in calls:
        options = [word.partition("=")[0] for word in call[1:] if word.startswith("-")]
        if call[0] == "az":
            assert not {name, other} & {value.partition("=")[2] for value in call[1:]} - _FORMED
        if call[0] == "kubectl":
            assert next(word for word in call[1:] if not word.startswith("-")) in _VERBS, call
            assert set(options) <= _OPTIONS, call
    if name and other:
        pod = f"pod/{other}"
        assert ["kubectl", "label", f"--namespace={name}", "--overwrite", pod, f"{LABEL}=true"] in calls
        assert ["kubectl", "delete", f"--namespace={name}", pod] in calls


_FORMED = frozenset({"", "false", "json", "table", "tsv", "password", "POST"})
_OPTIONS = frozenset(
    """--namespace --context --overwrite --validate --filename --output --all-namespaces --field-selector --all-containers
    --timestamps --previous --list --as --no-headers""".split()
)


def test_the_words_of_a_plain_story(stubs: Path, tmp_path: Path) -> None:
    calls = words_of(breach(), tmp_path / "cwd", stubs)
    assert ["kubectl", "apply", "--namespace=ml", "--validate=false", "--filename=-"] in calls
    assert ["kubectl", "label", "--namespace=ml", "--overwrite", "pod/inference-0", f"{LABEL}=true"] in calls
    assert ["kubectl", "delete", "--namespace=ml", "pod/inference-0"] in calls
    assert (tmp_path / "cwd" / "constraints.txt").read_text() == "torch-perf-utils!=1.4.3\n"
    assert (tmp_path / "cwd" / f"role-assignments-{CLIENT}.json").exists()


def test_the_policy_in_the_command_is_the_one_in_deploy(root: Path) -> None:
    import json

    import yaml

    told = yaml.safe_load((root / "deploy/respond/isolate.yaml").read_text())
    assert told == json.loads(POLICY)
    assert told["spec"]["podSelector"]["matchLabels"] == {LABEL: "true"}


def test_the_state_of_an_identity_decides_what_is_cut() -> None:
    exposed = replace(IDENTITIES[0], state=IdentityState.EXPOSED)
    assert not any("cut what service account" in step.what for step in breach(identities=(exposed,)))
