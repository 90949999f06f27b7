"""What an event is to the engine: its action, and the thing it acts on."""

from __future__ import annotations

from enum import StrEnum

from eightysix.context.destinations import classify
from eightysix.model.event import Event
from eightysix.model.words import Access, Kind

__all__ = ["Action", "action_of", "subject_of"]


class Action(StrEnum):
    """The kinds of evidence that states are kept by. Rules see finer values (`FIELDS.md`)."""

    INSTALL = "install"  # something landed: package, download, distribution files
    STARTUP_FILE = "startup-file"
    WRITE = "write"  # a program or model file was written
    CREDENTIAL = "credential"
    ENVIRONMENT = "environment"
    API = "api"
    API_CONNECT = "api-connect"
    CONNECT = "connect"
    HOST_ENTRY = "host-entry"  # a process enters namespaces of the node, or runs a program of it
    CLOUD = "cloud"  # a principal is seen by a cloud service
    EXEC = "exec"
    RUN = "run"  # imports, unpickling, libraries
    LOAD_FILE = "load-file"  # a file is opened to be loaded, by the sensor
    RESOLVE = "resolve"
    STARTED = "started"  # never an event: the start of a tainted process, told by its first act
    NEW_DIGEST = "new-digest"  # never an event: the first start of a digest that the baseline has not
    HELD_DIGEST = "held-digest"  # never an event: the start of a digest that the gate held, or would have
    MOVED_DIGEST = (
        "moved-digest"  # never an event: the start of a digest that came by a move of which the gate told
    )
    MADE = "made"  # never an event of this pod: a pod that it made, and what that one did (`detect.follow`)
    OTHER = "other"


_LANDING = frozenset({"install", "download", "build-hook", "distribution"})
_RUNNING = frozenset({Kind.IMPORT, Kind.PICKLE, Kind.LOAD, Kind.REVIVE})


def action_of(event: Event) -> Action:
    """Sort an event by what it could be evidence for; depends on the event alone."""
    if event.kind is Kind.API:
        return Action.API
    if event.kind is Kind.CLOUD:
        return Action.CLOUD
    if event.kind in (Kind.CONNECT, Kind.HTTP):
        if event.domain is not None:
            return Action.CREDENTIAL
        kind = classify(event.dst_ip, event.dst_port, event.dst_name)
        if kind in ("metadata", "wire-server"):
            return Action.OTHER  # asked for something that is no credential
        return Action.API_CONNECT if kind == "api-server" else Action.CONNECT
    if event.kind is Kind.FILE:
        return _file_action(event)
    if event.kind is Kind.RESOLVE:
        return Action.RESOLVE
    if event.kind in _RUNNING:
        return Action.RUN
    if event.activity in _LANDING:
        return Action.INSTALL
    return Action.HOST_ENTRY if event.activity == "host-entry" else Action.EXEC


def _file_action(event: Event) -> Action:
    if event.domain is not None:
        return Action.CREDENTIAL
    if event.activity == "host-entry":
        return Action.HOST_ENTRY
    if event.activity == "environment":
        return Action.ENVIRONMENT
    if event.activity.startswith("startup-file"):
        return Action.STARTUP_FILE
    if event.activity == "distribution":
        return Action.INSTALL
    if event.activity in ("program-file", "model-file"):
        return Action.WRITE
    return Action.LOAD_FILE if event.file_id and event.access is not Access.WRITE else Action.OTHER


def subject_of(event: Event) -> str:
    """What the event acts on: events with the same process, action and subject are repetitions of each other."""
    if event.kind is Kind.API:
        thing = f"{event.resource}/{event.subresource}/{event.object_namespace}/{event.object_name}"
        return f"{event.verb}/{thing}/{event.outcome}/{event.source_ip}"
    if event.kind is Kind.CLOUD:
        return f"{event.resource}/{event.verb}/{event.object_name}/{event.source_ip}/{event.outcome}"
    if event.kind in (Kind.CONNECT, Kind.HTTP):
        return f"{event.kind}/{event.dst_ip or event.dst_name}:{event.dst_port}{event.url_path}/{event.outcome}/{event.root}"
    if event.kind is Kind.FILE:
        if event.activity == "distribution":
            return str(event.artifacts[0])
        return f"{event.file_path}/{event.access}/{event.root}{_which(event)}"
    if event.kind is Kind.RESOLVE:
        return event.dst_name
    if event.kind in _RUNNING:
        return f"{event.module or event.file_path}/{event.at_import}/{event.root}{_which(event)}"
    return event.command


def _which(event: Event) -> str:
    """Tells loads of one name apart: a file that was changed is another one."""
    return f"/{event.file_id}" if event.file_id else ""
