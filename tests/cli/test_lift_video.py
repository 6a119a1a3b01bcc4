"""``lift`` on videos: damage, interruption, and going on."""

from __future__ import annotations

import itertools
import json
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from poselift import motion
from poselift.cli import lift as lift_verb
from poselift.cli import partial
from poselift.cli.stages import STAGES
from poselift.detect import Frames
from poselift.errors import DataError

pytestmark = pytest.mark.usefixtures("weights")


@pytest.fixture(scope="session")
def make_clip(shared, write_video, tmp_path_factory):
    """Some frames of the portrait sample, at a third of the size."""
    source = Frames(shared / "data/media/pose2sim_single_cam01.mp4")
    images = [np.ascontiguousarray(frame.image[::3, ::3]) for frame in source]

    def make(name, count):
        path = tmp_path_factory.mktemp("video") / name
        return write_video(path, images[:count], codec="mpeg4", rate=60)

    return make


@pytest.fixture(scope="session")
def clip(make_clip):
    """24 frames and an odd name."""
    return make_clip("Läufer 1: früh.mp4", 24)


def test_a_video_becomes_all_formats(command, clip, tmp_path):
    names = "npz,json,csv,bvh,trc,c3d,glb,html,svg,mp4"
    done = command("lift", clip, "-o", tmp_path / "out", "--format", names, "--person", "largest")
    assert (done.code, done.err) == (0, "")
    expected = {f"{clip.stem}.{name}" for name in names.split(",")}
    assert {path.name for path in (tmp_path / "out").iterdir()} == expected
    pose = motion.read(tmp_path / "out" / f"{clip.stem}.npz")
    assert pose.joints.shape == (1, 24, 17, 3)
    assert Frames(tmp_path / "out" / f"{clip.stem}.mp4").count == 24


def test_a_summary_for_programs(command, clip, tmp_path):
    done = command("lift", clip, "-o", tmp_path / "out", "--json", "--format", "npz,svg")
    (result,) = json.loads(done.out)["results"]
    assert result["input"] == str(clip)
    assert result["outputs"] == [str(tmp_path / "out" / f"{clip.stem}.{x}") for x in ("npz", "svg")]
    assert (result["frames"], result["fps"], result["persons"]) == (24, 60, [0])
    assert result["model"] == "nanohtnet"
    assert tuple(result["seconds"]) == tuple(result["share"]) == STAGES
    assert all(value > 0 for value in result["seconds"].values())
    assert sum(result["share"].values()) == pytest.approx(1, abs=0.001)
    assert result["gaps"] == "no gaps"
    assert "above the floor" in " ".join(result["notes"])
    assert result["warnings"] == []


