"""Version 4.5 of the Navigator's layer format as a JSON Schema, written after its documentation: MITRE publishes tables
(github.com/mitre-attack/attack-navigator, layers/spec/v4.5/layerformat.md) and no schema. Nothing unknown is allowed."""

from __future__ import annotations

from typing import Any

__all__ = ["LAYER"]

_COLOR = {"type": "string", "pattern": "^#[0-9a-fA-F]{6}([0-9a-fA-F]{2})?$"}
_DIVIDER = {
    "type": "object",
    "properties": {"divider": {"type": "boolean"}},
    "required": ["divider"],
    "additionalProperties": False,
}


def _object(required: str, optional: str, **properties: Any) -> dict[str, Any]:
    assert properties.keys() == {*required.split(), *optional.split()}
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


_METADATA = {
    "type": "array",
    "items": {
        "anyOf": [_object("name value", "", name={"type": "string"}, value={"type": "string"}), _DIVIDER]
    },
}
_LINKS = {
    "type": "array",
    "items": {
        "anyOf": [
            _object(
                "label url", "", label={"type": "string"}, url={"type": "string", "pattern": "^https://"}
            ),
            _DIVIDER,
        ]
    },
}
_TECHNIQUE = _object(
    "techniqueID",
    "tactic comment enabled score color metadata links showSubtechniques",
    techniqueID={"type": "string", "pattern": "^T[0-9]{4}(\\.[0-9]{3})?$"},
    tactic={"type": "string"},
    comment={"type": "string"},
    enabled={"type": "boolean"},
    score={"type": "number"},
    color=_COLOR,
    metadata=_METADATA,
    links=_LINKS,
    showSubtechniques={"type": "boolean"},
)

LAYER: dict[str, Any] = _object(
    "name domain",
    "versions description customDataURL filters sorting layout hideDisabled techniques gradient legendItems "
    "showTacticRowBackground tacticRowBackground selectTechniquesAcrossTactics selectSubtechniquesWithParent "
    "selectVisibleTechniques metadata links",
    versions=_object(
        "navigator layer",
        "attack",
        attack={"type": "string", "pattern": "^[0-9]+$"},
        navigator={"type": "string", "pattern": "^(4\\.9|[5-9])\\."},
        layer={"const": "4.5"},
    ),
    name={"type": "string", "minLength": 1},
    description={"type": "string"},
    domain={"enum": ["enterprise-attack", "mobile-attack", "ics-attack"]},
    customDataURL={"type": "string"},
    filters={"type": "object"},
    sorting={"enum": [0, 1, 2, 3]},
    layout=_object(
        "",
        "layout showID showName showAggregateScores countUnscored aggregateFunction expandedSubtechniques",
        layout={"enum": ["side", "flat", "mini"]},
        showID={"type": "boolean"},
        showName={"type": "boolean"},
        showAggregateScores={"type": "boolean"},
        countUnscored={"type": "boolean"},
        aggregateFunction={"enum": ["average", "min", "max", "sum"]},
        expandedSubtechniques={"enum": ["none", "all", "annotated"]},
    ),
    hideDisabled={"type": "boolean"},
    techniques={"type": "array", "items": _TECHNIQUE},
    gradient=_object(
        "colors minValue maxValue",
        "",
        colors={"type": "array", "items": _COLOR, "minItems": 2},
        minValue={"type": "number"},
        maxValue={"type": "number"},
    ),
    legendItems={
        "type": "array",
        "items": _object("label color", "", label={"type": "string"}, color=_COLOR),
    },
    showTacticRowBackground={"type": "boolean"},
    tacticRowBackground=_COLOR,
    selectTechniquesAcrossTactics={"type": "boolean"},
    selectSubtechniquesWithParent={"type": "boolean"},
    selectVisibleTechniques={"type": "boolean"},
    metadata=_METADATA,
    links=_LINKS,
)
