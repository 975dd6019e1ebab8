"""The benchmarks: each measures real parts, beside a reference in the same run, and says on what machine."""
