"""Inputs that go on: files through rotation, standard input, and what wakes up whoever waits for them."""
