"""``python -m benchmarks.report`` writes docs/performance.md; ``pytest benchmarks`` times cases."""
