"""Scripts at the paths that existing users call; the code lies in ``wristseg``."""