def test_a_truncated_video_gives_what_is_there_and_says_so(command, clip, tmp_path):
    data = clip.read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(data[: len(data) * 7 // 10])
    done = command("lift", path, "-o", tmp_path / "out", "--json")
    assert done.code == 0
    (result,) = json.loads(done.out)["results"]
    assert 3 < result["frames"] < 24
    assert result["warnings"]
    assert done.err.splitlines() == [f"poselift: {path}: {text}" for text in result["warnings"]]


def test_a_damaged_video_gives_what_is_there_and_says_so(command, clip, tmp_path):
    data = bytearray(clip.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 3000] = bytes(3000)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    done = command("lift", path, "-o", tmp_path / "out", "--quiet")
    assert (done.code, done.out) == (0, "")
    assert "damaged" in done.err


@pytest.mark.parametrize("content", [b"", b"hello\n" * 99, b"\0\0\0\x18ftypmp42" + bytes(64)])
def test_nothing_readable_is_one_clear_error(command, clip, tmp_path, content):
    path = tmp_path / "bad.mp4"
    path.write_bytes(content)
    done = command("lift", clip, path, "-o", tmp_path / "out")  # found before the good one is done
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"poselift: error: {path}: ")
    assert done.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_nobody_in_it(command, write_video, tmp_path, monkeypatch):
    monkeypatch.setattr(partial, "SECONDS", 0.0)
    path = write_video(tmp_path / "grey.mov", [np.full((48, 64, 3), 99, np.uint8)] * 3)
    done = command("lift", path, "-o", tmp_path / "out")
    assert done.code == 1
    assert "nobody found in 3 frames" in done.err
    assert list((tmp_path / "out").iterdir()) == []


def test_what_is_known_outlives_a_full_disk(command, clip, tmp_path, monkeypatch):
    monkeypatch.setattr(partial, "SECONDS", 0.0)
    save = partial.PartialAnswers.save

    def full(self, frames):
        if frames > 5:
            raise DataError("no space left on device")
        save(self, frames)

    with monkeypatch.context() as patch:
        patch.setattr(partial.PartialAnswers, "save", full)
        done = command("lift", clip, "-o", tmp_path / "out")
    assert (done.code, done.out) == (1, "")
    assert "no space left" in done.err
    done = command("lift", clip, "-o", tmp_path / "out")
    assert done.code == 0
    assert "went on from frame 5" in done.out


def test_a_wrong_conversion_is_told_before_the_detection(command, clip, tmp_path, monkeypatch):
    monkeypatch.setattr(lift_verb._Work, "run", None)
    done = command("lift", clip, "-o", tmp_path / "out", "--conversion", "voodoo")
    assert done.code == 2
    assert "unknown conversion 'voodoo'" in done.err


def test_a_folder_of_pictures(command, clip, write_video, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, frame in enumerate(itertools.islice(Frames(clip), 3)):
        write_video(folder / "a.mov", [frame.image]).rename(folder / f"{number}.png")
    done = command("lift", folder, "-o", tmp_path / "out", "--fps", 60)
    assert (done.code, done.err) == (0, "")
    assert motion.read(tmp_path / "out" / "pictures.npz").num_frames == 3


SAVING_OFTEN = """
import sys
from poselift.cli import partial
from poselift.cli.main import main
partial.SECONDS = 0.05
sys.exit(main(sys.argv[1:]))
"""


def interrupt(arguments, folder, number):
    """Run the command, and stop it by a signal as soon as there is a new partial result."""

    def results():
        return set(folder.glob("*.partial/[0-9]*.npz"))

    before = results()
    argv = [sys.executable, "-c", SAVING_OFTEN, *map(str, arguments)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while results() == before:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.01)
    time.sleep(0.05)  # on a busy machine the file may be there a moment before the command knows
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_an_interrupted_lift_goes_on_where_it_was(command, make_clip, tmp_path):
    path, out = make_clip("long.mp4", 90), tmp_path / "out"
    arguments = ["lift", path, "-o", out, "--format", "npz,csv"]
    folder, known = out / "long.partial", 0
    for number in (signal.SIGINT, signal.SIGTERM):
        code, printed, error = interrupt(arguments, out, number)
        assert (code, printed) == (130, "")
        said = "poselift: error: interrupted; the same command goes on from frame ([0-9]+) of .*\n"
        known, before = int(re.fullmatch(said, error)[1]), known
        assert before < known < 90
        assert list(out.iterdir()) == [folder]
        assert all(re.fullmatch("[0-9]{6}.npz", path.name) for path in folder.iterdir())

    done = command(*arguments)
    assert (done.code, done.err) == (0, "")
    assert f"went on from frame {known}, as {folder} has it" in done.out
    assert {path.name for path in out.iterdir()} == {"long.npz", "long.csv"}

    whole = tmp_path / "whole"
    assert command("lift", path, "-o", whole, "--format", "npz,csv").code == 0
    for name in ("long.npz", "long.csv"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()


def test_other_options_do_not_go_on_from_it(command, clip, tmp_path, monkeypatch):
    monkeypatch.setattr(partial, "SECONDS", 0.0)
    out = tmp_path / "out"

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(lift_verb, "write_motion", stop)  # after the detection
        done = command("lift", clip, "-o", out)
    assert done.code == 130
    assert f"goes on from frame 24 of {clip.name}" in done.err
    done = command("lift", clip, "-o", out, "--fps", 30)
    assert done.code == 0
    assert "began anew" in done.out
    assert [path.name for path in out.iterdir()] == [f"{clip.stem}.npz"]
    assert motion.read(out / f"{clip.stem}.npz").fps == 30
