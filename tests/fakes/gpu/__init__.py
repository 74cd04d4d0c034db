"""Stand-ins for a Jetson's GPU: a CUDA driver in C, pycuda built on it, and a strict `tensorrt`. See README.md."""
