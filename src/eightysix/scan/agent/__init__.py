"""Readers of agent state: LangChain objects, LangGraph checkpoints; and what an environment would load them with."""
