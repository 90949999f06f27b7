"""Folders in which objects lie among other files, as repositories have them."""

from __future__ import annotations

from pathlib import Path

from eightysix.posture.reading import SnapshotBuilder
from eightysix.serve.posture import read_paths

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: a}
spec:
  automountServiceAccountToken: false
  containers: [{name: c, image: x}]
"""
OTHERS = {
    "LICENSE": "MIT License\n\nPermission is hereby granted: free of charge\n",
    "README.md": "# Read me\n\nSome text here: with colon\n- a list\n",
    "NOTES.txt": "just words\n",
    "Dockerfile": "FROM python\nRUN pip install x\n",
    "_helpers.tpl": '{{- define "name" -}}\n{{ .Chart.Name }}\n{{- end }}\n',
    "run.sh": "#!/bin/sh\nset -e\n",
    "logo.png": "\x89PNG\r\n\x1a\n",
    "values.yaml": "replicaCount: 3\n",
    "kustomization.yaml": "resources:\n- pod.yaml\n",
    "values.schema.json": '{"type": "object"}',
    "empty.yaml": "",
}


def read(folder: Path, *more: str) -> tuple[SnapshotBuilder, list[str]]:
    builder = SnapshotBuilder(manifests=True)
    problems = read_paths(builder, [str(folder), *more])
    return builder, [f"{one.file}: {one.reason}" for one in (*problems, *builder.problems)]


def fill(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).write_bytes(text.encode("latin-1"))


def test_what_lies_beside_objects_is_no_problem(tmp_path: Path) -> None:
    fill(tmp_path, {**OTHERS, "pod.yaml": POD, "objects": POD.replace("name: p", "name: q")})
    builder, problems = read(tmp_path)
    assert problems == []
    snapshot = builder.snapshot()
    assert sorted(snapshot.pods) == ["a/p", "a/q"]
    assert not any("could not be used" in gap.what for gap in snapshot.not_seen)
    assert builder.unknown["no object"] >= 3


def test_what_is_called_as_objects_are_is_told(tmp_path: Path) -> None:
    fill(
        tmp_path, {"a.yaml": "a: [\n", "b.json": '{"kind": "Pod"', "c": POD + "\n  - [", "d.yaml": "words\n"}
    )
    _, problems = read(tmp_path)
    assert len(problems) == 4


def test_a_file_that_is_named_must_be_one_of_objects(tmp_path: Path) -> None:
    fill(tmp_path, {"LICENSE": OTHERS["LICENSE"]})
    _, problems = read(tmp_path, str(tmp_path / "LICENSE"))
    assert problems
    assert all("LICENSE" in problem for problem in problems)


def test_a_template_that_is_not_rendered_is_called_so(tmp_path: Path) -> None:
    fill(tmp_path, {"pod.yaml": "kind: Pod\n{{- if .Values.x }}\nmetadata: {{ toYaml .x }}\n{{- end }}\n"})
    _, (problem,) = read(tmp_path)
    assert "helm template" in problem
