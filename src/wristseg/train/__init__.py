"""Training: the Lightning module, the run folder and the stage that fits a model."""
