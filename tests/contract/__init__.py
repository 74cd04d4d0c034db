"""One suite over every backend and every network: what `faceedge.backends.base.Engine` promises."""
