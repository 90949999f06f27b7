"""What outlives a process: the state of live detection."""
