"""Takes from released wheels what LangChain, LangGraph and diffusers themselves vouch for in serialized state."""
