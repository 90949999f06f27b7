"""LangChain's older prompt and chain files."""

from __future__ import annotations

import pytest

from tests.scan.told import as_json, rules, verdict


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../../x.txt", "a/../../x", "~/.ssh/id_rsa", "C:\\x.txt", "https://e.example/x"]
)
def test_paths_out_of_the_folder_are_malicious(path: str) -> None:
    assert rules(as_json({"_type": "prompt", "template_path": path})) == {"prompt-file"}
    assert rules(f"_type: llm_chain\nprompt_path: '{path}'\n") == {"prompt-file"}


def test_a_path_beside_the_file_is_clean() -> None:
    assert verdict(as_json({"_type": "prompt", "template_path": "prompts/one.txt"})) == "clean"
    assert verdict("_type: few_shot\nexamples: examples.json\n") == "clean"


def test_the_hub_is_suspicious() -> None:
    assert rules(as_json({"_type": "llm_chain", "prompt_path": "lc://prompts/x.json"})) == {"prompt-hub"}


def test_chains_by_what_the_library_says_of_their_loaders() -> None:
    for kind in ("llm_bash_chain", "pal_chain", "sql_database_chain", "llm_requests_chain"):
        assert rules(as_json({"_type": kind, "prompt": {"_type": "prompt", "template": "x"}})) == {
            "chain-acts"
        }
    assert verdict(as_json({"_type": "llm_chain", "prompt": {"_type": "prompt", "template": "x"}})) == "clean"


def test_jinja_in_a_stored_prompt() -> None:
    prompt = {"_type": "prompt", "template": "{{ ''.__class__.__mro__ }}", "template_format": "jinja2"}
    assert "lc-jinja" in rules(as_json(prompt))
    assert verdict(as_json({**prompt, "template_format": "f-string", "template": "{x}"})) == "clean"
