"""Answers on disk, and the networks that are asked once only."""

from __future__ import annotations

import os
from dataclasses import fields

import numpy as np
import pytest

from poselift.cli import partial as module
from poselift.cli.partial import (
    LANDMARK_SHAPES,
    PartialAnswers,
    RememberingBlazePose,
    fingerprint,
)
from poselift.detect import BlazePose, Detection, Frames, Landmarks, Region, WeightFiles
from poselift.errors import DataError

IMAGE = np.zeros((8, 8, 3), np.uint8)


@pytest.fixture(autouse=True)
def always(monkeypatch):
    """Every save is worth it."""
    monkeypatch.setattr(module, "SECONDS", 0.0)


def question(n: float) -> np.ndarray:
    return np.array([n, 0.0, 1.0, 2.0])


def fill(folder, count=6, key="a"):
    """A frame for each answer, a file for every two."""
    answers = PartialAnswers(folder, key)
    for n in range(answers.frames, count):
        assert answers.recall(question(n)) is None
        answers.add(question(n), np.arange(n) / 7)
        if n % 2:
            answers.save(n + 1)
    return answers


def test_what_was_said_is_said_again(tmp_path):
    fill(tmp_path / "a.partial", 6)
    assert len(list((tmp_path / "a.partial").iterdir())) == 3
    again = PartialAnswers(tmp_path / "a.partial", "a")
    assert (again.frames, again.outdated) == (6, False)
    for n in range(6):
        np.testing.assert_array_equal(again.recall(question(n)), np.arange(n) / 7)
    assert again.recall(question(6)) is None
    again.add(question(6), np.ones(1))
    again.save(7)
    assert PartialAnswers(tmp_path / "a.partial", "a").frames == 7


def test_nothing_is_written_before_it_is_worth_it(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SECONDS", 10.0)
    answers = fill(tmp_path / "a.partial")
    assert answers.frames == 0
    assert list(tmp_path.iterdir()) == []
    answers.remove()


def test_removal_takes_what_is_ours(tmp_path):
    folder = tmp_path / "a.partial"
    fill(folder).remove()
    assert not folder.exists()
    answers = fill(folder)
    (folder / "notes.txt").write_text("mine")
    answers.remove()
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_other_work_begins_anew(tmp_path):
    fill(tmp_path / "a.partial", key="a")
    other = PartialAnswers(tmp_path / "a.partial", "b")
    assert (other.frames, other.outdated) == (0, True)
    assert other.recall(question(0)) is None
    assert not (tmp_path / "a.partial").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x04."])
def test_damaged_files_begin_anew(tmp_path, content):
    fill(tmp_path / "a.partial")
    (tmp_path / "a.partial" / "000001.npz").write_bytes(content)
    assert PartialAnswers(tmp_path / "a.partial", "a").frames == 0


def test_an_answer_to_something_else_is_never_given(tmp_path):
    fill(tmp_path / "a.partial")
    with pytest.raises(DataError, match="do not fit"):
        PartialAnswers(tmp_path / "a.partial", "a").recall(question(5))


def test_every_field_of_the_landmarks_is_kept():
    assert set(LANDMARK_SHAPES) == {field.name for field in fields(Landmarks)}


def test_the_networks_are_asked_once(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    made = {name: rng.normal(size=shape) for name, shape in LANDMARK_SHAPES.items()}
    body = Landmarks(**{**made, "presence": 0.75})
    people = [Detection(Region(1 / 3, 2.0, 3.0, 0.5), 0.9), Detection(Region(4.0, 5.0, 6.0), 0.6)]
    regions = [person.region for person in people]
    seen = iter([([], people), ([], []), ([body, body], people[:1]), ([body], [])])
    monkeypatch.setattr(BlazePose, "look", lambda *_: next(seen))
    monkeypatch.setattr(BlazePose, "__init__", lambda *_: None)

    def ask():
        partial = PartialAnswers(tmp_path / "a.partial", "a")
        network = RememberingBlazePose(None, 1, partial)
        found = [
            network.detect(IMAGE),
            network.detect(IMAGE),
            network.look(IMAGE, regions, search=True),
            network.landmarks(IMAGE, regions[0]),
        ]
        partial.save(1)
        return found

    for found in ask(), ask():  # nobody would answer twice
        first, second, (bodies, persons), alone = found
        assert first == people
        assert second == []
        assert persons == people[:1]
        assert len(bodies) == 2
        for name in LANDMARK_SHAPES:
            for each in (*bodies, alone):
                np.testing.assert_array_equal(getattr(each, name), getattr(body, name))


def test_nothing_is_asked_of_nobody(tmp_path, monkeypatch):
    monkeypatch.setattr(BlazePose, "__init__", lambda *_: None)
    monkeypatch.setattr(BlazePose, "look", None)
    network = RememberingBlazePose(None, 1, PartialAnswers(tmp_path / "a.partial", "a"))
    assert network.look(IMAGE, []) == ([], [])


def test_the_fingerprint_is_of_all_that_matters(tmp_path, write_video, noise):
    video = write_video(tmp_path / "a.mp4", noise, codec="mpeg4")
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"1")
    two.write_bytes(b"2")

    def key(detector=one, landmarks=one, fps=None):
        return fingerprint(Frames(video), WeightFiles(detector, landmarks), fps)

    keys = [key(), key(landmarks=two), key(detector=two), key(fps=25.0)]
    os.utime(video, (1, 1))
    keys.append(key())
    content = bytearray(video.read_bytes())
    content[-5] ^= 1
    video.write_bytes(content)
    os.utime(video, (1, 1))
    keys.append(key())
    assert len(set(keys)) == len(keys)
    assert key() == key()


def test_the_fingerprint_of_a_folder(tmp_path, write_video, noise):
    folder = tmp_path / "frames"
    folder.mkdir()
    for n in range(2):
        write_video(folder / f"{n}.mov", noise[:1]).rename(folder / f"{n}.png")
    weights = WeightFiles(tmp_path / "w", tmp_path / "w")
    (tmp_path / "w").write_bytes(b"1")
    frames = Frames(folder)
    before = fingerprint(frames, weights, None)
    (folder / "2.png").write_bytes((folder / "1.png").read_bytes())
    assert fingerprint(frames, weights, None) != before
