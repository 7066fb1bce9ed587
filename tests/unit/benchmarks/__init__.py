"""The benchmarks run and count right; what they say of speed is nobody's test."""
