"""Where tags point, judged: what holds, what informs, and what stays quiet."""

from __future__ import annotations

import pkgutil
import random
from collections.abc import Sequence
from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from eightysix.gate.moves import MoveContext, Promotion, findings, source_findings
from eightysix.gate.moves.findings import CARRIES_CODE, REVISION
from eightysix.gate.moves.who import AT_ONCE
from eightysix.model.finding import Severity
from eightysix.model.gate import (
    Artifact,
    Channel,
    GateFinding,
    Outcome,
    Reference,
    RegistryAction,
    RegistryEvent,
    Stray,
    TagMove,
)
from eightysix.scan import kinds
from tests.store.history.made import REGISTRY, START, digest

SECOND = 10**9
PROD = Reference(REGISTRY, "ml/llm", "prod")
STAGE = Reference(REGISTRY, "ml/llm", "stage")
PROMOTION = Promotion(STAGE, PROD)


class Told:
    """A history by hand."""

    def __init__(self) -> None:
        self.rows: list[TagMove] = []

    def move(
        self, name: str, tag: str = "prod", at_s: int = -1, repository: str = "ml/llm", **changes: object
    ) -> TagMove:
        last = [row for row in self.rows if (row.tag, row.repository) == (tag, repository)]
        number = len(self.rows) + 1
        row = TagMove(
            sequence=number,
            registry=REGISTRY,
            repository=repository,
            tag=tag,
            digest=digest(name) if name else "",
            previous=last[-1].digest if last else "",
            seen_ns=START + (at_s if at_s >= 0 else number * 3_600) * SECOND,
            told_ns=0,
            channel=Channel.DISTRIBUTION,
            event_id=str(number),
            actor="ci",
            address="10.0.0.7:4711",
            agent="docker/24.0.7",
            confirmed=True,
        )
        self.rows.append(replace(row, **changes))
        return self.rows[-1]

    def judged(self, reference: Reference = PROD, **context: object) -> dict[str, GateFinding]:
        found = findings(self.rows, MoveContext(reference=reference, **context))  # type: ignore[arg-type]
        assert len({each.rule for each in found}) == len(found)
        return {each.rule: each for each in found}


@pytest.fixture
def told() -> Told:
    return Told()


def test_a_first_tag_is_quiet(told: Told) -> None:
    told.move("a")
    assert told.judged() == {}


def test_a_new_version_is_quiet(told: Told) -> None:
    for version in ("1.0.0", "1.0.1", "1.1.0", "20261123", "main-3f9a1c2"):
        told.move(version, version)
        assert told.judged(replace(PROD, tag=version)) == {}


def test_a_tag_that_is_made_to_move_is_told_and_not_held(told: Told) -> None:
    told.move("a")
    told.move("b")
    (found,) = told.judged().values()
    assert (found.rule, found.severity, found.holds, found.approval) == ("tag-moved", Severity.LOW, False, "")
    assert found.why == f"prod pointed to {digest('a')[:19]} and now points to {digest('b')[:19]}"


@pytest.mark.parametrize("tag", ["1.4.2", "v2", "20261123", "main-3f9a1c2"])
def test_a_version_that_moves_is_held(told: Told, tag: str) -> None:
    told.move("a", tag)
    told.move("b", tag)
    found = told.judged(replace(PROD, tag=tag))["tag-moved"]
    assert (found.severity, found.holds) == (Severity.HIGH, True)
    name = f"{REGISTRY}/ml/llm:{tag}@{digest('b')}"
    assert found.approval == f"eightysix gate approve {name} --rule tag-moved --by NAME --why REASON"


def test_a_tag_that_was_deleted_before_is_no_first_tag(told: Told) -> None:
    told.move("a", "1.4.2")
    told.move("", "1.4.2")
    assert told.judged(replace(PROD, tag="1.4.2")) == {}  # nothing lands
    told.move("b", "1.4.2")
    assert told.judged(replace(PROD, tag="1.4.2"))["tag-moved"].holds


def test_a_tag_that_comes_back_as_it_was_is_quiet(told: Told) -> None:
    told.move("a", "1.4.2")
    told.move("", "1.4.2")
    told.move("a", "1.4.2")
    assert told.judged(replace(PROD, tag="1.4.2")) == {}


def test_a_rollback_is_held(told: Told) -> None:
    for name in "abca":
        told.move(name)
    found = told.judged()["tag-rollback"]
    assert (found.severity, found.holds) == (Severity.MEDIUM, True)
    assert "was replaced 2 releases ago" in found.why


