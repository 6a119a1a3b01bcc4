"""Windows of paired clips against a plain computation that pads and copies."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from dataset_files import write_all
from hypothesis import given, settings
from hypothesis import strategies as st

from poselift.data.clips import PairedClip
from poselift.data.datasets import read_training
from poselift.data.paired import PairedBank, PairedBatches
from poselift.errors import DataError, UsageError
from poselift.geometry.mirror import mirror_joints, mirror_keypoints
from poselift.geometry.normalise import normalise
from poselift.skeleton import H36M_17


def _clip(seed: int, frames: int, size: tuple[int, int] = (1000, 1002), **more) -> PairedClip:
    rng = np.random.default_rng(seed)
    return PairedClip(
        name=f"clip {seed}",
        subject="S1",
        action="",
        keypoints=rng.uniform(100, 900, (frames, 17, 2)),
        joints=rng.normal((0, 0, 4), 1, (frames, 17, 3)),
        image_size=size,
        fps=50.0,
        scores=rng.random((frames, 17)),
        **more,
    )


CLIPS = [_clip(0, 5), _clip(1, 1, (1920, 1080)), _clip(2, 12, (720, 1280))]


def _plain(
    clip: PairedClip, first: int, window: int, num_out: int, target: str, kind: str, flip: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One window by padding a copy of the clip at both ends, from the first predicted frame."""
    pad = 100
    keypoints = np.pad(clip.keypoints, ((pad, pad), (0, 0), (0, 0)), "edge")
    scores = np.pad(clip.scores, ((pad, pad), (0, 0)), "edge")
    joints = np.pad(clip.joints, ((pad, pad), (0, 0), (0, 0)), "edge")
    joints = joints - joints[:, :1]
    if flip:
        keypoints = mirror_keypoints(keypoints, clip.image_size[0])
        joints = mirror_joints(joints)
        scores = scores[:, list(H36M_17.mirror_indices)]
    before = (window - num_out) // 2 if target == "centre" else window - num_out
    start = pad + first - before
    x = normalise(keypoints[None, start : start + window].astype(np.float64), clip.image_size, kind)
    return x[0], scores[start : start + window], joints[pad + first : pad + first + num_out]


