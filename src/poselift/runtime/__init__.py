"""Lifting on any machine: NumPy and ONNX Runtime, no torch."""

from poselift.runtime.lifter import Lifter
from poselift.runtime.streaming import StreamingLifter

__all__ = ["Lifter", "StreamingLifter"]
