"""What to label next, and labels that a model makes. Rests on ``data`` and ``predict``."""
