"""The folder that `eightysix rules new` writes: a rule that loads as it is, explained line by line."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["new_rule_files"]


def new_rule_files(rule_id: str) -> Mapping[str, str]:
    """The files of a new rule's folder: path in it, and text."""
    return {
        "rule.yml": _RULE.replace("RULE_ID", rule_id),
        "fires/README.md": _FIRES,
        "quiet/README.md": _QUIET,
    }


_RULE = """\
# A chain rule: single events in Sigma's words, joined by cause and time into a chain.
# 'eightysix rules test .' from the folder above runs it; 'eightysix rules show RULE_ID' tells it in words.

id: RULE_ID              # the same as the name of the folder
title: Landed code takes a credential
maturity: experimental   # experimental, test, stable
severity: medium         # low, medium, high, critical: how bad it is when the rule is right
attack: [T1552.005]      # MITRE ATT&CK (T1552.005) or ATLAS (AML.T0010)

what: >
  What it finds, for somebody who is woken by it.
why: >
  Why that is bad, and why it does not happen in normal operation.
blind_spots: >
  What it cannot see. A rule without blind spots was not thought through.
respond:
  - isolate the pod and keep it running for evidence

# Telemetry without which the rule cannot be judged; 'a|b' means that one of them is enough.
# connections, files, processes, provenance, api-audit, cloud-logs, baseline
needs: [connections, files|provenance]

by: pod                  # pod, or workload: told once for each rollout
within: 300s             # only for steps with 'join: window', where nothing but time joins

# Each signal is one kind of evidence. 'stage' is land, run, reach, pivot, leave or use. 'detection' is Sigma's: a map of
# fields, all of which must match (lists are alternatives; contains, startswith, endswith, all, cased, cidr, exists, neq,
# gt, gte, lt, lte as modifiers), or several selections and a condition. The fields are listed in detect/FIELDS.md.
signals:
  landed:
    stage: land
    title: a package is installed in the running container
    detection:
      selection: {action: install, startup: false}
    points: 20           # they add up
    basis: judged        # or measured: who says so many
  credential:
    stage: reach
    title: a process that the installer started takes a credential
    detection:
      selection:
        action: credential
        lineage: installer
      known: {k8s.user_agent|startswith: "known-agent/"}
      condition: selection and not known
    grade_min: B         # how surely the record must belong to this pod: A (in-process) to F (an address)
    points: 40
    basis: judged

# In this order. 'any', 'all' or 'absent', and what joins a step to those before it:
# pod (default), process (the same or a descendant), lineage (descends from what landed), token, window.
chain:
  - any: [landed]
  - any: [credential]
    join: process

suspect_at: 50           # points at which the chain is told as suspect
# contain_at: 90         # leave it out unless you would cut off a pod in production for it

# Context that makes it less alarming; counts only from records that the pod cannot write.
benign:
  - detection: {selection: {action: install, lineage: entrypoint}}
    points: -10
    why: the container's own process tree ran the installer
"""

_FIRES = """\
# Streams on which the rule must fire

Put at least two recordings here, one file each: JSON Lines as Tetragon, the Kubernetes audit log or the in-process
sensor write them (`.jsonl`, `.gz` or `.zst`), or a folder where several files belong together. Recordings are better
than records written by hand; take out secrets and names first.

`eightysix rules test` also changes each of them (causes reversed, second domain removed, another pod, destination
known) and expects the rule to stay quiet then.
"""

_QUIET = """\
# Streams on which the rule must stay quiet

Put at least two near misses here: what looks almost like the attack and is normal operation. The one fact in which it
differs belongs in the file's name, for example `reinstall-at-start.jsonl`.
"""
