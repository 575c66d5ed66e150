"""Bulk labelling: thousands of videos in, exact masks out, on one machine or many."""
