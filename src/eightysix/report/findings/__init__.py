"""How the findings of a scan are written: for people, for machines, for code scanning, for a workflow's log."""
