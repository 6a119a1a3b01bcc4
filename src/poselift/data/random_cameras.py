"""Random virtual cameras for training. Batched, in torch."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from poselift.data.ranges import check_ranges
from poselift.errors import UsageError

IMAGE_SIZE = 1000.0
"""Training images are square, of this many pixels."""

FOCAL = 1145.0
"""The usual focal length, pixels: that of Human3.6M's cameras and of protocol ``mocap``."""


@dataclass(frozen=True)
class CameraConfig:
    """Where cameras stand and what they see.

    Args:
        nearest, farthest: metres between camera and person; farther where a motion needs it.
        usual: share of cameras 1.5 m (± 0.15 m) above the floor with the usual focal length; the
            others stand at any height and have any focal length, a little roll included.
        lowest, highest: height of these others, metres.
        zoom: largest factor by which their focal length is longer or shorter.
        roll: standard deviation of their roll, degrees.
        azimuths: degrees around the person, from the world's x axis, at which cameras stand; none
            given is anywhere.
    """

    nearest: float = 3.0
    farthest: float = 10.0
    usual: float = 0.5
    lowest: float = 0.2
    highest: float = 3.2
    zoom: float = 1.6
    roll: float = 3.0
    azimuths: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        check_ranges(
            self,
            nearest=(0.5, 1000.0),
            farthest=(self.nearest, 1000.0),
            usual=(0.0, 1.0),
            lowest=(0.0, 100.0),
            highest=(self.lowest, 100.0),
            zoom=(1.0, 10.0),
            roll=(0.0, 180.0),
        )
        if not all(map(math.isfinite, self.azimuths)):
            raise UsageError(f"azimuths = {[*self.azimuths]}", "degrees")


def see(joints: Tensor, config: CameraConfig, g: torch.Generator) -> tuple[Tensor, Tensor]:
    """See each window through a random camera that has the whole of it in view.

    Args:
        joints: (B, F, 17, 3) metres, world frame, z up.
        config: where the cameras stand.
        g: source of randomness.

    Returns:
        (B, F, 17, 3) joints in the camera frame, metres, and (B, F, 17, 2) pixels.
    """
    device, B = joints.device, len(joints)

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(B, generator=g, device=device) * (high - low) + low

    usual = uniform(0, 1) < config.usual
    focal = FOCAL * torch.where(usual, 1.0, config.zoom ** uniform(-1, 1))  # (B,)
    height = torch.where(
        usual,
        1.5 + 0.15 * torch.randn(B, generator=g, device=device),
        uniform(config.lowest, config.highest),
    )
    middle = joints[:, :, 0].mean(dim=1)  # (B, 3)
    reach = (joints - middle[:, None, None]).norm(dim=-1).flatten(1).amax(dim=1)  # (B,)
    half_view = 0.45 * IMAGE_SIZE / focal  # tangent of half the usable field of view
    nearest = (reach / half_view + 0.15 * reach).clamp(min=config.nearest)
    spread = (config.farthest / nearest).clamp(min=1.3)
    distance = nearest * spread ** uniform(0, 1)
    azimuth = uniform(0, 2 * torch.pi)
    if config.azimuths:
        places = torch.deg2rad(torch.tensor(config.azimuths, device=device))
        azimuth = places[(azimuth / (2 * torch.pi) * len(places)).long() % len(places)]
    heading = torch.stack((azimuth.cos(), azimuth.sin()), dim=-1)  # (B, 2)
    position = torch.cat((middle[:, :2] + distance[:, None] * heading, height[:, None]), dim=-1)

    # Look past the person, as far as the view has room.
    forward = middle - position
    room = (half_view - reach / distance).clamp(min=0.02)
    right = torch.stack((forward[:, 1], -forward[:, 0], torch.zeros_like(room)), dim=-1)
    right = torch.nn.functional.normalize(right, dim=-1)
    aside = (room * uniform(-1, 1) * distance)[:, None] * right
    above = torch.zeros_like(aside)
    above[:, 2] = room * uniform(-0.5, 0.5) * distance
    rotation = _look_along(forward + aside + above)  # (B, 3, 3)
    roll = torch.deg2rad(config.roll * torch.randn(B, generator=g, device=device))
    rotation = _roll(torch.where(usual, 0.0, roll)) @ rotation

    seen = (joints - position[:, None, None]) @ rotation[:, None].transpose(-1, -2)
    depth = seen[..., 2:].clamp(min=0.2)
    pixels = seen[..., :2] / depth * focal[:, None, None, None] + IMAGE_SIZE / 2
    return seen, pixels


def _look_along(forward: Tensor) -> Tensor:
    """(B, 3) directions -> (B, 3, 3) world -> camera rotations without roll."""
    forward = torch.nn.functional.normalize(forward, dim=-1)
    flat = torch.stack((forward[:, 1], -forward[:, 0], torch.zeros_like(forward[:, 0])), dim=-1)
    right = torch.nn.functional.normalize(flat, dim=-1)
    return torch.stack((right, torch.linalg.cross(forward, right), forward), dim=1)


def _roll(angle: Tensor) -> Tensor:
    """(B,) radians -> (B, 3, 3) rotations around the viewing axis."""
    c, s, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    rows = (c, -s, zero, s, c, zero, zero, zero, zero + 1)
    return torch.stack(rows, dim=-1).view(-1, 3, 3)
