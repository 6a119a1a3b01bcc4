"""Training: recipes, the loop, validation. Needs the extra ``train``."""
