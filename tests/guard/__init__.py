"""The guard that keeps tests, and every process they start, on this machine."""
