"""Configuration files of model hubs."""

from __future__ import annotations

import pytest

from tests.scan.told import as_json, rules, verdict

REMOTE = [
    {"auto_map": {"AutoModel": "modeling_x.X"}},
    {"auto_map": {"AutoTokenizer": ["a.B", None]}},
    {"auto_map": {"AutoModel": "owner/repo--modeling_x.X"}},
    {"text_config": {"auto_map": {"AutoConfig": "c.C"}}},
    {"custom_pipelines": {"task": {"impl": "x.Pipeline", "pt": ["AutoModel"]}}},
    {"custom_generate": "owner/repo"},
    {"_attn_implementation": "owner/kernels"},
    {"_class_name": ["pipeline_x", "Pipe"], "_diffusers_version": "0.30"},
    {"_class_name": "Pipe", "unet": ["my_module", "Net"]},
    [{"idx": 0, "name": "0", "path": "", "type": "custom_st.Transformer"}],
]


@pytest.mark.parametrize("value", REMOTE)
def test_code_of_a_repository_is_suspicious(value: object) -> None:
    assert rules(as_json(value)) == {"remote-code"}


@pytest.mark.parametrize(
    "value",
    [
        {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "attn_implementation": "flash_attention_2",
        },
        {
            "_class_name": "StableDiffusionPipeline",
            "_diffusers_version": "0.30",
            "unet": ["diffusers", "UNet2DConditionModel"],
            "text_encoder": ["transformers", "CLIPTextModel"],
            "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
            "feature_extractor": [None, None],
        },
        {
            "_class_name": "UNet2DModel",
            "_diffusers_version": "0.30",
            "down_block_types": ["DownBlock2D", "AttnDownBlock2D"],
            "acts": ["silu", "gelu"],
        },
        [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}],
        {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "sub/model.safetensors"}},
        {"name": "x", "scripts": {"postinstall": "node x.js"}},
    ],
)
def test_everyday_files_are_clean(value: object) -> None:
    assert verdict(as_json(value)) == "clean"


@pytest.mark.parametrize(
    "shard", ["http://e.example/x.bin", "/etc/x", "../../x.bin", "a/../../x", "C:/x", "..\\x", "s3://b/x"]
)
def test_shards_from_elsewhere_are_malicious(shard: str) -> None:
    assert rules(as_json({"weight_map": {"a": "model.bin", "b": shard}})) == {"path-elsewhere"}


def test_other_paths_out_of_the_folder() -> None:
    assert rules(as_json({"auto_map": {"AutoModel": "../../x.X"}})) == {"path-elsewhere"}
    flavors = {"python_function": {"loader_module": "mlflow.sklearn", "model_path": "../../x.pkl"}}
    assert rules(as_json({"flavors": flavors})) == {"path-elsewhere"}


def test_names_that_act_are_malicious_in_any_of_them() -> None:
    assert rules(as_json([{"idx": 0, "name": "0", "path": "", "type": "os.system"}])) == {"config-gadget"}
    assert rules(as_json({"_class_name": "Pipe", "unet": ["os", "system"]})) == {"config-gadget"}


def test_chat_templates_are_judged_wherever_they_lie() -> None:
    evil = "{{ ''.__class__.__mro__[1].__subclasses__() }}"
    for value in (
        {"chat_template": evil},
        {"chat_template": [{"name": "default", "template": evil}]},
        {"chat_template": {"a": evil}},
    ):
        assert verdict(as_json(value)) == "malicious"
    good = "{% for m in messages %}{{ m['content'] | trim }}{% endfor %}"
    assert verdict(as_json({"chat_template": good})) == "clean"
