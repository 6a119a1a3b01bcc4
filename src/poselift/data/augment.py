"""Variety from little motion: speed, mixed bodies, bone lengths, mirroring. Batched, in torch.

Every function takes the ``torch.Generator`` that all its random numbers come from.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from poselift.data.bank import MotionBank, chain_matrix
from poselift.data.ranges import check_ranges
from poselift.skeleton import H36M_17, LIMBS

_CHAIN = chain_matrix()


def _below(joint: str) -> list[int]:
    """Indices of a joint and of everything that hangs on it."""
    top = H36M_17.index(joint)
    return torch.nonzero(_CHAIN[:, top]).flatten().tolist()


_MIRROR = list(H36M_17.mirror_indices)
_UPPER = _below("spine")
_ARMS = _below("left_shoulder")[1:] + _below("right_shoulder")[1:]
_LEG_BONES = _below("right_knee") + _below("left_knee")
_HIPS = H36M_17.indices(("right_hip", "left_hip"))
_SHOULDERS = H36M_17.indices(("right_shoulder", "left_shoulder"))
_LIMBS = torch.tensor([H36M_17.indices(limb) for limb in LIMBS])  # (4, 3)
_SPINE, _THORAX = H36M_17.indices(("spine", "thorax"))


@dataclass(frozen=True)
class AugmentConfig:
    """How motion is varied.

    Args:
        speed: largest factor by which a clip is slowed down or sped up.
        mix_upper: share of windows that take their upper body from another clip.
        mix_arms: share of windows that take their arms from another clip.
        turn_limbs: share of windows whose limbs are turned in their joints.
        turn: standard deviation of these turns, degrees; knees and elbows turn half as much.
        new_bones: share of windows whose bone lengths are replaced by those of a real body.
        bone_jitter: standard deviation of each bone's factor, the same for left and right.
        size_jitter: standard deviation of the factor of the whole body.
        mirror: share of windows that are mirrored.
    """

    speed: float = 1.5
    mix_upper: float = 0.3
    mix_arms: float = 0.3
    turn_limbs: float = 0.4
    turn: float = 15.0
    new_bones: float = 0.6
    bone_jitter: float = 0.04
    size_jitter: float = 0.05
    mirror: float = 0.5

    def __post_init__(self) -> None:
        share = (0.0, 1.0)
        check_ranges(
            self,
            speed=(1.0, 10.0),
            mix_upper=share,
            mix_arms=share,
            turn_limbs=share,
            turn=(0.0, 180.0),
            new_bones=share,
            bone_jitter=(0.0, 0.5),
            size_jitter=(0.0, 0.5),
            mirror=share,
        )


def sample_motion(
    bank: MotionBank,
    batch: int,
    window: int,
    anchor: int,
    config: AugmentConfig,
    g: torch.Generator,
) -> Tensor:
    """Draw augmented windows of motion.

    Args:
        bank: where the motion comes from.
        batch: B, number of windows.
        window: F, frames of each.
        anchor: frame of the window that lies on the drawn frame of the clip. Beyond the clip's
            ends its first or last frame repeats.
        config: what is varied.
        g: source of randomness.

    Returns:
        (B, F, 17, 3) metres, world frame, z up.
    """
    return sample_persons(bank, draw_frames(bank, batch, g), window, anchor, config, g)[0]


def sample_persons(
    bank: MotionBank,
    frames: Tensor,
    window: int,
    anchor: int,
    config: AugmentConfig,
    g: torch.Generator,
    persons: int = 1,
) -> list[Tensor]:
    """Augmented windows of motion around (B,) frames, as several persons do it.

    Each has bones and speed of its own; the drawn frames come at the same time. The other
    arguments, and each of the results, are those of :func:`sample_motion`.
    """
    batch = len(frames)
    clip = bank.clip_of(frames)
    # One after the other in time, so that mixing and turning do the same to all.
    joints = torch.cat(
        [_gather(bank, frames, clip, window, anchor, config.speed, g) for _ in range(persons)],
        dim=1,
    )  # (B, persons F, 17, 3)
    clip_bones = bank.bone_lengths[clip]  # (B, 17)
    for share, part, mix in (
        (config.mix_upper, _UPPER, _upper_of),
        (config.mix_arms, _ARMS, _arms_of),
    ):
        taker = torch.nonzero(_chance(share, batch, g, joints.device)).flatten()  # (b,)
        giver = torch.randint(batch, taker.shape, generator=g, device=joints.device)
        mixed = mix(joints[taker], joints[giver])  # (b, persons F, 17, 3)
        usable = torch.isfinite(mixed).flatten(1).all(dim=1)
        taker, giver = taker[usable], giver[usable]
        bones = clip_bones[taker]
        bones[:, part] = clip_bones[giver][:, part]
        joints[taker] = mixed[usable]
        clip_bones[taker] = bones
    turned = torch.nonzero(_chance(config.turn_limbs, batch, g, joints.device)).flatten()
    joints[turned] = _turn_limbs(joints[turned], config.turn, g)
    factors = [_body(bank, clip_bones, config, g) for _ in range(persons)]
    mirror = _chance(config.mirror, batch, g, joints.device)
    windows = joints.chunk(persons, dim=1)  # (B, F, 17, 3) of each person
    return [_rebuild(own, factor, mirror) for own, factor in zip(windows, factors, strict=True)]


def draw_frames(bank: MotionBank, batch: int, g: torch.Generator) -> Tensor:
    """(B,) frames of the bank, each drawn equally often."""
    return torch.randint(len(bank.joints), (batch,), generator=g, device=bank.joints.device)


def _chance(share: float, batch: int, g: torch.Generator, device: torch.device) -> Tensor:
    return torch.rand(batch, generator=g, device=device) < share


def _gather(
    bank: MotionBank,
    frame: Tensor,
    clip: Tensor,
    window: int,
    anchor: int,
    speed: float,
    g: torch.Generator,
) -> Tensor:
    """(B, F, 17, 3) windows at varied speed around (B,) frames of (B,) clips."""
    device = bank.joints.device
    start = bank.starts[clip]
    draw = torch.rand(len(frame), generator=g, device=device) * 2 - 1
    step = speed**draw  # log-uniform
    offsets = torch.arange(window, device=device) - anchor
    at = (frame - start)[:, None] + step[:, None] * offsets  # (B, F)
    last = (bank.lengths[clip] - 1)[:, None]
    at = at.clamp(min=0).minimum(last)
    low = at.floor().long()
    high = (low + 1).minimum(last)
    share = (at - low)[..., None, None]
    low, high = low + start[:, None], high + start[:, None]
    return torch.lerp(bank.joints[low], bank.joints[high], share)


def _heading(joints: Tensor) -> Tensor:
    """(B, F) angle of the hip line around z; NaN where the hips stand nearly upright."""
    across = joints[:, :, _HIPS[1]] - joints[:, :, _HIPS[0]]
    flat = across[..., :2].norm(dim=-1)
    angle = torch.atan2(across[..., 1], across[..., 0])
    return torch.where(flat > 0.5 * across.norm(dim=-1), angle, torch.nan)


def _upper_of(body: Tensor, other: Tensor) -> Tensor:
    """``body`` with ``other``'s trunk, head and arms, turned around z to ``body``'s heading."""
    turn = _heading(body) - _heading(other)  # (B, F)
    c, s = turn.cos()[..., None], turn.sin()[..., None]
    x, y, z = (other[:, :, _UPPER] - other[:, :, :1]).unbind(dim=-1)  # each (B, F, 10)
    turned = torch.stack((c * x - s * y, s * x + c * y, z + 0 * c), dim=-1)
    out = body.clone()
    out[:, :, _UPPER] = body[:, :, :1] + turned
    return out


def _trunk_axes(joints: Tensor) -> Tensor:
    """(B, F, 3, 3) columns: across the shoulders, up the trunk, forward."""
    across = joints[:, :, _SHOULDERS[1]] - joints[:, :, _SHOULDERS[0]]
    up = joints[:, :, _THORAX] - joints[:, :, _SPINE]
    x = torch.nn.functional.normalize(across, dim=-1)
    y = torch.nn.functional.normalize(up - (up * x).sum(-1, keepdim=True) * x, dim=-1)
    return torch.stack((x, y, torch.linalg.cross(x, y)), dim=-1)


def _arms_of(body: Tensor, other: Tensor) -> Tensor:
    """``other``'s arms hung on ``body``'s shoulders, turned with the trunk."""
    turn = _trunk_axes(body) @ _trunk_axes(other).transpose(-1, -2)  # (B, F, 3, 3)
    out = body.clone()
    for shoulder in _SHOULDERS:
        arm = [shoulder + 1, shoulder + 2]
        offset = other[:, :, arm] - other[:, :, shoulder : shoulder + 1]  # (B, F, 2, 3)
        out[:, :, arm] = body[:, :, shoulder : shoulder + 1] + offset @ turn.transpose(-1, -2)
    return out


def _turn_limbs(body: Tensor, degrees: float, g: torch.Generator) -> Tensor:
    """Turn thighs, shins, upper arms and forearms by angles that each window keeps."""
    B = len(body)
    axes = _trunk_axes(body)[:, :, None, None]  # (B, F, 1, 1, 3, 3)
    upper = body[:, :, _LIMBS[:, 1]] - body[:, :, _LIMBS[:, 0]]  # (B, F, 4, 3)
    lower = body[:, :, _LIMBS[:, 2]] - body[:, :, _LIMBS[:, 1]]
    bones = torch.stack((upper, lower), dim=3)[..., None]  # (B, F, 4, 2, 3, 1)
    vectors = torch.randn(B, 4, 2, 3, generator=g, device=body.device)
    vectors[:, :, 1] /= 2
    turn = torch.matrix_exp(_cross_matrix(torch.deg2rad(degrees * vectors)))  # (B, 4, 2, 3, 3)
    turn[:, :, 1] = turn[:, :, 0] @ turn[:, :, 1]  # the shin turns with the thigh
    turned = (axes @ (turn[:, None] @ (axes.transpose(-1, -2) @ bones)))[..., 0]
    out = body.clone()
    out[:, :, _LIMBS[:, 1]] = out[:, :, _LIMBS[:, 0]] + turned[:, :, :, 0]
    out[:, :, _LIMBS[:, 2]] = out[:, :, _LIMBS[:, 1]] + turned[:, :, :, 1]
    return out


def _cross_matrix(v: Tensor) -> Tensor:
    """(..., 3) vectors -> (..., 3, 3) matrices of the cross product with them."""
    x, y, z = v.unbind(dim=-1)
    zero = torch.zeros_like(x)
    rows = (zero, -z, y, z, zero, -x, -y, x, zero)
    return torch.stack(rows, dim=-1).view(*v.shape, 3)


def _body(
    bank: MotionBank, clip_bones: Tensor, config: AugmentConfig, g: torch.Generator
) -> Tensor:
    """Factors (B, 17) of (B, 17) bones: to those of a person between two of the bank's real ones.

    That of the pelvis, which has no bone, is the legs'.
    """
    device = clip_bones.device
    B, J = clip_bones.shape
    bodies = bank.bone_lengths[bank.own_bones] if bool(bank.own_bones.any()) else bank.bone_lengths
    pick = torch.randint(len(bodies), (2, B), generator=g, device=device)
    share = torch.rand(B, 1, generator=g, device=device)
    wanted = torch.lerp(bodies[pick[0]], bodies[pick[1]], share)  # (B, 17)
    replace = _chance(config.new_bones, B, g, device)
    factor = torch.where(replace[:, None], wanted / clip_bones.clamp(min=1e-6), 1.0)
    jitter = torch.randn(B, J, generator=g, device=device) * config.bone_jitter
    jitter = jitter[:, torch.arange(J).minimum(torch.tensor(_MIRROR))]  # left as right
    size = torch.randn(B, 1, generator=g, device=device) * config.size_jitter
    factor = factor * (1 + jitter.clamp(-0.15, 0.15)) * (1 + size.clamp(-0.15, 0.15))
    # Feet stay about on the floor and strides fit the legs if the pelvis moves with the legs.
    factor[:, 0] = factor[:, _LEG_BONES].mean(dim=1)
    return factor


def _rebuild(joints: Tensor, factor: Tensor, mirror: Tensor) -> Tensor:
    """Windows (B, F, 17, 3) with bones times ``factor`` (B, 17), mirrored where (B,) says so."""
    device = joints.device
    B, T, J, _ = joints.shape
    # One linear map of the 17 joints: to bones, scaled, back to joints, perhaps mirrored.
    to_bones = torch.eye(J, device=device)
    to_bones[range(1, J), H36M_17.parent_indices[1:]] -= 1.0
    chain = _CHAIN.to(device, copy=True)
    chain[:, 0] = 1.0
    remap = chain * factor[:, None, :] @ to_bones  # (B, 17, 17)
    remap = torch.where(mirror[:, None, None], remap[:, _MIRROR], remap)
    flat = joints.transpose(1, 2).reshape(B, J, T * 3)
    out = (remap @ flat).view(B, J, T, 3).transpose(1, 2).contiguous()
    out[..., 0] *= torch.where(mirror, -1.0, 1.0)[:, None, None]
    return out
