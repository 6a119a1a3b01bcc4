"""Motion: read from files or made on the spot."""
