"""Makes ``python -m src.training...`` find this folder before any other ``src`` on the path."""
