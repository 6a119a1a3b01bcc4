"""Drawing of poses: a page to look at motion, a film, and a strip of pictures.

Knows poses, and the video they come from; no network and no file of joints.
"""

from poselift.viewer.html import make_page, write_html
from poselift.viewer.strip import write_strip
from poselift.viewer.video import write_mp4

__all__ = ["make_page", "write_html", "write_mp4", "write_strip"]
