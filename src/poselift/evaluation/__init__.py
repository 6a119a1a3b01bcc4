"""Protocols: what is measured, on which frames, averaged in which order."""
