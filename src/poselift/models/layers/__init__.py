"""Building blocks that several networks share. Tokens are node-first: (J, B, C)."""
