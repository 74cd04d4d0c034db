"""`faceedge` with quantisation reduced to plain ranges, for `benchmarks.calibrations` to compare with."""

from __future__ import annotations

import sys

from faceedge.__main__ import main
from faceedge.jobs.calibration import bench as calibrate_bench
from faceedge.quantize.options import Options

PLAIN = Options(method="minmax", equalise=False, centre=False, correct_bias=False)

if __name__ == "__main__":
    calibrate_bench.Options = lambda: PLAIN  # type: ignore[assignment, misc]
    sys.exit(main())
