"""What the counts of a survey mean: who sees which stage of which cluster, and what closes each gap. Pure."""

from eightysix.reconstruct.coverage.view import Given, visibility

__all__ = ["Given", "visibility"]
