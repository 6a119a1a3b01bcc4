"""Errors on motions that are not trained on, fast enough to measure during training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from poselift.data.mocap import Motion
from poselift.data.paired import PairedBatches
from poselift.data.windows import Target, plan_windows
from poselift.errors import DataError
from poselift.evaluation.mocap import IMAGE_SIZE, camera_joints, detector_noise, project_views
from poselift.geometry.normalise import Normalisation, normalise

WINDOWS = 2500
"""About so many are measured, spread evenly."""


@dataclass(frozen=True)
class Validation:
    """Windows of the validation motions, ready for the network.

    Args:
        inputs: name -> (W, F, 17, 2 or 3) normalised, one or several kinds of 2D joints.
        targets: (W, n, 17, 3) relative to the pelvis.
        inside: (W, n) frames that count.
    """

    inputs: Mapping[str, Tensor]
    targets: Tensor
    inside: Tensor

    @classmethod
    def of_motions(
        cls,
        motions: Sequence[Motion],
        window: int,
        num_out: int,
        target: Target,
        normalisation: Normalisation,
        device: torch.device,
    ) -> Validation:
        """Protocol ``mocap``: inputs ``gt`` (exact projections) and ``detector``."""
        frames = 4 * sum(motion.num_frames for motion in motions)
        every = max(num_out, round(frames / WINDOWS))
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
        both = {
            name: torch.cat(part).to(device)
            for name, part in zip(("gt", "detector"), inputs, strict=True)
        }
        return cls(both, torch.cat(targets).to(device), torch.cat(inside).to(device))

    @classmethod
    def none(cls) -> Validation:
        """Nothing to measure on."""
        return cls({}, torch.empty(0), torch.empty(0))

    @classmethod
    def of_pairs(cls, batches: PairedBatches, target: Target) -> Validation:
        """Windows of a data set with its own 2D joints: input ``val``.

        Raises:
            DataError: clips so short that no window predicts a frame of theirs.
        """
        count = min(WINDOWS, batches.num_windows)
        chosen = torch.linspace(0, batches.num_windows - 1, count).round().long()
        chosen = chosen.to(batches.bank.joints.device)
        inputs, targets = batches.take(chosen)
        inside = batches.inside(chosen)
        if target == "newest":
            inside[:, :-1] = False  # the one that is used
        if not inside.any():
            raise DataError(
                "no frame of the validation clips would be measured",
                "clips longer than the stride between windows",
                "lower data.paired.stride",
            )
        return cls({"val": inputs}, targets, inside)

    @torch.no_grad()
    def errors(self, network: nn.Module, batch_size: int = 256) -> dict[str, float]:
        """MPJPE of each kind of input, in thousandths of the targets' unit: millimetres.

        ``network`` is in eval mode.
        """
        out = {}
        for name, inputs in self.inputs.items():
            errors = []
            for i in range(0, len(inputs), batch_size):
                predicted = network(inputs[i : i + batch_size]).float()
                predicted = predicted - predicted[:, :, :1]
                error = (predicted - self.targets[i : i + batch_size]).norm(dim=-1).mean(dim=-1)
                errors.append(error[self.inside[i : i + batch_size]])
            out[name] = float(torch.cat(errors).cpu().double().mean()) * 1000
        return out


def geometric_mean(errors: Mapping[str, float]) -> float:
    """The number by which the best checkpoint is chosen."""
    return float(np.exp(np.log([*errors.values()]).mean()))