def test_taking_away_what_was_held_is_no_rollback(told: Told) -> None:
    for name in "aba":
        told.move(name)
    assert "tag-rollback" not in told.judged(held=frozenset({digest("b")}))
    assert "tag-rollback" in told.judged(held=frozenset({digest("a")}))
    told.move("c")
    told.move("a")
    assert "tag-rollback" in told.judged(held=frozenset({digest("b")}))  # c was no attack
    assert "tag-rollback" not in told.judged(held=frozenset({digest("b"), digest("c")}))


def test_what_never_was_in_staging_is_held(told: Told) -> None:
    told.move("a")
    told.move("b")
    found = told.judged(promotions=(PROMOTION,))
    assert found["never-in-staging"].holds
    assert "promotion-digest-differs" not in found


def test_what_staging_has_otherwise_is_held(told: Told) -> None:
    told.move("a", "stage")
    told.move("a")
    told.move("b", "stage")
    assert told.judged(promotions=(PROMOTION,)) == {}
    told.move("c")
    found = told.judged(promotions=(PROMOTION,))["promotion-digest-differs"]
    assert found.holds
    assert digest("b")[:19] in found.why
    told.move("c", "stage")  # too late: whoever pushes can do that too
    assert "promotion-digest-differs" in told.judged(promotions=(PROMOTION,))


def test_a_promotion_is_quiet_but_for_the_move_itself(told: Told) -> None:
    for name in "ab":
        told.move(name, "stage")
        told.move(name)
    found = told.judged(promotions=(PROMOTION,))
    assert sorted(found) == ["promotion-tag-mutable", "tag-moved"]
    assert not any(each.holds for each in found.values())


def test_a_promotion_from_another_repository(told: Told) -> None:
    promotion = Promotion(Reference(REGISTRY, "staging/llm", "*"), Reference(REGISTRY, "ml/llm", "*"))
    told.move("a", "build-7", repository="staging/llm")
    told.move("a", "1.0")
    assert told.judged(replace(PROD, tag="1.0"), promotions=(promotion,)) == {}
    told.move("b", "1.1")
    assert told.judged(replace(PROD, tag="1.1"), promotions=(promotion,))["promotion-digest-differs"].holds


def test_when_watching_begins_nothing_is_known_of_staging(told: Told) -> None:
    told.move("a", channel=Channel.RECONCILER, actor="", address="", agent="")
    assert told.judged(promotions=(PROMOTION,)) == {}


def test_the_order_within_a_round_of_asking_says_nothing(told: Told) -> None:
    found_by_us = {"channel": Channel.RECONCILER, "actor": "", "address": "", "agent": ""}
    told.move("a", "stage")
    told.move("a")
    told.move("b", at_s=90_000, **found_by_us)
    told.move("b", "stage", at_s=90_020, **found_by_us)
    assert "promotion-digest-differs" not in told.judged(promotions=(PROMOTION,))
    told.rows[-1] = replace(told.rows[-1], seen_ns=START + 90_061 * SECOND)
    assert "promotion-digest-differs" in told.judged(promotions=(PROMOTION,))


def known(**changes: object) -> dict[str, Artifact]:
    """Two artifacts: `a` as it is, `b` with changes."""
    one = Artifact(digest=digest("a"), kinds=("safetensors", "json"), claims={REVISION: "3f9a1c2" * 5})
    return {digest("a"): one, digest("b"): replace(one, **{"digest": digest("b"), **changes})}


def test_another_artifact_of_the_same_commit_is_held(told: Told) -> None:
    told.move("a")
    told.move("b")
    found = told.judged(artifacts=known())["no-new-commit"]
    assert (found.severity, found.holds) == (Severity.MEDIUM, True)
    assert "no-new-commit" not in told.judged(artifacts=known(claims={REVISION: "7" * 40}))


def test_a_commit_that_is_no_longer_named_is_held_where_it_was_looked_for(told: Told) -> None:
    told.move("a")
    told.move("b")
    artifacts = known(claims={})
    assert "no-new-commit" not in told.judged(artifacts=artifacts)
    assert told.judged(artifacts=artifacts, read=frozenset({digest("b")}))["no-new-commit"].holds


def test_safetensors_that_become_a_pickle_are_held(told: Told) -> None:
    told.move("a")
    told.move("b")
    found = told.judged(artifacts=known(kinds=("pickle", "json")))["file-types-changed"]
    assert (found.severity, found.holds) == (Severity.HIGH, True)
    assert found.why == f"pickle new since {digest('a')[:19]}, and safetensors gone"
    found = told.judged(artifacts=known(kinds=("safetensors", "json", "gguf")))["file-types-changed"]
    assert (found.severity, found.holds) == (Severity.LOW, False)
    assert "file-types-changed" not in told.judged(artifacts=known())
    assert "file-types-changed" not in told.judged(artifacts=known(kinds=()))  # not scanned: nothing is known


