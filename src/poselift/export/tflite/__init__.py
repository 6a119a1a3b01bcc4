"""LiteRT's file, written from an ONNX graph.

Raises ``MissingExtraError`` where LiteRT is not installed: the file's schema comes with it.
"""

from poselift.errors import MissingExtraError

try:
    import ai_edge_litert.schema_py_generated  # noqa: F401
    import flatbuffers  # noqa: F401
except ImportError as error:
    raise MissingExtraError(
        f"this needs {error.name}", "ai-edge-litert installed", "pip install ai-edge-litert"
    ) from error
