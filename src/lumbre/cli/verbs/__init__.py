"""One file per verb, found by name. Each has a `command`."""
