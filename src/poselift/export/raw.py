"""Pixels in, metres out: a network with its pre- and post-processing in one graph."""

from __future__ import annotations

from torch import Tensor, cat, nn

from poselift.geometry.normalise import Normalisation
from poselift.skeleton import H36M_17

INPUTS = ("keypoints", "image_size")
"""Names of a raw graph's inputs: (B, F, 17, 2 or 3) pixels and (2,) width and height in pixels."""

_ROOT = H36M_17.index("pelvis")  # the first joint


class RawNetwork(nn.Module):
    """A network that reads pixels, as `poselift.runtime.network.PixelNetwork` does.

    Args:
        network: (B, F, 17, 2 or 3) normalised 2D joints -> (B, n, 17, 3) metres.
        normalisation: of its input.
    """

    def __init__(self, network: nn.Module, normalisation: Normalisation) -> None:
        super().__init__()
        self.network = network
        self.normalisation = normalisation

    def forward(self, keypoints: Tensor, image_size: Tensor) -> Tensor:
        """(B, F, 17, 2) pixels, (2,) width and height -> (B, n, 17, 3) metres, pelvis zero.

        A network that reads confidence gets it as a third number of each joint.
        """
        keypoints, confidence = keypoints[..., :2], keypoints[..., 2:]
        unit = image_size[0] if self.normalisation == "screen" else image_size.max()
        x = (keypoints * 2 - image_size) / unit
        if self.normalisation == "person":
            root = x[:, :, _ROOT : _ROOT + 1]  # (B, F, 1, 2)
            relative = x - root
            size = relative.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()  # (B, 1, 1, 1)
            x = cat((root, relative[:, :, _ROOT + 1 :] / (size + 1e-6)), dim=2)
        if confidence.shape[-1]:
            x = cat((x, confidence), dim=-1)
        joints = self.network(x)
        return joints - joints[:, :, _ROOT : _ROOT + 1]
