"""What is not a resource: discovery, version, health, and the issuer's keys.

`/openapi` is not served: `kubectl apply` needs `--validate=false`.
"""

from __future__ import annotations

import sys

from eightysix.lab.apiserver.catalogue import Catalogue, Object, Resource
from eightysix.lab.apiserver.messages import Answer, Request, json_answer
from eightysix.lab.apiserver.tokens import Tokens

__all__ = ["VERSION", "Discovery"]

VERSION = "1.34.1"
"""Which Kubernetes it says it is. Its answers follow that version, where they follow one."""

_HEALTH = frozenset({"/healthz", "/livez", "/readyz", "/healthz/ping", "/livez/ping", "/readyz/ping"})


class Discovery:
    """Answers what no resource does."""

    def __init__(self, catalogue: Catalogue, tokens: Tokens) -> None:
        self._catalogue = catalogue
        self._tokens = tokens

    def serve(self, request: Request) -> Answer:
        """The answer for a path; the plain 404 of Go's server for one that is not known."""
        path = request.path.rstrip("/") or "/"
        if path in _HEALTH:
            return Answer(200, b"ok", "text/plain; charset=utf-8")
        told = self._told(path)
        if told is None:
            return Answer(404, b"404 page not found\n", "text/plain; charset=utf-8")
        return json_answer(200, told)

    def _told(self, path: str) -> Object | None:
        groups = self._catalogue.versions()
        if path == "/version":
            return _version()
        if path == "/":
            return {
                "paths": ["/api", "/api/v1", "/apis", *(f"/apis/{name}" for name in sorted(groups) if name)]
            }
        if path == "/api":
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
        if path == "/api/v1":
            return _resource_list("v1", groups[""]["v1"])
        if path == "/apis":
            listed = [_group(name, tuple(versions)) for name, versions in groups.items() if name]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}
        if path == "/.well-known/openid-configuration":
            return {
                "issuer": self._tokens.issuer,
                "jwks_uri": f"{self._tokens.issuer}/openid/v1/jwks",
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        if path == "/openid/v1/jwks":
            return self._tokens.keys()
        parts = path.split("/")[1:]
        if parts[0] != "apis" or len(parts) > 3 or parts[1] not in groups or not parts[1]:
            return None
        if len(parts) == 2:
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(parts[1], tuple(groups[parts[1]]))}
        resources = groups[parts[1]].get(parts[2])
        return None if resources is None else _resource_list(f"{parts[1]}/{parts[2]}", resources)


def _version() -> Object:
    major, minor, _ = VERSION.split(".")
    return {
        "major": major,
        "minor": minor,
        "gitVersion": f"v{VERSION}",
        "gitCommit": "0" * 40,
        "gitTreeState": "clean",
        "buildDate": "2025-09-09T19:38:18Z",
        "goVersion": "eightysix-lab",
        "compiler": "python",
        "platform": f"{sys.platform}/lab",
    }


def _group(name: str, versions: tuple[str, ...]) -> Object:
    told = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": told, "preferredVersion": told[0]}


def _resource_list(group_version: str, resources: tuple[Resource, ...]) -> Object:
    listed: list[Object] = []
    for resource in resources:
        told: Object = {
            "name": resource.plural,
            "singularName": resource.kind.lower(),
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": list(resource.verbs),
        }
        if resource.short:
            told["shortNames"] = list(resource.short)
        if resource.categories:
            told["categories"] = list(resource.categories)
        listed.append(told)
        listed += [_subresource(resource, each) for each in resource.subresources]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": listed}


_OTHER_KINDS = {
    "eviction": ("policy", "v1", "Eviction", ["create"]),
    "binding": ("", "", "Binding", ["create"]),
    "token": ("authentication.k8s.io", "v1", "TokenRequest", ["create"]),
    "exec": ("", "", "PodExecOptions", ["create", "get"]),
    "attach": ("", "", "PodAttachOptions", ["create", "get"]),
    "portforward": ("", "", "PodPortForwardOptions", ["create", "get"]),
    "log": ("", "", "Pod", ["get"]),
    "finalize": ("", "", "Namespace", ["update"]),
    "scale": ("autoscaling", "v1", "Scale", ["get", "patch", "update"]),
    "proxy": ("", "", "", ["create", "delete", "get", "patch", "update"]),
}


def _subresource(resource: Resource, name: str) -> Object:
    group, version, kind, verbs = _OTHER_KINDS.get(name, ("", "", resource.kind, ["get", "patch", "update"]))
    told: Object = {
        "name": f"{resource.plural}/{name}",
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": kind or f"{resource.kind}ProxyOptions",
        "verbs": verbs,
    }
    return {**told, **({"group": group, "version": version} if group else {})}
