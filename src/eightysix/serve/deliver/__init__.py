"""Incidents to the people on call: sinks that speak to receivers, and the courier that repeats until they took it."""
