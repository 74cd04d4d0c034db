"""The parts of a calibration: what it is made from, how it is searched, judged, written and told."""
