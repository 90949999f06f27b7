"""Names that loaders import from documents."""

from __future__ import annotations

import pytest

from tests.scan.told import as_json, found, rules, verdict

GADGET = [
    {"_target_": "builtins.exec", "_args_": ["x"]},
    {"model": {"optim": [{"_target_": "os.system"}]}},
    {"_target_": "os.path.__dict__"},
    {"target": "subprocess.Popen", "params": {"args": "x"}},
    {"class_path": "subprocess.Popen", "init_args": {}},
    {"type": "subprocess.Popen", "init_parameters": {}},
    {"provider": "subprocess.Popen", "component_type": "tool", "config": {}},
    {"py/object": "subprocess.Popen"},
    {"py/reduce": [{"py/function": "os.system"}, {"py/tuple": ["x"]}]},
    {"py/reduce": [{"py/id": 3}, {"py/tuple": ["x"]}]},
    {"formatters": {"a": {"()": "subprocess.Popen", "args": "x"}}},
    {"flavors": {"python_function": {"loader_module": "os"}}},
    {"_target_": "hydra.utils.get_method", "path": "os.system"},
]


@pytest.mark.parametrize("value", GADGET)
def test_callables_that_act_are_malicious(value: dict[str, object]) -> None:
    assert "config-gadget" in rules(as_json(value))


@pytest.mark.parametrize(
    "value",
    [
        {"_target_": "torch.nn.Linear", "in_features": 3},
        {"_target_": "torch.optim.AdamW", "lr": 0.1},
        {"target": "x86_64", "params": [1]},
        {"target": "sales", "type": "bar", "provider": "aws"},
        {"provider": "autogen_agentchat.agents.AssistantAgent", "component_type": "agent", "config": {}},
        {"formatters": {"a": {"()": "logging.Formatter"}}, "version": 1},
        {"flavors": {"python_function": {"loader_module": "mlflow.sklearn", "model_path": "model.pkl"}}},
        {
            "auto_mapping": {
                "base_model_class": "LlamaModel",
                "parent_library": "transformers.models.llama.modeling_llama",
            }
        },
        {"py/object": "datetime.timedelta"},
        {"type": "object", "init_parameters": {}},
    ],
)
def test_what_builds_data_or_belongs_to_its_loader_is_clean(value: dict[str, object]) -> None:
    assert verdict(as_json(value)) == "clean"


def test_unknown_names_are_told() -> None:
    for value in ({"_target_": "my_project.Net"}, {"target": "ldm.models.Net", "params": {}}):
        result = found(as_json(value))
        assert [one.rule for one in result.findings] == ["config-unknown-name"]
        assert result.findings[0].names
    assert rules(as_json({"class_path": "my.Module", "init_args": {}})) == {"config-name"}


def test_a_tool_that_carries_its_source() -> None:
    tool = {"source_code": "def f(): ...", "name": "f", "global_imports": []}
    value = {"provider": "autogen_core.tools.FunctionTool", "component_type": "tool", "config": tool}
    assert rules(as_json(value)) == {"config-code"}
