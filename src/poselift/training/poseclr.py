"""PoseCLR: learn from 2D poses alone that two cameras see the same motion.

Paper: Cai, Liu, Tang, Wang et al., "NanoHTNet: Nano Human Topology Network for Efficient 3D Human
Pose Estimation", TIP 2025, section on PoseCLR. The authors released no code of it. Queue and
momentum encoder: He et al., "Momentum Contrast for Unsupervised Visual Representation Learning",
CVPR 2020.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from poselift.data.ranges import check_ranges

FEATURES = 136
"""Numbers that describe a window: 8 for each of 17 joints."""


@dataclass(frozen=True)
class PoseCLRConfig:
    """How an encoder is pre-trained; the defaults are the published ones.

    Args:
        temperature: divides the similarities; small makes near negatives count most.
        queue: keys that are kept as negatives.
        views: cameras that see each instant; one is the query's, the others the keys'.
        apart: seconds; windows of one motion that are nearer than that show the same instant and
            are no negatives of each other. A large number takes whole motions out.
        same_person: whether all cameras see one person, as in reality. If not, each sees another
            one who does the same at another speed, and neither bone lengths nor timing tell what
            belongs together. Only for motion capture.
        hidden: units of a hidden layer that sees the features of all joints and frames together;
            0 for the published head, which maps those of each joint linearly.
    """

    temperature: float = 0.07
    queue: int = 20_480
    views: int = 2
    apart: float = 0.1
    same_person: bool = True
    hidden: int = 0

    def __post_init__(self) -> None:
        check_ranges(
            self,
            temperature=(1e-3, 100.0),
            queue=(1, math.inf),
            views=(2, 100),
            apart=(0.0, math.inf),
            hidden=(0, math.inf),
        )


class Projection(nn.Module):
    """The head h: an encoder's features to a unit vector.

    Args:
        frames: n, frames that the encoder gives.
        tokens: J, tokens of a frame, mostly the 17 joints.
        dim: C, channels of a token.
    """

    def __init__(self, frames: int, tokens: int, dim: int) -> None:
        super().__init__()
        width = FEATURES // tokens
        self.reduce = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, width))
        self.several = frames > 1
        if self.several:
            self.norm = nn.LayerNorm(width)
            self.collapse = nn.Linear(frames, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(B, n, J, C) -> (B, D), each of length 1."""
        x = self.reduce(features)  # (B, n, J, width)
        if self.several:
            x = F.relu(self.collapse(self.norm(x).movedim(1, -1)))  # (B, J, width, 1)
        return F.normalize(x.flatten(1).float(), dim=-1)


