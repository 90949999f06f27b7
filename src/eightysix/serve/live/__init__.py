"""Live detection: the loop, what outlives it, and what silence says."""