def test_kinds_that_carry_code_are_kinds_of_the_scan() -> None:
    modules = [
        import_module(f"{kinds.__name__}.{each.name}") for each in pkgutil.iter_modules(kinds.__path__)
    ]
    names = {kind.name for module in modules for kind in getattr(module, "KINDS", ())}
    assert names >= CARRIES_CODE


def test_what_the_registry_does_not_bear_out_is_told_and_is_no_rollback(told: Told) -> None:
    told.move("a")
    told.move("b", confirmed=False)
    told.move("a", channel=Channel.RECONCILER)
    found = told.judged()
    assert sorted(found) == ["told-not-found"]
    assert digest("b")[:19] in found["told-not-found"].why
    assert not found["told-not-found"].holds


def test_two_pushes_in_quick_succession_do_not_contradict_each_other(told: Told) -> None:
    told.move("a")
    told.move("b", confirmed=False)
    told.move("c")  # a webhook too, and borne out before anybody asked about b
    assert sorted(told.judged()) == ["tag-moved"]


def stray(name: str, outcome: Outcome, at_s: int, actor: str = "") -> Stray:
    event = RegistryEvent(
        id=f"stray-{name}",
        channel=Channel.DISTRIBUTION,
        action=RegistryAction.PUSH,
        registry=REGISTRY,
        repository="ml/llm",
        tag="prod",
        digest=digest(name),
        actor=actor,
    )
    return Stray(event=event, outcome=outcome, current=digest("x"), seen_ns=START + at_s * SECOND)


def test_what_we_learned_too_late_is_told(told: Told) -> None:
    told.move("a", at_s=10)
    told.move("c", at_s=30)
    assert "told-not-found" in told.judged(strays=(stray("b", Outcome.LATE, 20),))
    assert "told-not-found" not in told.judged(strays=(stray("b", Outcome.LATE, 40),))
    assert "told-not-found" not in told.judged(strays=(stray("a", Outcome.LATE, 20),))


def test_somebody_new_is_held(told: Told) -> None:
    for name in "abc":
        told.move(name)
    told.move("d", actor="mallory\n\x1b[31m")
    found = told.judged()["new-pusher"]
    assert (found.severity, found.holds) == (Severity.HIGH, True)
    assert found.why == "'mallory\\n\\x1b[31m'; known 'ci'"


def test_before_it_is_known_who_pushes_nobody_is_new(told: Told) -> None:
    for name, actor in (("a", "ci"), ("b", "ci"), ("c", "other")):
        told.move(name, actor=actor)
        assert "new-pusher" not in told.judged()


def test_each_class_of_tags_has_its_own_pushers(told: Told) -> None:
    for name in "abc":
        told.move(name)
    told.move("d", "pr-17", actor="somebody")
    assert told.judged(replace(PROD, tag="pr-17")) == {}


def test_a_known_name_from_elsewhere_with_another_program_is_held(told: Told) -> None:
    for name in "abc":
        told.move(name)
    told.move("d", address="203.0.113.9:1", agent="python-requests/2.34")
    found = told.judged()["pusher-elsewhere"]
    assert found.holds
    assert (
        found.why == "'ci' pushed from '203.0.113.9' with 'python-requests'; known '10.0.0.7' with 'docker'"
    )


def test_another_program_alone_or_another_address_alone_is_told(told: Told) -> None:
    for name in "abc":
        told.move(name)
    told.move("d", agent="skopeo/1.9.3")
    assert not told.judged()["new-push-program"].holds
    told.move("e", address="203.0.113.9:1")
    assert not told.judged()["new-push-address"].holds
    told.move("x", address="203.0.113.9:1", agent="skopeo/1.9.3")
    assert told.judged()["pusher-elsewhere"].holds  # one after the other makes neither known
    told.move("f", agent="docker/27.1", address="10.0.0.7:9")
    assert sorted(told.judged()) == ["tag-moved"]  # a new version of the program, another port


def test_addresses_of_a_pool_mean_nothing(told: Told) -> None:
    for n, name in enumerate("abcdef"):
        told.move(name, address=f"10.0.0.{n}:1")
    told.move("g", address="10.0.0.99:1")
    assert sorted(told.judged()) == ["tag-moved"]


