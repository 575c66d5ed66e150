"""Stage ``wristseg benchmark``: this project beside the plain implementation and its peers."""
