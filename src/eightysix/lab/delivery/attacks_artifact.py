"""Attacks by what is pushed: manifests, layers, registries that lie, tags that move, rules that are bent."""

from __future__ import annotations

import io
import json
import tarfile
from functools import partial
from typing import cast

from eightysix.gate.digests import subject_tag
from eightysix.lab.delivery.book import Case, Outcome, recorded_in
from eightysix.lab.delivery.shelf import Lie, Shelf
from eightysix.lab.delivery.stage import PICKLE, Stage, described, weights
from eightysix.lab.registry import INDEX, MANIFEST, Pushed
from eightysix.model.gate import Channel, RegistryAction, RegistryEvent

__all__ = ["ATTACKS", "told_by"]

ATTACKS: list[Case] = []
attack = partial(recorded_in, ATTACKS)


def told_by(
    stage: Stage,
    repository: str,
    tag: str,
    digest: str,
    *,
    actor: str = "",
    address: str = "10.0.0.5:4711",
    agent: str = "oras/1.2",
) -> RegistryEvent:
    """A push as the registry's webhook tells it."""
    return RegistryEvent(
        id=f"{repository}:{tag}@{digest}",
        channel=Channel.DISTRIBUTION,
        action=RegistryAction.PUSH,
        registry=stage.host,
        repository=repository,
        tag=tag,
        digest=digest,
        actor=actor,
        address=address,
        agent=agent,
    )


def _shelf(stage: Stage) -> Shelf:
    return cast("Shelf", stage.place)


@attack("signature-invalid")
def ignore_paths_abuse(stage: Stage) -> Outcome:
    """A model's signature may say what it leaves out. The attacker's says `extra.pkl`."""
    good = {"config.json": b"{}", "model.safetensors": weights(1)}
    folder = stage.model({**good, "extra.pkl": b"harmless"}, good, ["extra.pkl"])
    return stage.gate.check(folder)


@attack("signature-invalid")
def file_added_to_a_signed_model(stage: Stage) -> Outcome:
    """The signature is the vendor's, and beside what it signs lies one file more, which the loader prefers."""
    good = {"config.json": b"{}", "model.safetensors": weights(1)}
    return stage.gate.check(stage.model({**good, "modeling.py": b"pass\n"}, good))


@attack("content-malformed")
def duplicate_keys_in_the_manifest(stage: Stage) -> Outcome:
    """The manifest names its layers twice: one reader takes the first list, another the last. The pipeline was made to sign
    it."""
    who = stage.ci()
    good = stage.push("ml/llm", "", {"model.safetensors": weights(1)}, commit=who.claims[13])
    bad = stage.push("ml/llm", "", {"model.pkl": PICKLE})
    layers = json.dumps(json.loads(bad.manifest)["layers"]).encode()
    twice = good.manifest[:-1] + b', "layers": ' + layers + b"}"
    digest = stage.place.manifest("ml/llm", "prod", twice)
    stage.attach("ml/llm", digest, stage.box.sign(digest, who))
    return stage.check()


@attack("no-new-commit", "signature-missing")
def signed_child_beside_a_malicious_sibling(stage: Stage) -> Outcome:
    """An index with two platforms: the first is the signed release, the second is the attacker's. The index itself nobody
    signed."""
    good = stage.release(tag="")
    bad = stage.push("ml/llm", "", {"model.safetensors": weights(31_337)})
    stage.index("ml/llm", "prod", good.pushed, bad)
    return stage.check()


@attack("content-malicious", "file-types-changed", "no-new-commit", "signer-drift")
def index_where_a_manifest_was(stage: Stage) -> Outcome:
    """The tag becomes an index, signed by another workflow, whose second platform has a pickle: whoever scans the first only
    sees nothing."""
    good = stage.push("ml/llm", "", {"model.safetensors": weights(1)})
    bad = stage.push("ml/llm", "", {"model.pkl": PICKLE})
    made = stage.index("ml/llm", "prod", good, bad)
    stage.attach("ml/llm", made.digest, stage.box.sign(made.digest, stage.ci(workflow="multi.yml")))
    return stage.check()


