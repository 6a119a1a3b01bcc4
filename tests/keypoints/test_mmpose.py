"""MMPose Inferencer files and results."""

from __future__ import annotations

import pytest
from keypoint_examples import Write, person

from poselift.errors import DataError
from poselift.keypoints import from_mmpose, read


def instance(count: int = 26, x: float = 300, **more: object) -> dict:
    joints = person(count, x)
    return {
        "keypoints": joints[:, :2].tolist(),
        "keypoint_scores": joints[:, 2].tolist(),
        "bbox": [[0, 0, 1, 1]],
    } | more


def test_video(write: Write) -> None:
    data = [{"frame_id": n, "instances": [instance(), instance(x=800)]} for n in range(3)]
    pose = read(write("m.json", data))
    assert (pose.skeleton.name, pose.num_persons, pose.num_frames) == ("halpe-26", 2, 3)


def test_seventeen_joints_need_a_name_unless_the_file_says(write: Write) -> None:
    frames = [{"frame_id": n, "instances": [instance(17)]} for n in range(2)]
    with pytest.raises(DataError, match="nothing in the file that names"):
        read(write("m.json", frames))
    assert read(write("m.json", frames), "h36m-17").skeleton.name == "h36m-17"
    data = {"meta_info": {"dataset_name": "coco"}, "instance_info": frames}
    assert read(write("m.json", data)).skeleton.name == "coco-17"


def test_folder_of_images(write: Write) -> None:
    for n in (3, 5):
        path = write(f"predictions/{n:06d}.json", [instance()])
    write("predictions/000004.json", [])
    assert read(path.parent).num_frames == 3
    assert read(path).num_frames == 1


def test_results_of_the_inferencer() -> None:
    results = ({"predictions": [[instance()]]} for _ in range(4))
    pose = from_mmpose(results, fps=25, image_size=(640, 480))
    assert (pose.num_frames, pose.fps, pose.image_size) == (4, 25, (640, 480))


def test_lifted_instances_are_refused(write: Write) -> None:
    solid = instance(keypoints=[[1.0, 2.0, 3.0]] * 26)
    with pytest.raises(DataError, match=r"keypoints of shape \(26, 3\)"):
        read(write("m.json", [{"frame_id": 0, "instances": [solid]}]))
