"""Requirement files and conda environments."""

from __future__ import annotations

import pytest

from tests.scan.told import found, rules, verdict


@pytest.mark.parametrize(
    "text",
    [
        "torch==2.4.0\nnumpy>=1.26,<3  # why\n-r base.txt\n-e .\n./local\n",
        "requests[socks]~=2.31; python_version > '3.8'\n",
        "torch @ https://download.example.org/torch-2.4-cp311.whl\n",
        "--extra-index-url https://download.pytorch.org/whl/cu121\ntorch\n",
        "git+https://github.com/huggingface/transformers@v4.50.0\n",
        "pytest\n",
        "--index-url https://pypi.org/simple\nx\n",
    ],
)
def test_everyday_files_are_clean(text: str) -> None:
    assert verdict(text) == "clean"


@pytest.mark.parametrize(
    "text",
    [
        "--extra-index-url http://pypi.example.org/simple\ntorch\n",
        "-i http://127.0.0.1:9/simple\nx\n",
        "--index-url=http://a.example/simple\nx\n",
        "x\n--trusted-host pypi.example.org\n",
        "git+http://git.example.org/x.git\n",
        "x @ http://files.example.org/x.whl\n",
        "dependencies:\n- python\n- pip:\n  - --index-url http://a.example/simple\n  - x\n",
        "channels: [http://conda.example.org]\ndependencies: [python]\n",
    ],
)
def test_sources_that_anybody_can_replace_are_suspicious(text: str) -> None:
    assert rules(text) == {"package-source"}


def test_a_second_index_is_a_note() -> None:
    result = found("--extra-index-url https://packages.example.org/simple\ninternal-models\n")
    assert [(one.rule, one.severity) for one in result.findings] == [("package-index", "low")]


def test_prose_is_no_requirements_file() -> None:
    assert rules("Install it from\nhttp://example.org/x\nand be happy ever after.\n") == set()
