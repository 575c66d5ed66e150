"""Labels: find, read and check a data set, draw its masks, split it, augment it, load it."""
