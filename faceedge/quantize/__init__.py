"""INT8 as explicit Q/DQ ONNX: ranges, equalisation, scales, bias correction, the writing and its check."""
