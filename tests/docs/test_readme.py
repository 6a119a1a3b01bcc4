"""README and guides are run: every command and every Python block, in order, page by page.

Each page has a folder of its own with the sample files that the pages speak of. Installations
are left out, and trainings are cut to one step.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from samples import write_motion_capture

from poselift import keypoints
from poselift.cli.main import VERBS, main
from poselift.data.procedural import generate
from poselift.evaluation.mocap import IMAGE_SIZE, project_views
from poselift.poses import Pose2D
from poselift.skeleton import H36M_17

PROJECT = Path(__file__).resolve().parents[2]
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
FRAMES = 40


def blocks(page: Path) -> list[tuple[str, str]]:
    """(language, text) of each fenced block."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), flags=re.M | re.S)


def commands(text: str) -> list[list[str]]:
    """Words of each command; ``&&`` joins two."""
    lines = [shlex.split(line, comments=True) for line in text.splitlines()]
    parts = [part for line in lines if line for part in shlex.join(line).split("'&&'")]
    return [shlex.split(part) for part in parts]


def make_samples(folder: Path) -> None:
    """Files of all tools with a walking person, named as in the pages, and motion capture."""
    rng = np.random.default_rng(0)
    motion = generate("walk", seconds=1.6, fps=25.0, seed=2)
    walk = Pose2D(
        project_views(motion)[0], skeleton=H36M_17, fps=25.0, image_size=IMAGE_SIZE, source="walk"
    )
    keypoints.write_npz(folder / "walk.npz", walk)
    place = walk.keypoints[0].mean(axis=1)  # (T, 2): other tools' joints need only be near

    def person(joints: int, frame: int, scores: bool = True) -> np.ndarray:
        points = place[frame] + rng.normal(scale=60, size=(joints, 2))
        return np.concatenate([points, np.ones((joints, 1))], axis=1) if scores else points

    def write(name: str, content: object) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))

    for frame in range(FRAMES):
        people = [{"person_id": [-1], "pose_keypoints_2d": person(25, frame).ravel().tolist()}]
        write(f"openpose_json/v_{frame:012}_keypoints.json", {"version": 1.3, "people": people})
        points = person(17, frame)
        seen = dict(zip(("x", "y", "visible"), points.T.tolist(), strict=True))
        box = {"x1": 0.0, "y1": 0.0, "x2": 900.0, "y2": 900.0}
        found = {"name": "person", "class": 0, "confidence": 0.9, "box": box, "keypoints": seen}
        write(f"ultralytics_json/v_{frame}.json", [found])
    write(
        "alphapose-results.json",
        [
            {
                "image_id": f"{frame}.jpg",
                "category_id": 1,
                "keypoints": person(26, frame).ravel().tolist(),
                "score": 2.5,
                "idx": 1,
                "box": [0, 0, 900, 900],
            }
            for frame in range(FRAMES)
        ],
    )
    write(
        "coco_results.json",
        [
            {
                "image_id": frame,
                "category_id": 1,
                "keypoints": person(17, frame).ravel().tolist(),
                "score": 0.9,
            }
            for frame in range(FRAMES)
        ],
    )
    write(
        "mmpose.json",
        [
            {
                "frame_id": frame,
                "instances": [
                    {
                        "keypoints": person(17, frame, scores=False).tolist(),
                        "keypoint_scores": [0.9] * 17,
                        "bbox": [[0, 0, 900, 900]],
                    }
                ],
            }
            for frame in range(FRAMES)
        ],
    )
    landmarks = [
        [{"x": x / 1000, "y": y / 1000, "visibility": 1.0} for x, y, _ in person(33, frame)]
        for frame in range(FRAMES)
    ]
    write(
        "mediapipe.json",
        {
            "width": 1000,
            "height": 1000,
            "fps": 25,
            "frames": [
                {"frame": frame, "pose_landmarks": points} for frame, points in enumerate(landmarks)
            ],
        },
    )
    clip = np.stack([person(17, frame, scores=False) for frame in range(FRAMES)])
    symmetry = [[1, 3, 5, 7, 9, 11, 13, 15], [2, 4, 6, 8, 10, 12, 14, 16]]
    about = {"layout_name": "coco", "num_joints": 17, "keypoints_symmetry": symmetry}
    about["video_metadata"] = {"walk.mp4": {"w": 1000, "h": 1000}}
    np.savez(
        folder / "data_2d_custom_walk.npz",
        positions_2d=np.array({"walk.mp4": {"custom": [clip.astype(np.float32)]}}, dtype=object),
        metadata=np.array(about, dtype=object),
    )
    (folder / "cmu-mocap").mkdir()
    for seed, part in enumerate(("train", "val", "test")):
        path = folder / "cmu-mocap" / f"motions_{part}.npz"
        write_motion_capture(path, [generate("walk", 0.8, 50.0, seed)])
    (folder / "recipes").symlink_to(PROJECT / "recipes")
    video = PROJECT.parent / "shared" / "data" / "media" / "pose2sim_single_cam01.mp4"
    if video.exists():
        (folder / "walk.mp4").symlink_to(video)


def run_command(words: list[str]) -> None:
    if words[0] in ("pip", "python3", ".", "pytest"):
        return  # installations; .ci/run has done the same when it runs this
    assert words[0] == "poselift", f"no way to test {words}"
    assert words[1] in VERBS
    if words[1] == "setup":
        return  # an installation too; tests/detect runs it
    if "walk.mp4" in words and not Path("walk.mp4").exists():
        return  # a user's machine: the sample videos are not in the project
    if words[1] in ("train", "pretrain"):
        words = [*words, "train.steps=1", "train.batch_size=2", "train.validate_every=1"]
    assert main(words[1:]) == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_is_true(page, tmp_path, monkeypatch, capsys):
    make_samples(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lifted").mkdir()
    if page.name == "files.md":  # begins where `lift` has ended
        assert main(["lift", "walk.npz", "-o", "lifted", "--quiet"]) == 0
    if page.name == "models.md":
        pytest.importorskip("torch")
    names: dict[str, object] = {}
    for language, text in blocks(page):
        if language == "sh":
            for words in commands(text):
                run_command(words)
        else:
            assert language == "python", f"{page.name}: a block of {language!r} is not tested"
            exec(compile(text, str(page), "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert "://" in link or (page.parent / link).exists(), link


def test_first_screen_has_both_commands():
    first = (PROJECT / "README.md").read_text().splitlines()[:22]
    assert "pip install . && poselift demo" in first
    assert 'pip install ".[test]" && pytest' in first


def test_the_checks_run_exactly_the_command_of_the_readme():
    assert 'pip install ".[test]" && pytest' in (PROJECT / ".ci" / "run").read_text().splitlines()


def test_every_verb_is_in_a_page():
    text = "\n".join(page.read_text() for page in PAGES)
    assert [verb for verb in VERBS if f"\nposelift {verb}" not in text and verb != "demo"] == []


def test_nothing_is_left_to_fill_in():
    left = [page.name for page in PAGES if "TBD" in page.read_text()]
    assert left == []
