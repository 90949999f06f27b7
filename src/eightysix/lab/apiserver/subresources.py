"""What is asked of a pod itself: log, exec, attach, port forwarding, eviction. There is no kubelet behind this server.

The lab may give functions that stand in for one; without them a request that is allowed ends as it does when the kubelet
cannot be reached.
"""

from __future__ import annotations

from eightysix.lab.apiserver.messages import Answer
from eightysix.lab.apiserver.rest import Call, Rest
from eightysix.lab.apiserver.status import ApiError, not_found
from eightysix.lab.apiserver.store import Store, Stored

__all__ = ["Subresources"]


class Subresources:
    """Answers them."""

    def __init__(self, store: Store, rest: Rest) -> None:
        self._store = store
        self._rest = rest

    def serve(self, call: Call) -> Answer:
        """Answer a subresource."""
        held = self._held(call)
        if call.asked.subresource in ("exec", "attach", "portforward"):
            if not call.request.header("upgrade"):
                raise ApiError(400, "BadRequest", "Upgrade request required")
            raise _unreachable(held)
        raise ApiError(
            405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {}
        )

    def _held(self, call: Call) -> Stored:
        namespace = call.asked.namespace if call.resource.namespaced else ""
        held = self._store.get(call.resource, namespace, call.asked.name)
        if held is None:
            raise not_found(call.resource, call.asked.name)
        return held


def _unreachable(held: Stored) -> ApiError:
    spec = held.read().get("spec")
    node = spec.get("nodeName") if isinstance(spec, dict) else None
    if not node:
        return ApiError(400, "BadRequest", f"pod {held.name} does not have a host assigned")
    text = f"error dialing backend: no kubelet answers for {node}"
    return ApiError(500, "InternalError", text, {"causes": [{"message": text}]})