def test_who_pushed_may_be_heard_after_we_found_it(told: Told) -> None:
    for name in "abc":
        told.move(name)
    told.move("d", channel=Channel.RECONCILER, actor="", address="", agent="")
    assert "new-pusher" not in told.judged()
    heard = stray("d", Outcome.SAME, 50_000, actor="mallory")
    assert told.judged(strays=(heard,))["new-pusher"].holds


def burst(told: Told, number: int, at_s: int, prefix: str) -> None:
    for n in range(number):
        told.move(f"{prefix}{n}", "prod", repository=f"ml/m{n}", at_s=at_s + n)


def test_many_tags_at_once_are_held_and_a_release_is_not(told: Told) -> None:
    burst(told, 20, 0, "a")  # first tags
    last = replace(PROD, repository=f"ml/m{AT_ONCE - 1}")
    burst(told, AT_ONCE, 10_000, "b")
    found = told.judged(last)["many-tags-moved"]
    assert found.holds
    assert (
        found.why == "'ci' put 8 artifacts under existing tags within 10 minutes, and never was let to do so"
    )
    assert "many-tags-moved" not in told.judged(replace(last, repository="ml/m6"))


def test_a_burst_that_was_held_does_not_excuse_the_next(told: Told) -> None:
    burst(told, 20, 0, "a")
    burst(told, 16, 10_000, "b")
    burst(told, 16, 20_000, "c")
    last = replace(PROD, repository="ml/m15")
    assert "many-tags-moved" in told.judged(last)
    allowed = {row.digest: row.seen_ns + 1 for row in told.rows if row.seen_ns < START + 15_000 * SECOND}
    assert "many-tags-moved" not in told.judged(last, allowed=allowed)
    assert "many-tags-moved" not in told.judged()


def test_who_was_held_once_is_not_known_the_second_time(told: Told) -> None:
    for name in "abc":
        told.move(name)
    row = told.move("d", actor="mallory")
    assert told.judged()["new-pusher"].holds
    for name in "efgh":
        told.move(name, actor="mallory")
        assert told.judged()["new-pusher"].holds
    assert "new-pusher" in told.judged(
        allowed={row.digest: row.seen_ns - 1}
    )  # of an earlier move of the same digest
    assert "new-pusher" not in told.judged(allowed={row.digest: row.seen_ns})  # somebody let one pass


def test_a_held_pickle_does_not_excuse_the_next(told: Told) -> None:
    artifacts = known(kinds=("pickle",))
    artifacts[digest("c")] = replace(artifacts[digest("b")], digest=digest("c"))
    told.move("a")
    row = told.move("b")
    told.move("c")
    assert told.judged(artifacts=artifacts)["file-types-changed"].holds
    allowed = {digest("b"): row.seen_ns}
    assert "file-types-changed" not in told.judged(artifacts=artifacts, allowed=allowed)


def test_a_commit_of_long_ago_is_no_new_one(told: Told) -> None:
    artifacts = known(claims={REVISION: "7" * 40})
    artifacts[digest("c")] = replace(artifacts[digest("a")], digest=digest("c"))
    for name in "abc":
        told.move(name)
    assert told.judged(artifacts=artifacts)["no-new-commit"].holds


def test_one_artifact_under_many_tags_is_one(told: Told) -> None:
    for tag in ("1", "1.4", "1.4.2", "latest", "prod", "stable", "eu", "us", "asia"):
        told.move("a", tag, at_s=0)
    for tag in ("1", "1.4", "1.4.2", "latest", "prod", "stable", "eu", "us", "asia"):
        told.move("b", tag, at_s=9_000)
    assert "many-tags-moved" not in told.judged(replace(PROD, tag="asia"))


@pytest.mark.parametrize(
    ("source", "missing"),
    [
        ("hf://acme/llm", "no commit: what main points to"),
        ("hf://acme/llm@main", "no commit but 'main', which can be moved"),
        ("hf://acme/llm@v1.0/model.safetensors", "no commit but 'v1.0', which can be moved"),
        ("acme/llm", "no commit: what main points to"),
        ("https://huggingface.co/acme/llm/resolve/main/x.bin", "no commit but 'main', which can be moved"),
        ("https://huggingface.co/acme/llm", "no commit: what main points to"),
        ("s3://bucket/llm/", "no version of the object"),
        ("gs://bucket/llm", "no version of the object"),
        ("https://acme.blob.core.windows.net/m/llm.bin?sv=1&sig=abc", "no version of the object"),
        ("oci://registry.acme.example/ml/llm:prod", "no digest"),
        ("git+https://git.example/acme/llm@main", "no commit"),
        ("https://[", "an address that cannot be read"),
        ("hf://acme/llm@" + "a" * 40, ""),
        ("acme/llm@" + "a" * 40, ""),
        ("https://huggingface.co/acme/llm/resolve/" + "a" * 40 + "/x.bin", ""),
        ("s3://bucket/llm?versionId=3HL4", ""),
        ("gs://bucket/llm#1360887697105000", ""),
        ("https://acme.blob.core.windows.net/m/llm.bin?versionid=2026", ""),
        ("oci://registry.acme.example/ml/llm@" + digest("a"), ""),
        ("git+https://git.example/acme/llm@" + "a" * 40, ""),
        ("/models/llm", ""), ("pvc://models/llm", ""), ("./llm", ""), ("model.json", ""), ("scripts/run.py", ""), ("a b/c", ""),
    ],
)  # fmt: skip
def test_sources_that_can_be_replaced(source: str, missing: str) -> None:
    found = source_findings([source])
    assert [each.why.partition(" has ")[2] for each in found] == [missing] * bool(missing)


