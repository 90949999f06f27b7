"""Chat templates: those of real models are clean, ways out of a template are found however they are spelled."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.scan.weights.jinja import LARGEST, judge_template

LLAMA = (
    "{{- bos_token }}\n{%- if custom_tools is defined %}{%- set tools = custom_tools %}{%- endif %}\n"
    "{%- if not date_string is defined %}{%- if strftime_now is defined %}"
    "{%- set date_string = strftime_now('%d %b %Y') %}{%- endif %}{%- endif %}\n"
    "{%- if messages[0]['role'] == 'system' %}{%- set system_message = messages[0]['content']|trim %}"
    "{%- set messages = messages[1:] %}{%- else %}{%- set system_message = '' %}{%- endif %}\n"
    "{%- for t in tools %}{{- t | tojson(indent=4) }}{%- endfor %}\n"
    "{%- for message in messages %}{%- if not (message.role == 'ipython' or 'tool_calls' in message) %}"
    "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}"
    "{%- elif 'tool_calls' in message %}{%- if not message.tool_calls|length == 1 %}"
    '{{- raise_exception("This model only supports single tool-calls at once!") }}{%- endif %}'
    "{%- for arg_name, arg_val in message.tool_calls[0].function.arguments | items %}"
    "{{- arg_name + '=\"' + arg_val + '\"' }}{%- if not loop.last %}{{- ', ' }}{%- endif %}{%- endfor %}{%- endif %}{%- endfor %}"
)
QWEN = (
    "{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}"
    "{%- for message in messages[::-1] %}{%- set index = (messages|length - 1) - loop.index0 %}"
    "{%- if ns.multi_step_tool and message.role == 'user' and message.content is string and not("
    "message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}"
    "{%- set ns.multi_step_tool = false %}{%- set ns.last_query_index = index %}{%- endif %}{%- endfor %}"
    "{%- set content = message.content.split('</think>')[-1].lstrip('\\n') %}"
    "{%- if (loop.index0 == 0) or (messages[loop.index0 - 1].role != 'tool') %}{{- '<|im_start|>user' }}{%- endif %}"
)
DEEPSEEK = (
    "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}"
    "{% set ns = namespace(is_first=false, is_tool=false, system_prompt='') %}"
    "{%- for message in messages %}{%- if message['role'] == 'system' %}{% set ns.system_prompt = message['content'] %}"
    "{%- endif %}{%- for tool in message['tool_calls'] %}{{'<|tool|>' + tool['type'] + '\\n' + '```json' + '\\n' + "
    "tool['function']['arguments'] + '\\n' + '```'}}{%- endfor %}{%- endfor %}"
)
GEMMA = (
    "{{ bos_token }}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('no') }}{% endif %}"
    "{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}"
    "{%- if message['content'] is iterable and message['content'] is not mapping -%}"
    "{%- for item in message['content'] -%}{{ item['text'] | trim }}{%- endfor -%}{%- endif -%}"
)
COMMAND = (
    "{%- macro document_turn(documents) -%}{# format of documents #}{%- for doc in documents %}"
    '{ "tool_call_id": "{{ loop.index0 }}", "results": {{ doc|tojson }} }{% if not loop.last %},{% endif %}{%- endfor %}'
    "{%- endmacro %}{%- macro json_to_python_type(spec) %}{%- set basic = {'string': 'str', 'number': 'float'} %}"
    "{%- if basic[spec.type] is defined %}{{- basic[spec.type] }}{%- elif spec.type == 'array' %}"
    "{{- 'List[' + json_to_python_type(spec.items) + ']' }}{%- endif %}{%- endmacro %}{{ document_turn(documents) }}"
    "{%- set tool_ids = tools | map(attribute='function.name') | list | join(', ') %}"
    "{%- set users = messages | selectattr('role', 'equalto', 'user') | list %}{{ users[-1].content | default('', true) }}"
    "{% generation %}{{ message['content'] }}{% endgeneration %}{% if loop.index > 3 %}{% break %}{% endif %}"
    "{{ ['', eos_token][loop.last] ~ '\\u003c' }}{% raw %}{{ ''.__class__ }}{% endraw %}{# {{ ''.__class__ }} #}"
)


@pytest.mark.parametrize("template", [LLAMA, QWEN, DEEPSEEK, GEMMA, COMMAND, "", "plain text", "{ not one }"])
def test_templates_of_real_models_are_clean(template: str) -> None:
    assert judge_template(template) == []


ESCAPES = [
    "{{ ''.__class__ }}",
    "{{ ''['__class__'] }}",
    "{{ ''['__cla' 'ss__'] }}",
    "{{ ''['__cla' ~ 'ss__'] }}",
    "{{ ''['__cla' + 'ss__'] }}",
    r"{{ ''['\x5f\x5fclass\x5f\x5f'] }}",
    r"{{ ''['\u005f_class_\137'] }}",
    r"{{ ''['\N{LOW LINE}_class__'] }}",
    "{% set a = '__cla' %}{% set b = 'ss__' %}{{ ''[a ~ b] }}",
    "{% set a %}x{% endset %}{{ ()|attr(a) }}",
    "{{ ''['__ssalc__'[::-1]] }}",
    "{{ ''['__ssalc__'|reverse] }}",
    "{{ ''[['__', 'class', '__']|join] }}",
    "{{ ''[dict(__cla=1, ss__=2)|join] }}",
    "{{ ''['%sclass%s'|format('__', '__')] }}",
    "{{ ''['%sclass__' % '__'] }}",
    "{{ ''['{}class__'.format('__')] }}",
    "{{ ''['__CLASS__'|lower] }}",
    "{{ ''['__CLASS__'.lower()] }}",
    "{{ ''['xxclassxx'.replace('xx', '__')] }}",
    "{{ ''['_' * 2 ~ 'class' ~ '_' * 2] }}",
    "{{ ()|attr('__class__') }}",
    "{{ ()|attr(x) }}",
    "{{ ()|attr(name='__class__') }}",
    "{{ [()]|map('attr', '__class__')|list }}",
    "{{ [()]|map(attribute='__class__')|list }}",
    "{{ [()]|selectattr('__class__')|list }}",
    "{{ [()]|sum('__class__') }}",
    "{{ [()]|groupby('a.__class__') }}",
    "{{ [()]|join(attribute='__class__') }}",
    "{{ '{0.__class__}'.format(1) }}",
    "{{ '{0.__class__}'.format_map({}) }}",
    "{{ cycler.__init__.__globals__ }}",
    "{{ lipsum.__globals__['os'] }}",
    "{{ self._TemplateReference__context }}",
    "{{ namespace.__init__ }}",
    "{{ raise_exception.__globals__ }}",
    "{{ messages.__len__ }}",
    "{{ f().gi_frame.f_back }}",
    "{{ x.mro() }}",
    "{{ x.func_globals }}",
    "{{ lipsum.anything }}",
    "{{ ''[('__', 'class__')|join] }}",
    "{% for a in ''.__class__.__mro__ %}{% endfor %}",
    "{% if ''.__class__ %}{% endif %}",
    "{% set x = ''.__class__ %}",
    "{% macro m(a=''.__class__) %}{% endmacro %}",
    "{% call(x) y.__class__() %}{% endcall %}",
    "{% filter attr('__class__') %}{% endfilter %}",
    "{% with a=''.__class__ %}{% endwith %}",
    "{% set x | attr('__class__') %}{% endset %}",
    "{{ a if b else c.__class__ }}",
    "{{ {'a': [(''.__class__)]} }}",
    "{{ a is divisibleby b.__class__ }}",
    "{{ a[b.__class__:] }}",
    "{%- raw -%}{{ x }}{%- endraw -%}{{ ''.__class__ }}",
    "{# {{ #}{{ ''.__class__ }}{# }} #}",
    "{{ '}}' }}{{ ''.__class__ }}",
]
UNFINISHED = "{{ ''.__class__ "


@pytest.mark.parametrize("template", ESCAPES)
@pytest.mark.parametrize("chat", [True, False])
def test_ways_out_are_found(template: str, chat: bool) -> None:
    assert "template-escape" in {one.rule for one in judge_template(template, chat)}


def test_a_way_out_that_cannot_be_parsed_counts_where_a_template_is_expected() -> None:
    assert {one.rule for one in judge_template(UNFINISHED, chat=True)} == {"template-escape"}
    assert judge_template(UNFINISHED, chat=False) == []


@pytest.mark.parametrize(
    "template",
    [
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% from 'x' import y %}",
        "{% extends 'x' %}",
        "{{ x|shell }}",
        "{{ x is allowed }}",
        "{{ open('x') }}",
        "{{ x.read() }}",
        "{{ x()() }}",
        "{{ lipsum() }}",
        "{{ x._private }}",
        "{{ x|attr('name') }}",
        "{{ x[a ~ b] }}",
        "{{ x['a' + y] }}",
        "{{ x.format(y) }}",
        "{{ '{0.a}'.format(y) }}",
        "{{ x|map(y)|list }}",
        "{{ x|map(attribute=y)|list }}",
        "{{ x|select(y)|list }}",
        "{{ config.items }}",
        "{% python %}",
        r"{{ '\x61' }}",
        "{{ 'x' * 99999999 }}",
        "{% for a in range(99999999) %}{% endfor %}",
    ],
)
def test_what_no_chat_template_needs_is_named(template: str) -> None:
    assert {one.rule for one in judge_template(template)} == {"template-unknown"}
    assert judge_template(template, chat=False) == []


@pytest.mark.parametrize(
    "template",
    [
        "{{ a",
        "{% if %}",
        "{{ a b }}",
        "{{ 'a }}",
        "{{ (a] }}",
        "{{ $ }}",
        "{# a",
        "{% raw %}",
        "{{ a" + "|d" * 500 + " }}",
    ],
)
def test_what_jinja_does_not_read_is_broken(template: str) -> None:
    assert {one.rule for one in judge_template(template)} == {"template-broken"}
    assert judge_template(template, chat=False) == []


@pytest.mark.parametrize(
    "template",
    [
        "{{ " + "(" * 50_000,
        "{{ " + "a if b else " * 20_000 + "c }}",
        "{{ " + "a[" * 20_000,
        "{{ a" + ".b" * 50_000 + " }}",
        "{" * 100_000,
        "x" * (LARGEST + 1),
        "".join(f"{{% set x{n + 1} = x{n} ~ x{n} %}}" for n in range(20_000)) + "{{ a[x20000] }}",
    ],
)
def test_large_and_deep_ones_end_in_a_finding(template: str) -> None:
    assert "template-broken" in {one.rule for one in judge_template(template)}


@given(
    st.lists(
        st.sampled_from(
            [*"{}%#[]()'\"|.~+-*:,= \\\n", "{{", "}}", "{%", "%}", "a", "if", "in", "is", "set", "raw", "0"]
        )
    )
)
def test_any_text_gives_a_judgement(pieces: list[str]) -> None:
    text = "".join(pieces)
    for one in judge_template(text):
        assert one.rule in {"template-escape", "template-unknown", "template-broken"}
        assert 0 <= one.place <= len(text)
        assert one.why.isprintable()