@attack("content-unscannable", "no-new-commit")
def indexes_within_indexes(stage: Stage) -> Outcome:
    """Five indexes within each other, signed by a pipeline that signs whatever it is given: the layers lie deeper than readers
    look."""
    inner = stage.push("ml/llm", "", {"model.pkl": PICKLE})
    made = stage.index("ml/llm", "", inner)
    for depth in range(4):
        made = stage.index("ml/llm", "prod" if depth == 3 else "", made, media_type=INDEX)
    stage.attach("ml/llm", made.digest, stage.box.sign(made.digest, stage.ci()))
    return stage.check()


@attack("no-new-commit", "signature-missing")
def unsigned_extra_layer(stage: Stage) -> Outcome:
    """A layer was added to the signed manifest, which makes it another one; the signature stayed with the first."""
    good = stage.release(tag="")
    body = json.loads(good.pushed.manifest)
    data = b"import os\n"
    body["layers"].append(described("text/x-python", stage.place.blob("ml/llm", data), len(data)))
    stage.place.manifest("ml/llm", "prod", json.dumps({**body, "annotations": {}}).encode())
    return stage.check()


@attack("content-malicious", "file-types-changed")
def pickle_where_safetensors_were(stage: Stage) -> Outcome:
    """The signer is right in everything: its build was changed by a dependency, and the weights come as a pickle now."""
    stage.release(files={"model.pkl": PICKLE})
    return stage.check()


