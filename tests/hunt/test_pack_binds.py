"""The pack, bound by Microsoft's parser in every environment that it names, and published for every portal."""

from __future__ import annotations

import json

import jsonschema  # type: ignore[import-untyped]  # the stubs are not worth a dependency
import pytest
import yaml

from eightysix.hunt.binder import Binder
from eightysix.hunt.interface import QueryKind
from eightysix.hunt.pack import load
from eightysix.hunt.publish import publish
from eightysix.hunt.validate import validate
from eightysix.model.table import Environment
from tests.hunt import test_publish_defender, test_publish_sentinel

pytestmark = pytest.mark.tier("node")

PACK = load()


@pytest.mark.parametrize("name", PACK)
def test_a_query_binds_wherever_it_says(name: str, binder: Binder) -> None:
    found = validate(PACK[name], binder)
    assert found
    assert {one.environment.value: one.bound.problems for one in found if not one.ok} == {}


def test_every_rule_becomes_one_of_sentinel_and_one_of_defender(binder: Binder) -> None:
    queries = list(PACK.values())
    sentinel = publish(queries, "sentinel", binder)
    defender = publish(queries, "defender", binder)
    assert [one for one in sentinel.left_out if one.why != "it is not for log-analytics"] == []
    rules = {query.id: query for query in queries if query.kind is QueryKind.ANALYTICS}
    assert rules
    # One that is about no entity, but about a table: Defender takes none such.
    whole = {name for name, query in rules.items() if query.analytics is None or not query.analytics.entities}
    assert [
        one for one in defender.left_out if one.why != "it is not for defender-xdr" and one.query not in whole
    ] == []
    for query in queries:
        if query.id in rules and Environment.LOG_ANALYTICS in query.environments:
            read = yaml.safe_load(sentinel.files[f"rules/{query.id}.yaml"])
            jsonschema.validate(read, test_publish_sentinel.FIELDS)
            assert binder.bind(read["query"], Environment.LOG_ANALYTICS).ok
        if query.id in rules and query.id not in whole and Environment.DEFENDER in query.environments:
            read = json.loads(defender.files[f"{query.id}.json"])
            jsonschema.validate(read, test_publish_defender.FIELDS)
            assert binder.bind(read["queryCondition"]["queryText"], Environment.DEFENDER).ok


def test_the_workbook_has_every_query_of_log_analytics(binder: Binder) -> None:
    found = publish(list(PACK.values()), "workbook", binder)
    groups = json.loads(found.files["eightysix.workbook.json"])["items"][1:]
    wanted = [query.id for query in PACK.values() if Environment.LOG_ANALYTICS in query.environments]
    assert [one["name"] for one in groups] == wanted
