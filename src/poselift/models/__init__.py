"""The networks. Needs the extra ``train`` or ``export`` (torch)."""

from poselift.models.registry import create, list, load, load_published

__all__ = ["create", "list", "load", "load_published"]
