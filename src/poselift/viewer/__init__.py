"""Drawing of poses: a page to look at motion, and a strip of pictures.

Knows poses only, no network and no file format of the input.
"""

from poselift.viewer.html import write_html
from poselift.viewer.strip import write_strip

__all__ = ["write_html", "write_strip"]
