"""LangChain's own dumps are clean; the same objects in places where the library never writes them are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.scan.told import as_json, found, rules, verdict

FIXTURES = Path(__file__).parent / "fixtures"
MESSAGES = ["langchain", "schema", "messages"]


def message(name: Any = "AIMessage", **kwargs: Any) -> dict[str, Any]:
    return {"lc": 1, "type": "constructor", "id": [*MESSAGES, name], "kwargs": {"content": "hi", **kwargs}}


def build(*name: str, **kwargs: Any) -> dict[str, Any]:
    return {"lc": 1, "type": "constructor", "id": list(name), "kwargs": kwargs}


def secret(name: str = "OPENAI_API_KEY") -> dict[str, Any]:
    return {"lc": 1, "type": "secret", "id": [name]}


OPENAI = ("langchain", "chat_models", "openai", "ChatOpenAI")
SHELL = ("langchain_community", "tools", "shell", "tool", "ShellTool")


@pytest.mark.parametrize("name", ["history.json", "prompt.json", "chain.json", "azure.json"])
def test_what_the_library_itself_dumped_is_clean(name: str) -> None:
    assert verdict((FIXTURES / name).read_bytes()) == "clean"


@pytest.mark.parametrize(
    "field", ["additional_kwargs", "response_metadata", "usage_metadata", "artifact", "content", "tool_calls"]
)
def test_a_secret_below_user_data_is_malicious(field: str) -> None:
    assert rules(as_json(message(**{field: {"x": [secret()]}}))) == {"lc-secret"}
    assert verdict(as_json([{"messages": [message(**{field: [{"a": secret("X")}]})]}])) == "malicious"


@pytest.mark.parametrize("mark", [1, 1.0, True])
def test_what_equals_one_is_one(mark: object) -> None:
    assert rules(as_json(message(additional_kwargs={"lc": mark, "type": "secret", "id": ["X"]}))) == {
        "lc-secret"
    }


@pytest.mark.parametrize("mark", [0, "1", None, 3, [1]])
def test_what_the_loader_passes_over_is_passed_over(mark: object) -> None:
    assert verdict(as_json(message(additional_kwargs={"lc": mark, "type": "secret", "id": ["X"]}))) == "clean"


def test_a_secret_outside_of_any_object_is_malicious() -> None:
    assert rules(as_json({"user_data": secret()})) == {"lc-secret"}
    assert rules(as_json(secret())) == {"lc-secret"}


def test_a_declared_secret_is_clean_and_the_same_in_another_argument_is_not() -> None:
    assert verdict(as_json(build(*OPENAI, openai_api_key=secret(), model="gpt-4o"))) == "clean"
    assert rules(as_json(build(*OPENAI, model=secret()))) == {"lc-secret"}
    assert rules(as_json(build(*OPENAI, openai_api_key=secret("AWS_SECRET_ACCESS_KEY")))) == {"lc-secret"}
    assert rules(as_json(message(content=secret()))) == {"lc-secret"}


def test_a_class_that_nobody_knows_may_name_its_own_secret() -> None:
    own = build("my_models", "Chat", my_api_key=secret("MY_API_KEY"))
    assert rules(as_json(own)) == {"lc-unknown"}
    assert [one.names for one in found(as_json(own)).findings] == [("my_models.Chat",)]


def test_objects_that_hold_data_may_lie_below_user_data() -> None:
    document = build("langchain", "schema", "document", "Document", page_content="x")
    assert verdict(as_json(message("ToolMessage", artifact=[document]))) == "clean"
    assert verdict(as_json({"metadata": {"writes": {"agent": {"messages": [message()]}}}})) == "clean"


@pytest.mark.parametrize("field", ["response_metadata", "additional_kwargs", "artifact"])
def test_other_objects_below_user_data_are_malicious(field: str) -> None:
    model = build("langchain_aws", "chat_models", "ChatBedrock", endpoint_url="https://evil.example")
    assert "lc-injected" in rules(as_json(message(**{field: {"deep": [{"er": model}]}})))


def test_the_same_model_at_the_top_is_clean() -> None:
    model = build("langchain_aws", "chat_models", "ChatBedrock", endpoint_url="https://bedrock.example")
    assert verdict(as_json(model)) == "clean"


def test_a_class_that_no_release_writes_is_forged() -> None:
    assert rules(as_json(build(*SHELL))) == {"lc-forged"}


@pytest.mark.parametrize(
    "name", [("subprocess", "Popen"), ("builtins", "eval"), ("langchain", "__init__", "os")]
)
def test_a_callable_that_acts_is_malicious(name: tuple[str, ...]) -> None:
    assert rules(as_json(build(*name, args="x"))) & {"lc-gadget"}


def test_an_unknown_class_is_suspicious_with_its_name() -> None:
    result = found(as_json(build("my_app", "chains", "Mine")))
    assert result.file.verdict == "suspicious"
    assert [one.names for one in result.findings] == [("my_app.chains.Mine",)]


@pytest.mark.parametrize("broken", ["abc", {"a": 1}, [1], [""], []])
def test_an_id_that_is_no_list_of_names_is_told(broken: object) -> None:
    assert rules(as_json({"lc": 1, "type": "constructor", "id": broken, "kwargs": {}})) == {"lc-unknown"}


def test_what_was_escaped_is_a_note_and_a_second_key_undoes_the_escape() -> None:
    assert rules(as_json(message(additional_kwargs={"__lc_escaped__": secret()}))) == {"lc-escaped"}
    both = {"__lc_escaped__": secret(), "more": 1}
    assert rules(as_json(message(additional_kwargs=both))) == {"lc-secret"}


def test_not_implemented_is_what_the_library_writes_for_anything() -> None:
    other = {"lc": 1, "type": "not_implemented", "id": ["my", "Model"], "repr": "Model()"}
    assert verdict(as_json(message(additional_kwargs={"parsed": other}))) == "clean"


def test_jinja_prompts_are_suspicious_and_others_clean() -> None:
    prompt = ("langchain", "prompts", "prompt", "PromptTemplate")
    assert "lc-jinja" in rules(as_json(build(*prompt, template="{{ x }}", template_format="jinja2")))
    assert verdict(as_json(build(*prompt, template="{x}", template_format="f-string"))) == "clean"


def test_endpoints() -> None:
    def told(url: str) -> set[str]:
        return rules(as_json(build(*OPENAI, openai_api_base=url, openai_api_key=secret())))

    assert told("https://proxy.example.org/v1") == {"lc-note"}
    assert told("http://proxy.example.org/v1") == {"lc-endpoint"}
    assert told("http://vllm.models.svc:8000/v1") == set()
    assert told("http://127.0.0.1:8000") == set()
    assert "lc-exfiltrates" in told("http://169.254.169.254/latest")


def test_a_key_written_twice_is_judged_in_both_values() -> None:
    text = b'{"lc":1,"type":"secret","type":"x","id":["K"]}'
    assert rules(text) == {"duplicate-keys", "lc-secret"}
    assert verdict(b'{"a":1,"a":2,"kwargs":{"lc":1}}') == "clean"


def test_escapes_in_keys_hide_nothing() -> None:
    text = as_json(message(additional_kwargs={"x": secret()})).replace(b'"lc"', b'"\\u006cc"')
    assert rules(text) == {"lc-secret"}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-8-sig"])
def test_other_encodings_hide_nothing(encoding: str) -> None:
    text = as_json(message(additional_kwargs={"x": secret()})).decode().encode(encoding)
    assert rules(text) == {"lc-secret"}


def test_lines_are_judged_one_by_one() -> None:
    lines = b"\n".join([as_json(message())] * 50 + [as_json(message(additional_kwargs=secret()))])
    assert rules(lines) == {"lc-secret"}
    assert ["line 51" in one.why for one in found(lines).findings] == [True]


def test_json_in_a_text_of_json_is_judged_and_what_a_message_says_is_not() -> None:
    evil = as_json(message(additional_kwargs={"x": secret()})).decode()
    assert rules(as_json({"checkpoint": evil})) == {"lc-secret"}
    assert rules(as_json({"rows": [as_json({"state": evil}).decode()]})) == {"lc-secret"}
    assert verdict(as_json({"content": evil})) == "clean"


def test_yaml_holds_the_same_objects() -> None:
    text = "messages:\n- lc: 1\n  type: secret\n  id: [KEY]\n"
    assert rules(text) == {"lc-secret"}
    assert verdict("lc: 1\ntype: list\n") == "clean"


def test_lc2_builds_what_langgraph_vouches_for_and_nothing_else() -> None:
    def told(*name: str, **more: Any) -> set[str]:
        return rules(as_json({"lc": 2, "type": "constructor", "id": list(name), **more}))

    assert told("datetime", "datetime", method="fromisoformat", args=["2026-01-01"]) == set()
    assert told("uuid", "UUID", args=["0" * 32]) == set()
    assert (
        told("langchain_core", "messages", "ai", "AIMessage", method=[None, "construct"], kwargs={}) == set()
    )
    assert told("os", "system", kwargs={"command": "x"}) == {"checkpoint-gadget"}
    assert told("builtins", "str", method=["__class__", "__base__"]) == {"checkpoint-gadget"}
    assert told("my_app", "State", kwargs={}) == {"checkpoint-unknown"}
