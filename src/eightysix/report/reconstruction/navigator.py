"""A layer for the ATT&CK Navigator, layer format 4.5 (github.com/mitre-attack/attack-navigator, layers/spec/v4.5).

One layer for all stories: each technique with the marks that it is, by `T+`, as many as there is room for; its score is
the number of records behind them, up to 100. ATLAS has a navigator of its own and is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eightysix.context.techniques import ATTACK_VERSION, NAMES, technique_url
from eightysix.model.story import Mark, Reconstruction, Story
from eightysix.report.inert import inert
from eightysix.report.interface import RenderOptions
from eightysix.report.json_text import indented
from eightysix.report.reconstruction.telling import owner, stories_of, sure, times
from eightysix.report.sarif_text import unlogged_json
from eightysix.report.story import clock, offset

__all__ = ["FORMAT", "LAYER_VERSION", "NavigatorFormat"]

LAYER_VERSION = "4.5"
_NAVIGATOR = "5.1.0"
_HIGHEST = 100
_LINES = 12
_LINE = 200
_COLORS = ("#fff7bc", "#fe9929", "#cc4c02")
"""Pale to dark: also told apart without colour vision, and in print."""

Json = dict[str, object]


class NavigatorFormat:
    """One layer, which Navigator opens with "Open Existing Layer"."""

    name = "navigator"

    def write(self, reconstruction: Reconstruction, options: RenderOptions) -> Iterator[str]:
        """One piece, because the encoder needs the whole document."""
        yield unlogged_json(indented(_layer(stories_of(reconstruction))))


FORMAT = NavigatorFormat()


def _layer(stories: Sequence[Story]) -> Json:
    found: dict[str, list[tuple[Story, Mark]]] = {}
    for story in stories:
        for mark in story.marks:
            for item in mark.techniques:
                if item in NAMES:
                    found.setdefault(item, []).append((story, mark))
    title = (
        inert(stories[0].title or owner(stories[0]), _LINE)
        if len(stories) == 1
        else f"{len(stories)} stories"
    )
    return {
        "name": f"eightysix: {title}",
        "versions": {"attack": ATTACK_VERSION, "navigator": _NAVIGATOR, "layer": LAYER_VERSION},
        "domain": "enterprise-attack",
        "description": "\n".join(
            inert(text, 2 * _LINE) for story in stories[:_LINES] for text in _about(story)
        ),
        "sorting": 3,
        "layout": {"layout": "side", "showID": True, "showName": True, "expandedSubtechniques": "annotated"},
        "hideDisabled": False,
        "techniques": [_technique(item, found[item], len(stories) > 1) for item in sorted(found)],
        "gradient": {"colors": list(_COLORS), "minValue": 0, "maxValue": _HIGHEST},
        "legendItems": [{"label": "score: records of the technique, up to 100", "color": _COLORS[-1]}],
        "metadata": [
            {"name": name, "value": inert(value, _LINE)}
            for story in stories[:_LINES]
            for name, value in _facts(story)
        ],
    }


def _about(story: Story) -> list[str]:
    return [f"{story.verdict or 'asked'}: {story.title or owner(story)} ({owner(story)})", *story.summary]


def _facts(story: Story) -> list[tuple[str, str]]:
    told = (
        ("story", story.id),
        ("pod", owner(story)),
        ("T0", f"{clock(story.t0)} UTC" if story.t0 else ""),
        ("domains taken", ", ".join(story.domains)),
    )
    return [(name, value) for name, value in told if value]


def _technique(technique: str, marks: list[tuple[Story, Mark]], several: bool) -> Json:
    records = sum(max(len(mark.evidence), mark.count, 1) for _, mark in marks)
    lines = [_line(story, mark, several) for story, mark in marks[:_LINES]]
    if len(marks) > _LINES:
        lines.append(f"… {len(marks) - _LINES} more")
    return {
        "techniqueID": technique,
        "score": min(records, _HIGHEST),
        "comment": "\n".join(lines),
        "enabled": True,
        "metadata": [
            {
                "name": "stages",
                "value": ", ".join(dict.fromkeys(str(mark.stage) for _, mark in marks if mark.stage)),
            },
            {"name": "records", "value": str(records)},
        ],
        "links": [{"label": f"{technique} {NAMES[technique]}", "url": technique_url(technique)}],
        "showSubtechniques": True,
    }


def _line(story: Story, mark: Mark, several: bool) -> str:
    pod = f"{owner(story)}: " if several else ""
    text = " ".join(
        filter(None, (f"{pod}{offset(mark.offset_s)}", mark.title, times(mark.count), f"[{sure(mark)}]"))
    )
    return inert(text, _LINE)
