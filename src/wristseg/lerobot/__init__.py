"""Reads and extends LeRobot data sets, formats v2 and v3.0, without the lerobot package."""
