"""People put onto the floor, smoothed and held there, as far as the options ask for it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from poselift.cli.parser import Parser, positive, within
from poselift.errors import DataError, UsageError

if TYPE_CHECKING:
    from poselift.geometry.world import World
    from poselift.poses import Pose2D, Pose3D


def add_arguments(parser: Parser) -> None:
    """``focal, fov, height, camera_height, smooth, foot_lock``."""
    group = parser.add_argument_group("the room")
    lens = group.add_mutually_exclusive_group()
    lens.add_argument(
        "--focal",
        metavar="PX",
        type=positive,
        help="focal length of the camera in pixels (default: 1.145 times the longer side)",
    )
    lens.add_argument(
        "--fov",
        metavar="DEG",
        type=within(1, 179, "degrees"),
        help="instead: its field of view across the width of the image (also in portrait), in "
        "degrees",
    )
    group.add_argument(
        "--height",
        metavar="M",
        type=within(0.3, 2.8, "metres"),
        help="how tall every person is, in metres (default: as the network sees them)",
    )
    group.add_argument(
        "--camera-height",
        metavar="M",
        type=positive,
        help="how high the camera is above the floor, in metres (default: found by the feet)",
    )
    group.add_argument(
        "--smooth",
        action="store_true",
        help="smooth the motion, without delay: half of what happens at 6 Hz is left",
    )
    group.add_argument("--foot-lock", action="store_true", help="hold standing feet still")


def focal_length(args: argparse.Namespace, pose: Pose2D) -> float | None:
    """Focal length in pixels that the options give for this video, or ``None``.

    Raises:
        UsageError: a field of view, and nobody knows how wide the image is.
    """
    if args.fov is None:
        return None if args.focal is None else float(args.focal)
    from poselift.geometry.trajectory import focal_from_fov

    if pose.image_size is None:
        raise UsageError(
            f"--fov, but {pose.source} does not say how wide its images are", "", "add --size"
        )
    return focal_from_fov(args.fov, pose.image_size[0])


def settle(lifted: Pose3D, args: argparse.Namespace) -> tuple[Pose3D, list[str]]:
    """The motion in the room, and what the user should know of it.

    Where no floor can be found the people stay where the camera sees them.
    """
    from poselift.geometry.steady import plant_feet, smooth_pose
    from poselift.geometry.world import place

    notes, world = [], None
    try:
        lifted, world = place(lifted, height=args.height, camera_height=args.camera_height)
        notes.append(_describe(world))
    except DataError as error:
        notes.append(f"no floor: {error}; people stay where the camera sees them")
        notes += [
            f"--{name.replace('_', '-')} is not used, without a floor"
            for name in ("height", "camera_height")
            if getattr(args, name) is not None
        ]
    if args.smooth:
        lifted = smooth_pose(lifted)
    if args.foot_lock and world is not None:
        lifted = plant_feet(lifted, world)
    elif args.foot_lock:
        notes.append("feet are not locked, without a floor")
    return lifted, notes


def _describe(world: World) -> str:
    """Where the camera was found to be."""
    high = f"{world.height:.2f} m above the floor"
    if world.method == "camera":
        return f"camera taken as level, {high}: nobody shows which way is up"
    looks = f"looking {'down' if world.pitch >= 0 else 'up'} by {abs(world.pitch):.1f} degrees"
    if abs(world.roll) >= 1:
        way = "clockwise" if world.roll > 0 else "counterclockwise"
        looks += f" and turned {way} by {abs(world.roll):.1f}"
    return f"camera {high}, {looks} (by {world.method}, give or take {world.tilt_sigma:.1f})"
