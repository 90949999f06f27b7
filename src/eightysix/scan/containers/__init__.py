"""Readers of what holds other artifacts: zip, tar, 7z, compressed streams, and the model archives made of them."""
