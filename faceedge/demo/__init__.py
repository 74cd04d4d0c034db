"""`faceedge demo`: a real door run on a laptop, from photographs that ship in libraries. `run.run` runs it."""
