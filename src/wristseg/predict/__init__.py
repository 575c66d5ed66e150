"""Prediction: from a checkpoint and frames to masks; importing it loads no training library."""
