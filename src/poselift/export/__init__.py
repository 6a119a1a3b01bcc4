"""Networks for devices. Every export compares itself with torch. Needs the extra ``export``."""
