"""Renderer: wrist-camera recordings of an SO-101 in MuJoCo, with labels."""
