"""The whole story as one page that opens from the disk: timeline, graph, identities, what to rotate, what nobody saw.

`page` is the house style (frame, policy, data), `incident.js` and `incident.css` are built from `web/report` by
`make web`; they are the story's own. The data in the page is `eightysix/reconstruction/v1`, the same as in JSON.
"""

from __future__ import annotations

from collections.abc import Iterator

from eightysix.model.story import Reconstruction
from eightysix.report.html.page import load, write_page
from eightysix.report.interface import RenderOptions

__all__ = ["FORMAT", "HtmlFormat"]

_PLAIN = (
    "This page draws the story by a script, which this browser does not run. "
    "The same as text: eightysix reconstruct PATH --format plain"
)


class HtmlFormat:
    """A page for people, with the data of the JSON format inside. `options` change nothing: same story, same bytes."""

    name = "html"

    def write(self, reconstruction: Reconstruction, options: RenderOptions) -> Iterator[str]:
        """The page in pieces; never raises because of what a string in it holds."""
        yield from write_page(_title(reconstruction), load("incident"), reconstruction, plain=_PLAIN)


def _title(reconstruction: Reconstruction) -> str:
    stories = reconstruction.stories
    if not stories:
        return "eightysix: nothing to tell"
    if len(stories) > 1:
        return f"eightysix: {len(stories)} stories"
    pod = stories[0].pod
    return f"eightysix: {stories[0].title}" + (f" in {pod.namespace}/{pod.name}" if pod else "")


FORMAT = HtmlFormat()
