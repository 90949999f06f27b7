"""Queries as a pack has them, written for tests of what is made from them."""

from __future__ import annotations

from eightysix.hunt.interface import Analytics, Query, QueryKind
from eightysix.model.table import Environment

BOTH = (Environment.LOG_ANALYTICS, Environment.DEFENDER)

BURST = Query(
    id="secret-burst",
    title="Secrets read in a burst",
    kind=QueryKind.ANALYTICS,
    question="Which service account read many secrets within minutes?",
    text="""\
// Bursts of one identity
let minimum = 5;
AKSAudit
| where Stage == "ResponseComplete" and tostring(ObjectRef.resource) == "secrets"
| extend Caller = tostring(User.username), SourceIp = tostring(SourceIps[0])
| summarize Secrets = dcount(RequestUri), TimeGenerated = max(TimeGenerated) by Caller, SourceIp, _ResourceId
| where Secrets >= minimum
""",
    tables=("AKSAudit",),
    environments=BOTH,
    stages=("reach",),
    attack=("T1552.007", "T1078"),
    matrix=("MS-TA9025",),
    volume="Some a week.",
    false_positives=("Operators that copy secrets.",),
    next=("Look at what the caller did next.", "Rotate what was read."),
    parameters={"minimum": "secrets from which it is a burst"},
    analytics=Analytics(
        every=60,
        over=60,
        severity="medium",
        entities={
            "Account": {"FullName": "Caller"},
            "IP": {"Address": "SourceIp"},
            "AzureResource": {"ResourceId": "_ResourceId"},
        },
    ),
)

CHAIN = Query(
    id="install-then-metadata",
    title="A package was installed, and the metadata service asked",
    kind=QueryKind.ANALYTICS,
    question="Which pod asked the metadata service soon after an install?",
    text="""\
let window = 86s;
let installs = CloudProcessEvents
| where Timestamp > ago(1d) and ProcessCommandLine has_any ("pip", "uv") and ProcessCommandLine has "install"
| project InstallTime = Timestamp, AzureResourceId, KubernetesNamespace, KubernetesPodName;
CloudProcessEvents
| where Timestamp > ago(1d) and ProcessCommandLine has "169.254.169.254"
| join kind=inner installs on AzureResourceId, KubernetesNamespace, KubernetesPodName
| where Timestamp between (InstallTime .. (InstallTime + window))
| project Timestamp, InstallTime, AzureResourceId, KubernetesNamespace, KubernetesPodName, ProcessCommandLine
""",
    tables=("CloudProcessEvents",),
    environments=(*BOTH, Environment.LOCAL),
    stages=("run", "reach"),
    attack=("T1552.005", "T1195.002"),
    matrix=("MS-TA9028",),
    volume="None.",
    false_positives=("Notebooks.",),
    next=("Stop the pod.",),
    parameters={"window": "time between the two"},
    analytics=Analytics(
        every=60, over=1440, severity="high", entities={"AzureResource": {"ResourceId": "AzureResourceId"}}
    ),
)

HUNT = Query(
    id="lookups-by-pod",
    title="Names that pods asked for",
    kind=QueryKind.HUNTING,
    question="Which names did a pod ask for that no other did?",
    text="CloudDnsEvents | where Timestamp > ago(7d) | summarize Pods = dcount(KubernetesPodName) by DnsQuery | where Pods == 1",
    tables=("CloudDnsEvents",),
    environments=BOTH,
    stages=("leave",),
    attack=("T1071.004",),
    matrix=(),
    volume="Many.",
    false_positives=(),
    next=(),
)

SIGNINS = Query(
    id="signins-of-applications",
    title="Sign-ins",
    kind=QueryKind.ANALYTICS,
    question="Who signed in?",
    text="EntraIdSpnSignInEvents | where IsManagedIdentity | project Timestamp, ServicePrincipalId, IPAddress",
    tables=("EntraIdSpnSignInEvents",),
    environments=(Environment.DEFENDER,),
    stages=("use",),
    attack=("T1550.001",),
    matrix=(),
    volume="Many.",
    false_positives=(),
    next=(),
    analytics=Analytics(every=5, over=60, severity="low", entities={"IP": {"Address": "IPAddress"}}),
)

ALL = (BURST, CHAIN, HUNT, SIGNINS)

HOSTILE = (
    "a\nid: 0\nquery: T | take 1",
    "- [x](javascript:alert(1)) <script>alert(1)</script>",
    "{Workspace} {{ResourceId}} {EightysixQuery}",
    "[concat('a')] ${x} $(id) `id` %00",
    "\x1b[31m\x00\u202e\u2028\ud7ff",
    "'\"\\'''\"\"\" | > & * ! % @ # --- ...",
    "!!python/object/apply:os.system ['id']",
    "*alias &anchor",
    "x" * 5_000,
    "yes",
    "1e3",
    "",
)
"""Titles that would like to be more than titles."""
