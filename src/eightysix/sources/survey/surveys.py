"""All surveys of one census."""

from __future__ import annotations

from eightysix.sources.interface import Decoder
from eightysix.sources.survey.audit import audit_survey
from eightysix.sources.survey.azure import azure_survey
from eightysix.sources.survey.census import Census
from eightysix.sources.survey.falco import falco_survey
from eightysix.sources.survey.metrics import MetricsSurvey
from eightysix.sources.survey.others import GateSurvey, LedgerSurvey, NamesSurvey
from eightysix.sources.survey.sensor import sensor_survey
from eightysix.sources.survey.tetragon import TetragonSurvey

__all__ = ["surveys"]


def surveys(census: Census) -> list[Decoder]:
    """One decoder for each source, in the order in which they are asked whose a record is (as in `serve.replay`)."""
    return [
        TetragonSurvey(census),
        audit_survey(census),
        sensor_survey(census),
        falco_survey(census),
        NamesSurvey(census),
        azure_survey(census),
        LedgerSurvey(census),
        GateSurvey(census),
        MetricsSurvey(census),
    ]
