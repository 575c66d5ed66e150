"""Export: a checkpoint as one file for a runtime, kept only if it gives the same masks."""
