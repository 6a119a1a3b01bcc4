"""Protocol ``mocap`` on validation subjects, fast enough to run during training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from poselift.data.mocap import Motion
from poselift.data.windows import Target, plan_windows
from poselift.evaluation.mocap import IMAGE_SIZE, camera_joints, detector_noise, project_views
from poselift.geometry.normalise import Normalisation, normalise


@dataclass(frozen=True)
class Validation:
    """Windows of the validation motions, ready for the network.

    Args:
        inputs: (2, W, F, 17, 2) normalised: exact projections, then a detector's.
        targets: (W, n, 17, 3) metres relative to the pelvis.
        inside: (W, n) frames that lie inside their clip.
    """

    inputs: Tensor
    targets: Tensor
    inside: Tensor

    @classmethod
    def prepare(
        cls,
        motions: Sequence[Motion],
        window: int,
        num_out: int,
        target: Target,
        normalisation: Normalisation,
        device: torch.device,
        windows: int = 2500,
    ) -> Validation:
        """Cut about ``windows`` windows, spread evenly over all motions and cameras."""
        frames = 4 * sum(motion.num_frames for motion in motions)
        every = max(num_out, round(frames / windows))
        inputs: tuple[list[Tensor], list[Tensor]] = ([], [])
        targets, inside = [], []
        for motion in motions:
            exact = project_views(motion)  # (4, T, 17, 2)
            seen = [detector_noise(motion.name, k, u) for k, u in enumerate(exact)]
            joints = camera_joints(motion)  # (4, T, 17, 3)
            joints = joints - joints[:, :, :1]
            plan = plan_windows(motion.num_frames, window, num_out, 1, target)[::every]
            read, predicted = plan.inputs, plan.outputs
            within = (predicted >= 0) & (predicted < motion.num_frames)
            if target == "newest":
                within[:, :-1] = False  # the one that is used
            predicted = predicted.clip(0, motion.num_frames - 1)
            for k in range(len(exact)):
                for into, pixels in zip(inputs, (exact[k], seen[k]), strict=True):
                    x = torch.from_numpy(pixels[read]).float()
                    into.append(normalise(x, IMAGE_SIZE, normalisation))
                targets.append(torch.from_numpy(joints[k][predicted]).float())
                inside.append(torch.from_numpy(within))
        both = torch.stack([torch.cat(part) for part in inputs])
        return cls(both.to(device), torch.cat(targets).to(device), torch.cat(inside).to(device))

    @torch.no_grad()
    def errors_mm(self, network: nn.Module, batch_size: int = 256) -> tuple[float, float]:
        """MPJPE in millimetres on exact and on detected 2D joints; ``network`` in eval mode."""
        out = []
        for inputs in self.inputs:
            errors = []
            for i in range(0, len(inputs), batch_size):
                predicted = network(inputs[i : i + batch_size]).float()
                predicted = predicted - predicted[:, :, :1]
                error = (predicted - self.targets[i : i + batch_size]).norm(dim=-1).mean(dim=-1)
                errors.append(error[self.inside[i : i + batch_size]])
            out.append(float(torch.cat(errors).double().mean()) * 1000)
        return out[0], out[1]


def geometric_mean(errors: tuple[float, float]) -> float:
    """The number by which the best checkpoint is chosen."""
    return float(np.sqrt(errors[0] * errors[1]))
