"""The command ``poselift``: one thin file for each verb.

A verb's module has ``add_arguments(parser)`` and ``run(args)``. It parses, calls public functions
of the package, and prints; whatever takes time to import is imported in ``run``.
"""