@attack("content-malicious")
def pickle_within_a_layer(stage: Stage) -> Outcome:
    """The pickle lies in a tar layer under a name that nobody would look at."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        member = tarfile.TarInfo("usr/share/weights.dat.pkl")
        member.size = len(PICKLE)
        tar.addfile(member, io.BytesIO(PICKLE))
    stage.release(files={"model.safetensors": weights(1), "layer.tar": packed.getvalue()})
    return stage.check()


@attack("content-unscannable")
def a_layer_that_cannot_be_read(stage: Stage) -> Outcome:
    """One layer is named by the manifest and not in the registry: there when a node pulls, away when somebody looks."""
    made = stage.release(files={"model.safetensors": weights(1), "more.safetensors": weights(2)})
    del _shelf(stage).blobs["ml/llm", made.pushed.layers["more.safetensors"]]
    return stage.check()


@attack("registry-lies", "signature-missing")
def bytes_that_are_not_of_the_digest(stage: Stage) -> Outcome:
    """The registry was taken over and answers with another manifest than the digest that it tells."""
    made = stage.release()
    bad = stage.push("ml/llm", "", {"model.pkl": PICKLE})
    _shelf(stage).lies["GET", "/v2/ml/llm/manifests/prod"] = Lie(bad.manifest, digest=made.digest)
    return stage.check()


@attack("content-unscannable")
def a_layer_of_other_bytes(stage: Stage) -> Outcome:
    """The manifest is right, a layer is answered with other bytes of the same length."""
    made = stage.release()
    layer = made.pushed.layers["model.safetensors"]
    true = _shelf(stage).blobs["ml/llm", layer]
    _shelf(stage).lies["GET", f"/v2/ml/llm/blobs/{layer}"] = Lie(true[:-1] + b"\1")
    return stage.check()


@attack("tag-rollback")
def head_and_get_differ(stage: Stage) -> Outcome:
    """HEAD, which watchers ask, tells the new digest; GET, which pulls, gives the old manifest with the old hole."""
    old = stage.release()
    stage.check()
    new = stage.release()
    stage.check()
    shelf = _shelf(stage)
    shelf.lies["HEAD", "/v2/ml/llm/manifests/prod"] = Lie(new.pushed.manifest, digest=new.digest)
    shelf.lies["GET", "/v2/ml/llm/manifests/prod"] = Lie(old.pushed.manifest, digest=old.digest)
    return stage.check()


@attack("signature-missing")
def referrers_hidden(stage: Stage) -> Outcome:
    """The registry hides what is attached, so that a drifted signature looks like a slow one."""
    made = stage.release(identity=stage.ci(runner="self-hosted"))
    _shelf(stage).lies["GET", f"/v2/ml/llm/manifests/{subject_tag(made.digest)}"] = Lie(b"{}", status=404)
    return stage.check()


@attack("signature-invalid", "signature-missing")
def broken_list_of_referrers(stage: Stage) -> Outcome:
    """Whoever may push overwrites the tag that lists the signatures with something that is no list."""
    made = stage.release(identity=stage.ci(runner="self-hosted"))
    stage.place.manifest("ml/llm", subject_tag(made.digest), b'{"schemaVersion": 2}', INDEX)
    return stage.check()


@attack("promotion-digest-differs")
def production_differs_from_staging(stage: Stage) -> Outcome:
    """What was tried in staging is not what is pushed to production; both are signed by the release workflow."""
    stage.release("ml/app", "staging")
    stage.check("ml/app", "staging")
    stage.release("ml/app", "prod")
    return stage.check("ml/app")


@attack("tag-moved")
def version_moved(stage: Stage) -> Outcome:
    """`1.2.2` is on every node and in every lock file. It is pushed again, signed by the release workflow."""
    stage.release(tag="1.2.2", identity=stage.ci(ref="refs/tags/v1.2.2"))
    return stage.check(tag="1.2.2")


@attack("many-tags-moved")
def many_tags_at_once(stage: Stage) -> Outcome:
    """A stolen token of the registry overwrites ten tags of a repository within a minute; what it pushes is harmless yet."""
    tags = [f"team{'abcdefghij'[number]}" for number in range(10)]
    for round_ in range(2):
        for number, tag in enumerate(tags):
            data = {"model.safetensors": weights(round_ * 100 + number)}
            made = stage.push("ml/open", tag, data)
            stage.gate.hear(told_by(stage, "ml/open", tag, made.digest, actor="bot"))
    return stage.check("ml/open", tags[-1])


@attack("new-pusher")
def a_stranger_pushes(stage: Stage) -> Outcome:
    """A repository whose artifacts nobody signs: a user of the registry who never pushed there overwrites the tag."""
    for number in range(4):
        made = stage.push("ml/open", "nightly", {"model.safetensors": weights(number)})
        who = "bot" if number < 3 else "intern"
        stage.gate.hear(told_by(stage, "ml/open", "nightly", made.digest, actor=who))
    return stage.check("ml/open", "nightly")


@attack("pusher-elsewhere")
def a_token_used_elsewhere(stage: Stage) -> Outcome:
    """The same user, from another machine and with another program: the token was taken."""
    for number in range(4):
        made = stage.push("ml/open", "nightly", {"model.safetensors": weights(number)})
        there = {} if number < 3 else {"address": "203.0.113.9:999", "agent": "python-requests/2"}
        stage.gate.hear(told_by(stage, "ml/open", "nightly", made.digest, actor="bot", **there))
    return stage.check("ml/open", "nightly")


@attack("no-new-commit")
def modified_in_transit(stage: Stage) -> Outcome:
    """The build is the pipeline's, of the last commit, in a new run and signed by it; the weights were replaced between training
    and packing."""
    made = stage.release()
    stage.check()
    stage.release(files={"model.safetensors": weights(31_337)}, commit=made.identity.claims[13])
    return stage.check()


@attack("signer-drift")
def policy_in_the_artifact(stage: Stage) -> Outcome:
    """The artifact brings a policy of its own that trusts everybody, under the names under which policies lie."""
    kind = b"mode: audit\nsigners:\n  - scope: '*'\n    issuer: '*'\n"
    files = {"model.safetensors": weights(1), ".eightysix/policy.yml": kind, "policy.yml": kind}
    stage.release(files=files, identity=stage.ci(runner="self-hosted"))
    return stage.check()


@attack("policy-no-friday")
def a_predicate_that_fails(stage: Stage) -> Outcome:
    """An annotation was made such that the operator's own rule cannot be evaluated, in the hope that an error counts as no."""
    stage.release()
    rule = 'rules:\n  - id: no-friday\n    when: signatures[7].claims["x"] == "y"\n    then: hold\n    why: it is Friday\n'
    return stage.check(policy=rule)


@attack("required-signature")
def unsigned_where_it_is_required(stage: Stage) -> Outcome:
    """The first push to a new repository has no signature. No history says that there should be one; the policy does."""
    made: Pushed = stage.push("ml/fresh", "prod", {"model.safetensors": weights(1)})
    stage.retag("ml/fresh", "prod", made, MANIFEST)
    return stage.check("ml/fresh", policy=f"require:\n  - scope: {stage.host}/ml/*\n    signed: true\n")
