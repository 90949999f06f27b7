"""The whole story, from the artifact to the last use of the stolen identity. Pure: what was read comes in, stories go out."""
