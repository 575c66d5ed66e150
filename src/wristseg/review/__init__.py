"""`wristseg review`: a page on this machine for looking through labels and marking frames."""
