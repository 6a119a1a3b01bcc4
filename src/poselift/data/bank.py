"""All training motion as one tensor, ready for batched sampling on any device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from poselift.data.mocap import Motion
from poselift.errors import DataError
from poselift.skeleton import H36M_17

PARENTS = torch.tensor(H36M_17.parent_indices)


def bone_vectors(joints: Tensor) -> Tensor:
    """(..., 17, 3) joints -> (..., 17, 3) vectors from the parent; zero for the pelvis."""
    # Clamped, the pelvis is its own parent.
    return joints - joints[..., PARENTS.clamp(min=0).to(joints.device), :]


def chain_matrix() -> Tensor:
    """(17, 17) with 1 where the bone of the column is on the way from the pelvis to the row."""
    matrix = torch.zeros(len(H36M_17), len(H36M_17))
    for joint in range(len(H36M_17)):
        node = joint
        while node > 0:
            matrix[joint, node] = 1.0
            node = H36M_17.parent_indices[node]
    return matrix


@dataclass(frozen=True)
class MotionBank:
    """Sequences one after the other.

    Args:
        joints: (N, 17, 3) metres, world frame, z up.
        starts: (S,) first frame of each sequence.
        lengths: (S,) frames of each sequence.
        bone_lengths: (S, 17) mean bone lengths of each sequence, metres.
        own_bones: (S,) whether the bone lengths are the person's own.
        fps: frames per second of all sequences.
    """

    joints: Tensor
    starts: Tensor
    lengths: Tensor
    bone_lengths: Tensor
    own_bones: Tensor
    fps: float

    @classmethod
    def from_motions(cls, motions: Sequence[Motion], device: str = "cpu") -> MotionBank:
        """Put sequences of one frame rate together; ``DataError`` where the rates differ."""
        rates = {motion.fps for motion in motions}
        if len(rates) != 1:
            raise DataError(f"motions at {sorted(rates)} frames per second", "one rate")
        lengths = torch.tensor([motion.num_frames for motion in motions])
        clips = [torch.from_numpy(np.ascontiguousarray(motion.joints)) for motion in motions]
        bones = torch.stack([bone_vectors(clip).norm(dim=-1).mean(dim=0) for clip in clips])
        return cls(
            joints=torch.cat(clips).to(device),
            starts=(lengths.cumsum(0) - lengths).to(device),
            lengths=lengths.to(device),
            bone_lengths=bones.to(device),
            own_bones=torch.tensor([m.skeleton == "subject" for m in motions], device=device),
            fps=rates.pop(),
        )

    def clip_of(self, frames: Tensor) -> Tensor:
        """(B,) the sequence that each of (B,) frames belongs to."""
        return torch.searchsorted(self.starts, frames, right=True) - 1
