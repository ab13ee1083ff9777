"""What the pool does next, decided by values alone: no clock, no process, no lock."""
