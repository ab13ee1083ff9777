"""What keeps answers coming when speech is busy, a model slow, or one needed often."""
