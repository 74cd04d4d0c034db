"""What runs the networks: one Engine and one Preprocessor a backend, behind `base.py`."""