class DeepProjection(nn.Module):
    """A head h with a hidden layer, after Chen et al., "Improved Baselines with Momentum
    Contrastive Learning", 2020.

    Args:
        features: n J C, numbers that the encoder gives for a window.
        dim: C, those of a joint and frame.
        hidden: units of the hidden layer.
    """

    def __init__(self, features: int, dim: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.fc1 = nn.Linear(features, hidden)
        self.fc2 = nn.Linear(hidden, FEATURES)

    def forward(self, features: Tensor) -> Tensor:
        """(B, n, J, C) -> (B, D), each of length 1."""
        x = self.fc2(F.relu(self.fc1(self.norm(features).flatten(1))))  # (B, D)
        return F.normalize(x.float(), dim=-1)


class Embedding(nn.Module):
    """Encoder f and head h.

    Args:
        encoder: a network with ``encode``, see :mod:`poselift.training.encoder`.
        hidden: of the head, see :class:`PoseCLRConfig`.
    """

    def __init__(self, encoder: nn.Module, hidden: int = 0) -> None:
        super().__init__()
        self.encoder = encoder
        config: Any = encoder.config
        with torch.no_grad():
            window = torch.zeros(2, config.num_frames, 17, 2)
            _, frames, tokens, dim = encoder.encode(window).shape  # type: ignore[operator]
        self.projection = (
            DeepProjection(frames * tokens * dim, dim, hidden)
            if hidden
            else Projection(frames, tokens, dim)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, F, 17, 2 or 3) normalised 2D joints -> (B, D), each of length 1."""
        return self.projection(self.encoder.encode(x))  # type: ignore[operator]


class Queue:
    """The newest keys of earlier batches, and which instants they show.

    Args:
        size: N, number of keys.
        dim: D, their length.
        device: where they are.
    """

    def __init__(self, size: int, dim: int, device: torch.device) -> None:
        self.keys = torch.zeros(size, dim, device=device)
        self.instants = torch.full((size, 2), -1, device=device)  # clip -1: no key yet
        self.next = 0

    def push(self, keys: Tensor, instants: Tensor) -> None:
        """Put in (K, D) keys with their (K, 2) clips and frames; the oldest go."""
        size = len(self.keys)
        keys, instants = keys[-size:], instants[-size:]
        places = (self.next + torch.arange(len(keys), device=keys.device)) % size
        self.keys[places] = keys.to(self.keys.dtype)
        self.instants[places] = instants
        self.next = (self.next + len(keys)) % size

    def usable(self, instants: Tensor, apart: float) -> Tensor:
        """(B, N) which keys are negatives of queries at (B, 2) clips and frames.

        Args:
            instants: clip and frame of each query.
            apart: frames of a clip that are nearer than that are the same instant.
        """
        clip, frame = instants[:, None].unbind(dim=-1)  # each (B, 1)
        key_clip, key_frame = self.instants[None].unbind(dim=-1)  # each (1, N)
        same = (clip == key_clip) & ((frame - key_frame).abs() <= apart)
        return (key_clip >= 0) & ~same

    def state(self) -> dict[str, Tensor | int]:
        """What :meth:`load_state` takes."""
        return {"keys": self.keys, "instants": self.instants, "next": self.next}

    def load_state(self, state: dict[str, Tensor | int]) -> None:
        """Restore the queue."""
        self.keys.copy_(torch.as_tensor(state["keys"]))
        self.instants.copy_(torch.as_tensor(state["instants"]))
        self.next = int(state["next"])


def info_nce(
    queries: Tensor, keys: Tensor, negatives: Tensor, usable: Tensor, temperature: float
) -> Tensor:
    """InfoNCE (van den Oord et al. 2018): tell a query's own keys from the negatives.

    Args:
        queries: (B, D) of length 1.
        keys: (K, B, D) of length 1; ``keys[:, i]`` show the same instant as ``queries[i]``.
        negatives: (N, D).
        usable: (B, N) which of them are negatives of a query.
        temperature: divides the similarities.

    Returns:
        The mean over queries and keys.
    """
    own = (queries * keys).sum(dim=-1, keepdim=True) / temperature  # (K, B, 1)
    # Not minus infinity: a query without any negative has no gradient, and not one of 0/0.
    others = (queries @ negatives.T / temperature).masked_fill(~usable, -1e4)  # (B, N)
    others = others.logsumexp(dim=-1, keepdim=True)  # (B, 1)
    return F.softplus(others - own).mean()


@torch.no_grad()
def collapse_measures(queries: Tensor, keys: Tensor) -> dict[str, float]:
    """How good and how rich features are, on pairs that the encoder does not learn from.

    Alignment and uniformity: Wang and Isola, "Understanding Contrastive Representation Learning
    through Alignment and Uniformity on the Hypersphere", ICML 2020.

    Args:
        queries, keys: (B, D) of length 1, row by row of the same instant.

    Returns:
        ``variance``: mean squared distance to the mean feature, 0 where all are alike;
        ``alignment``: mean squared distance of a pair, 0 is best; ``uniformity``: logarithm of the
        mean of exp(-2 d²) over all two windows, 0 where all are alike, the lower the more spread;
        ``retrieval``: share of queries whose nearest key is their own.
    """
    similarity = queries @ keys.T  # (B, B)
    distances = torch.pdist(queries)
    nearest = similarity.argmax(dim=1)
    return {
        "variance": float((queries - queries.mean(dim=0)).square().sum(dim=-1).mean()),
        "alignment": float((queries - keys).square().sum(dim=-1).mean()),
        "uniformity": float(distances.square().mul(-2).exp().mean().log()),
        "retrieval": float((nearest == torch.arange(len(keys), device=keys.device)).float().mean()),
    }
