"""Augmentation, cameras, noise and batches keep the laws that make them fit for training."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from poselift.data.augment import AugmentConfig, draw_frames, sample_motion, sample_persons
from poselift.data.bank import MotionBank, bone_vectors
from poselift.data.batches import Batches, DataConfig, ViewBatches
from poselift.data.procedural import generate
from poselift.data.random_cameras import FOCAL, IMAGE_SIZE, CameraConfig, see
from poselift.data.random_noise import NoiseConfig, add_noise
from poselift.errors import DataError
from poselift.geometry.normalise import normalise
from poselift.skeleton import H36M_17

NOTHING = AugmentConfig(
    speed=1.0,
    mix_upper=0,
    mix_arms=0,
    turn_limbs=0,
    new_bones=0,
    bone_jitter=0,
    size_jitter=0,
    mirror=0,
)

SILENT = NoiseConfig(clean=1.0, bias=0, drift=0, outliers=0, gaps=0, swaps=0, lagging=0)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def bank() -> MotionBank:
    motions = [generate(seconds=4.0, fps=50.0, seed=seed) for seed in range(4)]
    return MotionBank.from_motions(
        [dataclasses.replace(motion, skeleton="subject") for motion in motions]
    )


def lengths(joints: torch.Tensor) -> torch.Tensor:
    return bone_vectors(joints).norm(dim=-1)


def test_without_augmentation_windows_are_the_clips(bank: MotionBank) -> None:
    windows = sample_motion(bank, 16, 21, 10, NOTHING, rng())
    middle = windows[:, 10]
    distance = (middle[:, None] - bank.joints[None]).abs().amax(dim=(-1, -2))  # (16, N)
    assert distance.amin(dim=1).max() < 1e-5


def test_windows_repeat_the_ends_of_a_clip(bank: MotionBank) -> None:
    windows = sample_motion(bank, 8, 1001, 500, NOTHING, rng())
    assert torch.equal(windows[:, 0], windows[:, 1])
    assert torch.equal(windows[:, -1], windows[:, -2])


def test_bone_lengths_stay_constant_in_a_window(bank: MotionBank) -> None:
    config = AugmentConfig(speed=1.0, mix_arms=0.5, mix_upper=0.5)
    windows = sample_motion(bank, 64, 9, 4, config, rng())
    limbs = [c for p, c in H36M_17.bones if "elbow" in (n := H36M_17.joints[c]) or "wrist" in n]
    spread = lengths(windows)[:, :, limbs].std(dim=1)
    assert spread.max() < 0.005
    bodies = lengths(windows)[:, 0]
    assert bodies.std(dim=0)[1:].min() > 0.003  # but they differ from window to window


def test_left_and_right_bones_are_jittered_alike(bank: MotionBank) -> None:
    config = dataclasses.replace(NOTHING, bone_jitter=0.1, size_jitter=0.1)
    before = lengths(sample_motion(bank, 32, 3, 1, NOTHING, rng()))[:, 0]
    after = lengths(sample_motion(bank, 32, 3, 1, config, rng()))[:, 0]
    factor = after / before
    mirrored = factor[:, list(H36M_17.mirror_indices)]
    torch.testing.assert_close(factor[:, 1:], mirrored[:, 1:], atol=1e-3, rtol=0)


def test_mirroring_changes_sides_and_nothing_else(bank: MotionBank) -> None:
    plain = sample_motion(bank, 8, 5, 2, NOTHING, rng())
    mirrored = sample_motion(bank, 8, 5, 2, dataclasses.replace(NOTHING, mirror=1.0), rng())
    back = mirrored[:, :, list(H36M_17.mirror_indices)] * torch.tensor([-1.0, 1.0, 1.0])
    torch.testing.assert_close(back, plain, atol=1e-5, rtol=0)


def test_several_persons_do_the_same(bank: MotionBank) -> None:
    config = dataclasses.replace(AugmentConfig(), new_bones=1.0)
    g = rng()
    one, other = sample_persons(bank, draw_frames(bank, 64, g), 5, 2, config, g, persons=2)
    difference = (lengths(one) / lengths(other)).log().abs()  # (64, 5, 16)
    assert difference.nanmedian() > 0.02  # the pelvis has no length
    # Bones point the same way where the drawn frame is, in mixed and mirrored windows too.
    cosine = torch.cosine_similarity(bone_vectors(one)[:, :, 1:], bone_vectors(other)[:, :, 1:], -1)
    assert cosine[:, 2].min() > 0.9999
    assert cosine[:, 0].min() < 0.9999  # at another speed


@pytest.mark.parametrize("same_person", [True, False])
def test_cameras_see_one_person_or_each_its_own(bank: MotionBank, same_person: bool) -> None:
    far = CameraConfig(nearest=300.0, farthest=300.0, usual=1.0, azimuths=(0.0,))
    data = DataConfig(augment=dataclasses.replace(NOTHING, new_bones=1.0, size_jitter=0.1))
    data = dataclasses.replace(data, camera=far, noise=SILENT)
    query, keys, _ = ViewBatches(bank, 32, 3, 1, data, views=2, same_person=same_person)(0)
    bones = [lengths(x).mean(dim=1) for x in (query, keys[:, 0])]  # in the image
    trunk_to_leg = [length[:, 8] / length[:, 2] for length in bones]
    difference = float((trunk_to_leg[0] / trunk_to_leg[1]).log().abs().median())
    assert difference < 0.01 if same_person else difference > 0.02


def test_speed_stretches_time(bank: MotionBank) -> None:
    fast = sample_motion(bank, 256, 3, 1, dataclasses.replace(NOTHING, speed=2.0), rng())
    plain = sample_motion(bank, 256, 3, 1, NOTHING, rng())
    ratio = fast.diff(dim=1).norm(dim=-1).mean((1, 2)) / plain.diff(dim=1).norm(dim=-1).mean((1, 2))
    assert ratio.nanmedian() == pytest.approx(1.0, abs=0.2)
    assert ratio.nan_to_num(1).max() > 1.6
    assert ratio.nan_to_num(1).min() < 0.65


def test_mixed_bodies_keep_their_legs(bank: MotionBank) -> None:
    config = dataclasses.replace(NOTHING, mix_upper=1.0)
    plain = sample_motion(bank, 8, 5, 2, NOTHING, rng())
    mixed = sample_motion(bank, 8, 5, 2, config, rng())
    legs = list(range(7))
    torch.testing.assert_close(mixed[:, :, legs], plain[:, :, legs], atol=1e-5, rtol=0)
    assert (mixed[:, :, 7:] - plain[:, :, 7:]).abs().amax() > 0.05


def test_turned_limbs_keep_their_bones_and_the_trunk(bank: MotionBank) -> None:
    plain = sample_motion(bank, 16, 5, 2, NOTHING, rng())
    turned = sample_motion(bank, 16, 5, 2, dataclasses.replace(NOTHING, turn_limbs=1.0), rng())
    torch.testing.assert_close(lengths(turned), lengths(plain), atol=1e-4, rtol=0)
    trunk = [0, 1, 4, 7, 8, 9, 10, 11, 14]
    torch.testing.assert_close(turned[:, :, trunk], plain[:, :, trunk], atol=1e-5, rtol=0)
    moved = (turned - plain).norm(dim=-1).mean(dim=(0, 1))
    assert moved[[2, 3, 5, 6, 12, 13, 15, 16]].min() > 0.05


def test_cameras_see_the_whole_person(bank: MotionBank) -> None:
    windows = sample_motion(bank, 200, 9, 4, AugmentConfig(), rng())
    seen, pixels = see(windows, CameraConfig(), rng(1))
    assert seen[..., 2].min() > 0.5
    inside = ((pixels > 0) & (pixels < IMAGE_SIZE)).all(dim=-1).float().mean()
    assert inside > 0.98
    # Rigid: distances between joints are those of the world.
    torch.testing.assert_close(lengths(seen), lengths(windows), atol=1e-4, rtol=0)
    # Upright: the head is above the pelvis in the image when it is in the world.
    up = windows[..., 10, 2] > windows[..., 0, 2] + 0.3
    assert (pixels[..., 10, 1] < pixels[..., 0, 1])[up].all()


def test_usual_cameras_project_with_the_usual_focal_length(bank: MotionBank) -> None:
    windows = sample_motion(bank, 50, 1, 0, AugmentConfig(), rng())
    seen, pixels = see(windows, CameraConfig(usual=1.0), rng(1))
    expected = seen[..., :2] / seen[..., 2:] * FOCAL + IMAGE_SIZE / 2
    torch.testing.assert_close(pixels, expected, atol=1e-2, rtol=1e-5)


def test_noise_has_the_stated_size() -> None:
    person = torch.zeros(64, 50, 17, 2)
    person[:, :, 0, 1] = 1000.0  # a person 1000 pixels high
    config = dataclasses.replace(SILENT, clean=0, strength=1.0, drift=0.5)
    error = add_noise(person, config, rng()) - person
    # The factor is uniform on [0, 1], so its mean square is 1/3.
    body = error[:, :, [1, 2, 4, 5]].square().mean().sqrt()
    ends = error[:, :, [3, 6, 13, 16]].square().mean().sqrt()
    assert body == pytest.approx(12 / 3**0.5, rel=0.15)
    assert ends == pytest.approx(18 / 3**0.5, rel=0.15)


def test_clean_windows_stay_exact() -> None:
    pixels = torch.rand(8, 5, 17, 2, generator=rng()) * 500
    assert torch.equal(add_noise(pixels, SILENT, rng(1)), pixels)


def test_a_late_track_is_the_mean_of_its_past() -> None:
    ramp = torch.arange(80.0)[None, :, None, None].expand(64, 80, 17, 2)
    out = add_noise(ramp, dataclasses.replace(SILENT, lagging=0.5, lag=4.0), rng(1))
    delay = (ramp - out)[:, 40:]  # (B, T, J, C): a ramp comes late by the filter's mean delay
    torch.testing.assert_close(delay, delay[:, :1, :1, :1].expand_as(delay), atol=1e-3, rtol=0)
    delay = delay[:, 0, 0, 0]
    late = delay > 1e-3
    assert 20 < late.sum() < 44
    assert 1.0 < delay[late].mean() < 2.2  # uniform up to 4, a little less by the cut of the past
    step = torch.zeros(16, 40, 17, 2)
    step[:, 20:] = 1.0
    late_step = add_noise(step, dataclasses.replace(SILENT, lagging=1.0), rng(2))
    assert late_step[:, :20].abs().max() < 1e-5  # nothing is known of the future


def test_exchanged_sides_are_one_stretch_of_both_sides() -> None:
    pixels = torch.rand(64, 60, 17, 2, generator=rng()) * 500
    out = add_noise(pixels, dataclasses.replace(SILENT, swaps=0.5), rng(1))
    changed = (out != pixels).any(dim=-1)  # (B, T, J)
    windows = changed.any(dim=2).any(dim=1)
    assert 16 < windows.sum() < 48
    middle = [j for j, k in enumerate(H36M_17.mirror_indices) if j == k]
    assert not changed[:, :, middle].any()
    mirrored = pixels[:, :, list(H36M_17.mirror_indices)]
    assert torch.equal(out[changed], mirrored[changed])
    counts = set()
    for row in windows.nonzero().flatten().tolist():
        frames = changed[row].any(dim=1).nonzero().flatten()
        assert len(frames) == frames[-1] - frames[0] + 1 <= 21
        counts.add(int(changed[row, frames[0]].sum()))
    assert counts == {6, 12}  # arms or legs, or both


def test_lost_joints_move_on_a_line() -> None:
    pixels = torch.rand(32, 60, 17, 2, generator=rng()) * 500
    out = add_noise(pixels, dataclasses.replace(SILENT, gaps=1.0), rng(1))
    changed = (out != pixels).any(dim=-1)  # (B, T, J)
    assert changed.any(dim=1).sum(dim=-1).max() == 1  # one joint of a window
    longest = changed.sum(dim=1).amax()
    assert longest > 10
    for row, joint in changed.any(dim=1).nonzero().tolist():
        frames = changed[row, :, joint].nonzero().flatten()
        assert len(frames) == frames[-1] - frames[0] + 1  # one stretch
        track = out[row, frames[0] - 1 : frames[-1] + 2, joint]  # with the frames that hold it
        torch.testing.assert_close(
            track.diff(n=2, dim=0), torch.zeros(len(frames), 2), atol=2e-3, rtol=0
        )


@pytest.mark.parametrize("target", ["centre", "newest"])
def test_a_batch_is_a_function_of_seed_and_step(bank: MotionBank, target: str) -> None:
    config = DataConfig(target=target, normalisation="person")
    make = Batches(bank, 4, 27, 9, config, seed=5)
    x, y = make(3)
    assert x.shape == (4, 27, 17, 2)
    assert y.shape == (4, 9, 17, 3)
    assert torch.isfinite(x).all()
    assert y[:, :, 0].abs().max() == 0
    again = Batches(bank, 4, 27, 9, config, seed=5)(3)
    assert torch.equal(x, again[0])
    assert torch.equal(y, again[1])
    assert not torch.equal(x, make(4)[0])


def test_target_frames_are_the_windows_own(bank: MotionBank) -> None:
    """Exact projections of the targets' directions must agree with the input's."""
    clean = DataConfig(target="newest", camera=CameraConfig(usual=1.0), noise=SILENT)
    x, y = Batches(bank, 6, 27, 9, clean)(0)
    # A person seen from far: image offsets from the pelvis are nearly proportional to x, y.
    image = (x[:, -9:] - x[:, -9:, :1])[..., 1].flatten()
    body = y[..., 1].flatten()
    assert torch.corrcoef(torch.stack((image, body)))[0, 1] > 0.9


def test_normalisations() -> None:
    pixels = torch.rand(3, 5, 17, 2, generator=rng()) * 400 + 100
    array = normalise(pixels.numpy(), (800, 600), "person")
    tensor = normalise(pixels, (800, 600), "person")
    np.testing.assert_allclose(tensor.numpy(), array, rtol=1e-4, atol=1e-5)
    root = pixels[:, :, :1]
    closer = normalise(root + 2 * (pixels - root), (800, 600), "person")
    torch.testing.assert_close(closer, tensor, atol=1e-4, rtol=1e-4)  # size does not matter
    upright = normalise(pixels, (600, 800), "person")
    torch.testing.assert_close(upright[:, :, 0, 1], (root[:, :, 0, 1] - 400) / 400)
    screen = normalise(pixels, (800, 600), "screen")
    torch.testing.assert_close(tensor[:, :, 0], screen[:, :, 0])
    corner = normalise(torch.tensor([[[[800.0, 600.0]]]]), (800, 600), "screen")
    assert corner.flatten().tolist() == pytest.approx([1.0, 0.75])


def test_motions_of_different_rates_do_not_mix() -> None:
    with pytest.raises(DataError, match="one rate"):
        MotionBank.from_motions([generate(seconds=1, fps=50), generate(seconds=1, fps=60)])
