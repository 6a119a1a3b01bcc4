"""Videos made from others, for measurements that need a certain size or length."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av

from poselift.detect import Frames


def scaled(source: Path, target: Path, rows: int) -> Path:
    """The video with ``rows`` pixels on its shorter side, as h264."""
    frames = Frames(source)
    share = rows / min(frames.width, frames.height)
    width, height = (2 * round(share * side / 2) for side in (frames.width, frames.height))
    with av.open(str(target), "w") as out:
        stream = out.add_stream("libx264", rate=Fraction(frames.fps).limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame.image, format="rgb24")
            for packet in stream.encode(picture.reformat(width, height, "yuv420p")):
                out.mux(packet)
        for packet in stream.encode(None):
            out.mux(packet)
    return target


def repeated(source: Path, target: Path, frames: int) -> Path:
    """The packets of a video again and again, not encoded anew, until there are so many frames."""
    with av.open(str(target), "w") as out:
        stream, offset, count = None, 0, 0
        while count < frames:
            with av.open(str(source)) as container:
                template = container.streams.video[0]
                if stream is None:
                    stream = out.add_stream_from_template(template)
                    stream.time_base = template.time_base
                end = 0
                for packet in container.demux(template):
                    if packet.dts is None:
                        continue
                    end = max(end, packet.pts + packet.duration)
                    packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                    packet.stream = stream
                    out.mux(packet)
                    count += 1
                offset += end
    return target
