"""`eightysix posture diff`, and snapshots in a store, as a user runs them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from eightysix.cli.main import main
from tests.report.posture.test_diff import foreign

ROOT = Path(__file__).resolve().parents[2]
SNAPSHOTS = Path(__file__).with_name("snapshots")
EXAMPLE = ROOT / "examples" / "posture"
CLOUD = str(EXAMPLE / "cloud.json")
UPDATE = os.environ.get("EIGHTYSIX_UPDATE_SNAPSHOTS") == "1"
HOSTILE = "[x](http://e.vil) `|</details>\\n<!-- @all\x1b[31m ##[error]"


@pytest.fixture(autouse=True)
def _plain_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("EIGHTYSIX_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    text = (EXAMPLE / "cluster.yaml").read_text(encoding="utf-8")
    Path("before.yaml").write_text(text, encoding="utf-8")
    # The binding goes, and another one lets the runner do what the trainer could.
    after = text.replace("trainer-was-in-a-hurry", "builder-too").replace(
        "{kind: ServiceAccount, name: trainer, namespace: ml}",
        "{kind: ServiceAccount, name: builder, namespace: ci}",
    )
    Path("after.yaml").write_text(after, encoding="utf-8")


def run(*arguments: str) -> int:
    try:
        return main(["posture", *arguments])
    except SystemExit as stop:
        return int(stop.code or 0)


def compared(name: str, text: str) -> None:
    file = SNAPSHOTS / name
    if UPDATE:
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "sides", "more", "code"),
    [
        ("posture-diff-less.txt", ("before.yaml", "after.yaml"), (), 11),
        ("posture-diff-more.txt", ("after.yaml", "before.yaml"), (), 13),
        ("posture-diff-more-verbose.txt", ("after.yaml", "before.yaml"), ("-v",), 13),
        ("posture-diff-more.md", ("after.yaml", "before.yaml"), ("--format", "markdown"), 13),
        ("posture-diff-none.txt", ("before.yaml", "before.yaml"), (), 0),
        ("posture-diff-none.md", ("before.yaml", "before.yaml"), ("--format", "markdown"), 0),
    ],
)
def test_what_a_reviewer_reads(
    capsys: pytest.CaptureFixture[str], name: str, sides: tuple[str, str], more: tuple[str, ...], code: int
) -> None:
    assert run("diff", *sides, "--cloud", CLOUD, *more) == code
    out, err = capsys.readouterr()
    assert err == ""
    compared(name, out)
    assert run("diff", *sides, "--cloud", CLOUD, *more, "--exit-zero") == 0


def test_json_has_everything_and_saved_ones_compare_like_objects(capsys: pytest.CaptureFixture[str]) -> None:
    for side in ("before", "after"):
        run(f"{side}.yaml", "--cloud", CLOUD, "--format", "json", "--output", f"{side}.json")
    assert run("diff", "before.json", "after.json", "--format", "json") == 11
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "eightysix/posture-diff/v1"
    assert (told["before"], told["after"]) == ("before.json", "after.json")
    (retrain,) = (pod for pod in told["pods"] if pod["name"] == "retrain")
    lost = {way["sink"]: way for way in retrain["lost"]}
    assert lost["sink:cluster-admin"]["because"][0]["evidence"] == [
        {"object": "ClusterRoleBinding/trainer-was-in-a-hurry", "path": "subjects"}
    ]
    assert [fix["order"] for fix in told["fixes_done"]] == [1]
    capsys.readouterr()
    run("diff", "before.yaml", "after.yaml", "--cloud", CLOUD, "--format", "json")
    same = json.loads(capsys.readouterr().out)
    # a saved one was told that no log was given, objects alone are not asked for logs
    for key in ("pods", "identities", "fixes_done", "fixes_wanted"):
        assert same[key] == told[key]


def test_names_are_inert_in_markdown_and_plain(capsys: pytest.CaptureFixture[str]) -> None:
    text = Path("after.yaml").read_text(encoding="utf-8")
    name = json.dumps(HOSTILE)
    Path("hostile.yaml").write_text(
        text + f"---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: {name}}}\nspec:\n"
        f"  serviceAccountName: {name}\n"
        f"  containers: [{{name: c, image: {name}, securityContext: {{privileged: true}}}}]\n",
        encoding="utf-8",
    )
    for form in ("plain", "markdown", "json"):
        run("diff", "after.yaml", "hostile.yaml", "--cloud", CLOUD, "--format", form, "-v")
        out = capsys.readouterr().out
        assert "\x1b" not in out
        if form == "markdown":
            assert "##[" not in out
            assert foreign(out) == []


def test_snapshots_are_kept_listed_shown_and_compared(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        run("before.yaml", "--cloud", CLOUD, "--taken-at", "2026-11-01T10:00:00Z", "--save-to", "kept") == 13
    )
    out, err = capsys.readouterr()
    assert out.startswith("Posture")
    first = err.split()[2]
    assert err == f"eightysix: snapshot {first} kept, {err.split()[4]} rows\n"
    run("before.yaml", "--cloud", CLOUD, "--taken-at", "2026-11-01T10:00:00Z", "--save-to", "kept")
    assert "was there already" in capsys.readouterr().err
    run("after.yaml", "--cloud", CLOUD, "--cluster", "aks", "--save-to", "kept", "-q")
    assert capsys.readouterr().err == ""

    assert run("snapshots", "--store", "kept") == 0
    newest, oldest = capsys.readouterr().out.splitlines()
    assert oldest.startswith(f"{first}  2026-11-01T10:00:00Z")
    assert newest.endswith("5 workloads  aks")
    run("snapshots", "--store", "kept", "--format", "json")
    assert [one["id"] for one in json.loads(capsys.readouterr().out)["snapshots"]] == [
        newest.split()[0],
        first,
    ]

    assert run("--store", "kept") == 12
    out, err = capsys.readouterr()
    assert out.startswith("Posture of aks")
    assert "just taken" in err
    assert run(f"@{first[:6]}", "--store", "kept") == 13
    out, err = capsys.readouterr()
    assert "2026-11-01T10:00:00Z, " in out.split("\n", 1)[0]
    assert "days old: pods change daily, so collect it again" in err
    run("@2026-11-02T00:00:00Z", "--store", "kept", "--format", "json", "-q")
    stored = capsys.readouterr().out
    run("before.yaml", "--cloud", CLOUD, "--taken-at", "2026-11-01T10:00:00Z", "--format", "json")
    assert stored == capsys.readouterr().out

    assert run("diff", "@last~1", "@last", "--store", "kept") == 11
    between = capsys.readouterr().out
    assert run("diff", "before.yaml", "@last", "--store", "kept", "--cloud", CLOUD) == 11
    assert between.split("\n")[1:] == capsys.readouterr().out.split("\n")[1:]


def test_every_format_tells_a_stored_snapshot_as_it_told_the_objects(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = ("before.yaml", "--cloud", CLOUD, "--taken-at", "2026-11-01T10:00:00Z")
    run(*asked, "--save-to", "kept", "-q")
    for form in ("json", "sarif", "html", "opengraph"):
        capsys.readouterr()
        run("@last", "--store", "kept", "--format", form, "-q")
        stored = capsys.readouterr().out
        run(*asked, "--format", form)
        assert stored == capsys.readouterr().out, form


def test_logs_of_a_store_tell_the_use_of_identities(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["store", "ingest", str(EXAMPLE / "logs.jsonl"), "--store", "kept", "-q"]) == 0
    when = ("--cloud", CLOUD, "--taken-at", "2026-11-23T09:00:00Z", "--format", "json")
    capsys.readouterr()
    run("before.yaml", *when, "--store", "kept")
    stored = capsys.readouterr().out
    run("before.yaml", *when, "--logs", str(EXAMPLE / "logs.jsonl"))
    assert stored == capsys.readouterr().out
    assert json.loads(stored)["past"]["bindings"][0]["maker"] == "ops@acme.example"


def test_hunts_ask_for_nodes_and_edges(capsys: pytest.CaptureFixture[str]) -> None:
    run("before.yaml", "--cloud", CLOUD, "--taken-at", "2026-11-01T10:00:00Z", "--save-to", "kept", "-q")
    capsys.readouterr()
    for query, answer in (
        (
            "EightySixPostureNodes_CL | where Risk > 9 | project NodeName, Pods | order by NodeName asc",
            "retrain,1",
        ),
        (
            "EightySixPostureEdges_CL | where EdgeType == 'SA_TOKEN_MOUNTED' | summarize n = count() by EdgeType",
            "MOUNTED,3",
        ),
        ("EightySixPosture_CL | where Part == 'pod' | project Name, Told.risk | take 1", "pod:"),
    ):
        assert main(["hunt", "run", query, "--store", "kept", "--format", "csv", "-q"]) == 0
        assert answer in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("diff", "before.yaml"), "takes two"),
        (("diff", "before.yaml", "@last"), "which was not said"),
        (("diff", "before.yaml", "after.yaml", "--format", "sarif-or-so"), "invalid choice"),
        (("diff", "before.yaml", "after.yaml", "--save-to", "kept"), "keeps nothing"),
        (("before.yaml", "--format", "markdown"), "format of diff"),
        (("@last",), "which was not said"),
        (("@last", "--store", "nowhere"), "no store"),
        (("snapshots",), "which store was not said"),
        (("snapshots", "more", "--store", "kept"), "takes no paths"),
        (("why", "ml/page", "node", "@last", "--store", "kept"), "shown alone"),
        (("before.yaml", "@last", "--store", "kept"), "shown alone"),
    ],
)
def test_wrong_use_is_explained(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], why: str
) -> None:
    assert run(*arguments) == 2
    assert why in capsys.readouterr().err


def test_a_snapshot_that_is_not_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    run("before.yaml", "--taken-at", "2026-11-01T10:00:00Z", "--save-to", "kept", "-q")
    for which in ("@last~9", "@abcd", "@2020-01-01T00:00:00Z", "@last~x", "@yesterday"):
        capsys.readouterr()
        assert run(which, "--store", "kept") == 2
        assert "snapshots --store DIR lists them" in capsys.readouterr().err


def test_a_store_cannot_be_kept_in_what_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").write_text("")
    assert run("before.yaml", "--save-to", "file") == 1
    out, err = capsys.readouterr()
    assert out.startswith("Posture")  # what was found is told all the same
    assert "cannot be made" in err
