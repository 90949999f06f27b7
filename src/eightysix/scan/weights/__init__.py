"""Readers of formats that should hold numbers alone: safetensors, GGUF; and what disguises itself as one."""
