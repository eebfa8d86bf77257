"""Requests as a file for offline processing, and the answers that come back."""