def test_secrets_in_a_source_are_not_repeated() -> None:
    found = source_findings(
        ["https://u:canary@acme.blob.core.windows.net/m?sig=canary", "s3://canary@bucket/x?canary"]
    )
    assert len(found) == 2
    assert "canary" not in str(found)


BEGINNINGS = st.sampled_from(["", "hf://", "s3://", "https://hf.co/", "git+https://x@", "oci://"])


@given(BEGINNINGS, st.text(max_size=80))
def test_any_source_is_judged(beginning: str, rest: str) -> None:
    for found in source_findings([beginning + rest]):
        assert len(found.why) < 1_000


def test_nothing_known_is_nothing_said(told: Told) -> None:
    assert findings([], MoveContext(reference=PROD)) == ()
    told.move("a", "other")
    assert told.judged() == {}
    assert told.judged(subject=9) == {}


# --- any order, any repetition -----------------------------------------------------------------------------------------


@st.composite
def histories(draw: st.DrawFn) -> list[TagMove]:
    told = Told()
    step = st.tuples(
        st.sampled_from("abcd"),
        st.sampled_from(["prod", "stage", "1.0"]),
        st.sampled_from(["ci", "mallory", ""]),
        st.sampled_from(["10.0.0.7:1", "203.0.113.9:1"]),
        st.booleans(),
        st.sampled_from([Channel.DISTRIBUTION, Channel.RECONCILER]),
    )
    for name, tag, actor, address, confirmed, channel in draw(st.lists(step, max_size=14)):
        told.move(name, tag, actor=actor, address=address, confirmed=confirmed, channel=channel)
    return told.rows


def judge(rows: Sequence[TagMove], **context: object) -> tuple[GateFinding, ...]:
    return findings(rows, MoveContext(reference=PROD, promotions=(PROMOTION,), artifacts=known(), **context))  # type: ignore[arg-type]


@given(histories(), st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_of_rows_matters(rows: list[TagMove], chance: random.Random) -> None:
    mixed = rows + rows[: len(rows) // 2]
    chance.shuffle(mixed)
    assert judge(mixed) == judge(rows)


@given(histories(), histories())
def test_what_comes_later_changes_nothing_about_a_move(rows: list[TagMove], more: list[TagMove]) -> None:
    own = [row for row in rows if row.tag == "prod"]
    if own:
        after = [
            replace(row, sequence=row.sequence + len(rows), seen_ns=row.seen_ns + 10**15) for row in more
        ]
        subject = own[-1].sequence
        assert judge(rows + after, subject=subject) == judge(rows, subject=subject)


@given(histories())
def test_the_same_digest_again_is_never_held_for_where_it_points(rows: list[TagMove]) -> None:
    own = [row for row in rows if row.tag == "prod"]
    if own and own[-1].confirmed:
        last = own[-1]
        again = replace(last, sequence=len(rows) + 1, previous=last.digest, seen_ns=rows[-1].seen_ns + 10**12)
        rules = {each.rule for each in judge([*rows, again])}
        assert not rules & {"tag-moved", "tag-rollback", "no-new-commit", "file-types-changed"}


@given(histories())
def test_more_promotions_never_take_a_finding_away(rows: list[TagMove]) -> None:
    without = findings(rows, MoveContext(reference=PROD))
    assert set(map(str, without)) <= set(
        map(str, findings(rows, MoveContext(reference=PROD, promotions=(PROMOTION,))))
    )


@given(histories())
def test_what_holds_says_which_approval_would_do(rows: list[TagMove]) -> None:
    for found in judge(rows):
        assert bool(found.approval) == found.holds
        assert found.title
        assert found.why
        assert found.techniques
