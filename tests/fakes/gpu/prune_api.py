"""Prunes recordings of TensorRT's Python API to what the stand-in models: a folder of recordings in, api/*.json out.

    python -m tests.fakes.gpu.prune_api FOLDER

People run it when the code begins to use another name; api/README.md says where the recordings come from.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

VERSIONS = {"10.3.0": "10.3.0", "10.16.1": "10.16.1.11", "11.4.0": "11.4.0.106"}
CLASSES = (
    "Builder", "IBuilderConfig", "INetworkDefinition", "IOptimizationProfile", "ITimingCache", "IProgressMonitor",
    "OnnxParser", "ParserError", "ITensor", "IHostMemory", "ILogger", "Logger", "Runtime", "ICudaEngine",
    "IExecutionContext", "EngineInspector", "IInt8Calibrator", "IInt8EntropyCalibrator2",
)  # fmt: skip
ENUMS = (
    "BuilderFlag", "DataType", "DeviceType", "EngineCapability", "ExecutionContextAllocationStrategy",
    "HardwareCompatibilityLevel", "ILogger.Severity", "LayerInformationFormat", "MemoryPoolType",
    "NetworkDefinitionCreationFlag", "OnnxParserFlag", "ProfilingVerbosity", "QuantizationFlag", "TensorFormat",
    "TensorIOMode", "TensorLocation", "ErrorCode", "ErrorCodeTRT", "TacticSource", "EngineStat",
)  # fmt: skip
FUNCTIONS = ("nptype", "volume", "init_libnvinfer_plugins", "get_nv_onnx_parser_version")


def pruned(recording: dict[str, Any]) -> dict[str, Any]:
    """Names, parameters and types of what is kept."""
    return {
        "version": recording["version"],
        "classes": {name: _class(recording["classes"][name]) for name in CLASSES if name in recording["classes"]},
        "enums": {name: recording["enums"][name] for name in ENUMS if name in recording["enums"]},
        "functions": [name for name in FUNCTIONS if name in recording["functions"]],
    }


def _class(spec: dict[str, Any]) -> dict[str, Any]:
    methods = {name: [_signature(s) for s in method["signatures"]] for name, method in spec["methods"].items()}
    properties = {name: [p["type"], "r" if p["readonly"] else "rw"] for name, p in spec["properties"].items()}
    constructors = [_signature(s) for s in spec["constructors"]]
    return {"bases": spec["bases"], "constructors": constructors, "methods": methods, "properties": properties}


def _signature(signature: dict[str, Any]) -> list[list[str | None]]:
    """One [name, type] a parameter, with "=" behind it where it may be left out."""
    return [
        [p.get("name"), p.get("type"), *(["="] if "default" in p else [])]
        for p in signature["params"]
        if p.get("name") != "self"
    ]


def main(folder: Path) -> None:
    """Writes a file a version."""
    target = Path(__file__).with_name("api")
    for short, full in VERSIONS.items():
        recording = json.loads((folder / f"{full}.json").read_text())
        lines = json.dumps(pruned(recording), indent=1, sort_keys=True)
        (target / f"{short}.json").write_text(lines + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
