"""Detector families: how each kind of network wants its input and how its outputs are read."""
