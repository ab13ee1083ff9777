"""What an engine has read of a talk outlives the engine."""
