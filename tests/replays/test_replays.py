"""Every documented breach, as it ships, with all its telemetry and with each part of it, against the truth about it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import pytest

from eightysix.context.baseline import Baseline
from eightysix.lab.generate.scene import Streams
from eightysix.lab.generate.settings import CURRENT, KERNEL_ONLY, Setting
from eightysix.model.incident import Incident, Report
from eightysix.rules.catalog import load_packaged
from eightysix.serve.replay import Replay, ReplayOptions
from tests.replays import REPLAYS, SUBSETS, Replayed
from tests.replays.label import LEAN_FULL
from tests.replays.pages import PAGE, table_of
from tests.replays.teampcp import litellm_proxy, litellm_pth, telnyx, xinference
from tests.streams.write import DOCUMENTED, ROOT

ORDER = ("none", "watch", "suspect", "contain")
RULES = load_packaged()
CASES = [(name, subset) for name in sorted(REPLAYS) for subset in SUBSETS]


@lru_cache(maxsize=16)
def replayed(name: str) -> Replayed:
    return REPLAYS[name]()


@lru_cache(maxsize=16)
def baseline_of(name: str) -> Baseline:
    before = Replay((), ReplayOptions())
    before.read([str(ROOT / DOCUMENTED / name / "baseline")], None)
    return before.build_baseline()[0]


def judged(paths: list[Path], baseline: Baseline | None = None) -> Report:
    found = [str(path) for path in paths if path.exists()]
    assert found
    return Replay(RULES, ReplayOptions(baseline=baseline)).read(found, None)


def written(streams: Streams, folder: Path) -> list[Path]:
    for name, lines in streams.items():
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [folder / name for name in streams]


def worst(report: Report, uid: str) -> str:
    mine = [str(incident.verdict) for incident in report.incidents if is_about(incident, uid)]
    return max(mine, key=ORDER.index, default="none")


def is_about(incident: Incident, uid: str) -> bool:
    return incident.pod is not None and incident.pod.uid == uid


@pytest.mark.parametrize(("name", "subset"), CASES, ids=[f"{name}: {subset}" for name, subset in CASES])
def test_what_ships_is_judged_as_its_page_says(name: str, subset: str) -> None:
    story = replayed(name).story
    files = [ROOT / DOCUMENTED / name / file for file in SUBSETS[subset]]
    report = judged(files, baseline_of(name) if "baseline" in subset else None)
    assert worst(report, story.pod_uid) == story.verdicts[subset]
    others = [incident for incident in report.incidents if not is_about(incident, story.pod_uid)]
    assert all(str(incident.verdict) == "watch" for incident in others)
    assert report.counts.malformed == report.counts.oversized == report.counts.unrecognised == 0
    if subset == "all, baseline":
        mine = [incident for incident in report.incidents if is_about(incident, story.pod_uid)]
        assert set(story.stages) <= {stage.stage for incident in mine for stage in incident.stages}
        offsets = [stage.offset_s for incident in mine for stage in incident.stages if stage.stage == "leave"]
        assert any(abs(offset - (story.leaves_s - story.t0_s)) < 0.2 for offset in offsets)


@pytest.mark.parametrize("name", sorted(REPLAYS))
def test_the_kernel_alone_finds_it(name: str) -> None:
    story = replayed(name).story
    assert ORDER.index(story.verdicts["kernel"]) >= ORDER.index("suspect")
    assert story.short or all(
        story.verdicts[subset] == "contain" for subset in SUBSETS if "audit" in subset or "sensor" in subset
    ), "below what is wanted, and the page does not say why"


@pytest.mark.parametrize("name", sorted(REPLAYS))
@pytest.mark.parametrize("setting", [KERNEL_ONLY, Setting("kernel, unfiltered", CURRENT)], ids=str)
def test_other_kernels_find_it_too(name: str, setting: Setting, tmp_path: Path) -> None:
    other = REPLAYS[name](setting)
    verdict = worst(judged(written(other.streams, tmp_path)), other.story.pod_uid)
    assert ORDER.index(verdict) >= ORDER.index("suspect")


@pytest.mark.parametrize("name", sorted(REPLAYS))
def test_the_day_before_is_quiet(name: str) -> None:
    report = judged([ROOT / DOCUMENTED / name / "baseline"])
    assert all(str(incident.verdict) == "watch" for incident in report.incidents)


@pytest.mark.parametrize("name", sorted(REPLAYS))
def test_the_rules_of_its_story_tell_of_it(name: str) -> None:
    story = replayed(name).story
    told = set()
    for rule in RULES:
        report = Replay([rule], ReplayOptions()).read(
            [str(ROOT / DOCUMENTED / name / "tetragon.jsonl")], None
        )
        told |= {incident.rule for incident in report.incidents if is_about(incident, story.pod_uid)}
    assert set(story.rules) <= told


@pytest.mark.parametrize("write", [litellm_proxy, litellm_pth, telnyx], ids=["1.82.7", "1.82.8", "telnyx"])
def test_where_the_api_server_refuses_nothing_is_contained(
    write: Callable[..., tuple[Streams, Streams, object]], tmp_path: Path
) -> None:
    """Most service accounts may list no secrets: then the token was taken and of no use."""
    streams, _, story = write.write(LEAN_FULL, code=403)  # type: ignore[attr-defined]
    assert worst(judged(written(streams, tmp_path)), story.pod_uid) == "suspect"


def test_with_kubectl_in_the_image_the_stolen_token_is_used(tmp_path: Path) -> None:
    streams, _, story = xinference.write(LEAN_FULL, kubectl=True)  # type: ignore[call-arg]
    paths = written(streams, tmp_path)
    for subset, files in SUBSETS.items():
        if "baseline" not in subset:
            chosen = [path for path in paths if path.name in files]
            assert worst(judged(chosen), story.pod_uid) == story.verdicts[subset], subset


@pytest.mark.parametrize("name", sorted(REPLAYS))
def test_nothing_that_could_run_is_in_it(name: str) -> None:
    """The collectors are described by what they did: no code, no wallet, no key, and only this much of a command."""
    for path in sorted((ROOT / DOCUMENTED / name).rglob("*.jsonl")):
        text = path.read_text(encoding="utf-8")
        assert "b64decode(" not in text.replace("b64decode('...')", "")
        assert "BEGIN PUBLIC KEY" not in text
        assert "BEGIN PRIVATE KEY" not in text


def test_the_table_is_what_the_tests_hold() -> None:
    assert table_of(REPLAYS) in (ROOT / PAGE).read_text(encoding="utf-8"), "python -m tests.replays.pages"


@pytest.mark.parametrize("name", sorted(REPLAYS))
def test_every_breach_has_a_page_with_its_sources(name: str) -> None:
    page = (ROOT / DOCUMENTED / name / "README.md").read_text(encoding="utf-8")
    for heading in ("## What happened", "## Sources", "## Assumed", "## What is found"):
        assert heading in page
    assert "https://" in page.partition("## Sources")[2].partition("##")[0]