@settings(max_examples=40, deadline=None)
@given(
    window=st.integers(1, 9),
    num_out=st.integers(1, 9),
    stride=st.integers(1, 5),
    target=st.sampled_from(["centre", "newest"]),
    kind=st.sampled_from(["screen", "person"]),
    flip=st.booleans(),
)
def test_windows_equal_padded_copies(window, num_out, stride, target, kind, flip):
    num_out = min(num_out, window)
    bank = PairedBank.from_clips(CLIPS, kind)
    batches = PairedBatches(bank, 4, window, num_out, target, stride, True, confidence=True)
    half = batches.num_windows // 2
    numbers = torch.arange(half) + half * flip
    inputs, targets = batches.take(numbers)
    inside = batches.inside(numbers)
    assert inputs.shape == (len(numbers), window, 17, 3)
    row = 0
    for clip in CLIPS:
        T = clip.num_frames
        count = -(-T // stride)
        shift = (count * stride - T) // 2
        around = (num_out - stride) // 2 if target == "centre" else num_out - stride
        for n in range(count):
            first = n * stride - shift - around
            x, scores, y = _plain(clip, first, window, num_out, target, kind, flip)
            np.testing.assert_allclose(inputs[row, ..., :2], x, atol=2e-6)
            np.testing.assert_array_equal(inputs[row, ..., 2], scores)
            np.testing.assert_allclose(targets[row], y, atol=1e-6)
            assert inside[row].tolist() == [0 <= first + i < T for i in range(num_out)]
            row += 1
    assert row == len(numbers)


def test_every_frame_is_the_middle_of_a_window_once():
    bank = PairedBank.from_clips([CLIPS[2]], "screen")
    batches = PairedBatches(bank, 4, 7, 1, stride=1, mirror=False)
    _, targets = batches.take(torch.arange(batches.num_windows))
    assert torch.equal(targets[:, 0], bank.joints)


@pytest.mark.parametrize(("before", "after"), [(0, 0), (3, 1), (0, 5)])
def test_continued_clips(before, after):
    bank = PairedBank.from_clips(CLIPS, "screen")
    longer = bank.continued(before, after)
    assert len(longer.joints) == len(bank.joints) + 3 * (before + after)
    for start, old, length in zip(
        longer.starts.tolist(), bank.starts.tolist(), bank.lengths.tolist(), strict=True
    ):
        expected = np.pad(
            bank.joints[old : old + length], ((before, after), (0, 0), (0, 0)), "edge"
        )
        got = longer.joints[start - before : start + length + after]
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("mirror", [False, True])
def test_an_epoch_has_every_window_once(mirror):
    bank = PairedBank.from_clips(CLIPS, "screen")
    batches = PairedBatches(bank, 6, 3, 1, mirror=mirror, seed=5)
    assert batches.num_windows == 18 * (1 + mirror)
    assert batches.steps_per_epoch == 3 * (1 + mirror)
    for epoch in range(2):
        steps = range(epoch * batches.steps_per_epoch, (epoch + 1) * batches.steps_per_epoch)
        got = torch.cat([batches(step)[1] for step in steps]).flatten(1)
        expected = batches.take(torch.arange(batches.num_windows))[1].flatten(1)
        assert sorted(got.tolist()) == sorted(expected.tolist())


def test_batches_depend_on_seed_and_step_alone():
    bank = PairedBank.from_clips(CLIPS, "screen")
    one, other = PairedBatches(bank, 7, 3, 1, seed=1), PairedBatches(bank, 7, 3, 1, seed=1)
    expected = [one(step) for step in range(20)]
    for step in (19, 3, 11, 0, 5):  # any order, across the ends of epochs
        for a, b in zip(other(step), expected[step], strict=True):
            assert torch.equal(a, b)
    assert not torch.equal(PairedBatches(bank, 7, 3, 1, seed=2)(0)[0], expected[0][0])
    orders = {tuple(one._order(epoch).tolist()) for epoch in range(4)}
    assert len(orders) == 4
    whole = PairedBatches(bank, 90, 3, 1, seed=1)(0)  # larger than an epoch of 36
    assert whole[0].shape[0] == 90


def test_windows_are_numbers_only():
    """Windows of 243 frames at each of 20,000 frames would take 243 times the clip."""
    bank = PairedBank.from_clips([_clip(3, 20_000)], "screen")
    batches = PairedBatches(bank, 8, 243, 1, mirror=False)
    batches(0)
    assert len(batches.bank.joints) == 20_000 + 242  # repeated frames at the ends of the clip
    numbers = [v for v in vars(batches).values() if isinstance(v, torch.Tensor)]
    assert sum(v.numel() * v.element_size() for v in numbers) < 20_000 * 20


def test_facts_of_the_bank():
    slow = PairedClip("x", "S1", "", np.zeros((9, 17, 2)), np.zeros((9, 17, 3)), (10, 10), 25.0)
    bank = PairedBank.from_clips([slow, *CLIPS], "screen")
    assert (bank.fps, bank.unit) == (50.0, "metres")
    assert (bank.scores[:9] == 1).all()
    assert bank.joints[:, 0].abs().max() == 0
    with pytest.raises(DataError, match="no clip"):
        PairedBank.from_clips([], "screen")
    with pytest.raises(DataError, match="half_widths and metres"):
        PairedBank.from_clips([CLIPS[0], _clip(4, 3, unit="half_widths")], "screen")


@pytest.mark.parametrize("numbers", [(0, 3, 1, 1), (4, 0, 1, 1), (4, 3, 4, 1), (4, 3, 1, 0)])
def test_impossible_windows(numbers):
    bank = PairedBank.from_clips(CLIPS, "screen")
    batch, window, num_out, stride = numbers
    with pytest.raises(UsageError, match="whole numbers"):
        PairedBatches(bank, batch, window, num_out, stride=stride)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keypoints": np.zeros((4, 17, 2))}, "joints of shape"),
        ({"keypoints": np.zeros((0, 17, 2))}, "no frame"),
        ({"joints": np.full((3, 17, 3), np.nan)}, "not finite"),
        ({"scores": np.zeros((3, 16))}, "scores of shape"),
        ({"valid": np.zeros(2, dtype=bool)}, "valid of shape"),
        ({"unit": "mm"}, "unit 'mm'"),
    ],
)
def test_clips_that_do_not_fit(change, message):
    content = {"keypoints": np.zeros((3, 17, 2)), "joints": np.zeros((3, 17, 3))} | change
    with pytest.raises(DataError, match=message):
        PairedClip(name="x", subject="", action="", image_size=(1, 1), fps=50.0, **content)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("sets")
    write_all(path)
    return path


@pytest.mark.parametrize(
    ("data_set", "clips", "unit", "fps"),
    [
        ("h36m", 4, "metres", 50),
        ("h36m-motionbert", 4, "half_widths", 50),
        ("3dhp", 8, "metres", 25),
    ],
)
def test_training_sets(folder, data_set, clips, unit, fps):
    everybody = 8 if data_set == "3dhp" else 5
    train = read_training(data_set, folder, "train")
    held = read_training(data_set, folder, "validation")
    assert (len(train), len(held)) == (clips * (everybody - 1), clips)
    assert {clip.subject for clip in held} == {"S8"}
    subjects = {clip.subject for clip in train}
    assert len(subjects) == everybody - 1
    assert not subjects & {"S8", "S9", "S11", "TS1"}
    assert len(read_training(data_set, folder, "train", hold_out=())) == clips * everybody
    bank = PairedBank.from_clips(train, "screen")
    assert (bank.unit, bank.fps) == (unit, fps)
    inputs, targets = PairedBatches(bank, 4, 9, 3)(0)
    assert (inputs.shape, targets.shape) == ((4, 9, 17, 2), (4, 3, 17, 3))
    assert inputs.abs().max() < 1
    assert (targets[:, :, 0] == 0).all()


def test_unknown_sets_and_subjects(folder, tmp_path):
    with pytest.raises(UsageError, match="data set 'coco'"):
        read_training("coco", folder, "train")
    with pytest.raises(UsageError, match="held out subject 'S9'"):
        read_training("h36m", folder, "train", hold_out=("S9",))
    with pytest.raises(DataError, match="no validation clips"):
        read_training("h36m-motionbert", folder, "validation", hold_out=())
    with pytest.raises(DataError, match="no such file"):
        read_training("3dhp", tmp_path, "train")
