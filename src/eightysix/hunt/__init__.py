"""The hunting pack and its runner: KQL that binds in Sentinel and Defender, and runs here over files or a store."""
