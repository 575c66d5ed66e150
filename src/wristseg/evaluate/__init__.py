"""Evaluation: how good a model is on labelled frames, in numbers and pictures."""
