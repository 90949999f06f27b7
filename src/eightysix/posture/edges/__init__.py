"""What lets whoever holds one thing hold another: pure functions from a snapshot to edges."""
