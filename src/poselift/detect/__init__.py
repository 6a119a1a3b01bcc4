"""Video in, 2D joints of everybody in it out: BlazePose, several persons, any container.

``setup`` gets the weight files once; ``detect_video`` does a whole video; ``Frames``,
``PoseTracker`` and ``to_pose`` are its parts. Needs ``pip install "poselift[video]"``.
"""

from poselift.detect.blazepose import BlazePose, Detection, Landmarks
from poselift.detect.camera import Camera
from poselift.detect.clip import (
    DetectedPose2D,
    FramePersons,
    detect_frames,
    detect_video,
    largest,
    select,
    to_pose,
)
from poselift.detect.region import Region
from poselift.detect.tracker import PoseTracker, Seen
from poselift.detect.video import IMAGE_SUFFIXES, Frame, Frames, VideoWarning
from poselift.detect.weights import WeightFiles, cache_folder, find, setup

__all__ = [
    "IMAGE_SUFFIXES",
    "BlazePose",
    "Camera",
    "DetectedPose2D",
    "Detection",
    "Frame",
    "FramePersons",
    "Frames",
    "Landmarks",
    "PoseTracker",
    "Region",
    "Seen",
    "VideoWarning",
    "WeightFiles",
    "cache_folder",
    "detect_frames",
    "detect_video",
    "find",
    "largest",
    "select",
    "setup",
    "to_pose",
]
