"""wristseg: class masks from robot wrist-camera frames."""

__version__ = "0.1.0"
