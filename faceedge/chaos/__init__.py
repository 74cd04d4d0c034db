"""`faceedge chaos`: faults put into a running door on purpose, and what became of it. `run.run` runs it."""
