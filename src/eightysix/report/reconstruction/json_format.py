"""`reconstruction/v1` as JSON: everything, lossless, the same bytes for the same stories."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from eightysix.model.incident import Counts, Coverage
from eightysix.model.story import Reconstruction, Story
from eightysix.report.interface import RenderOptions
from eightysix.report.json_text import indented

__all__ = ["FORMAT", "JsonFormat"]


class _Document(msgspec.Struct, frozen=True):
    """The order of the keys at the top."""

    schema: str
    stories: tuple[Story, ...]
    coverage: Coverage
    counts: Counts


class JsonFormat:
    """Pretty-printed JSON, two spaces deep, ending with a newline. `options` change nothing."""

    name = "json"

    def write(self, reconstruction: Reconstruction, options: RenderOptions) -> Iterator[str]:
        """One piece, because the encoder needs the whole document."""
        r = reconstruction
        yield indented(_Document(r.schema, r.stories, r.coverage, r.counts))


FORMAT = JsonFormat()
