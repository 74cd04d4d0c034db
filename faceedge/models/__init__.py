"""Model packages: where they lie, how they are made, the default ones."""
