"""Muon: momentum whose steps have all directions alike.

Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; weight decay and the
size of a step as in Liu et al., "Muon is Scalable for LLM Training", 2025, section 2.2.

torch has a Muon since 2.9, which computes in bfloat16. Processors without bfloat16 arithmetic take
eight times as long for a step of HTNet then; here it is float32 everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5
_RMS = 0.2
"""Root mean square of AdamW's steps, which those of Muon are scaled to."""


class Muon(torch.optim.Optimizer):
    """Steps for matrices.

    Args:
        parameters: matrices.
        lr: learning rate, as for AdamW.
        weight_decay: decoupled, as for AdamW.
        momentum: decay of the mean gradient.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        weight_decay: float,
        momentum: float = 0.95,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # no closure is taken
        """One step for every matrix that has a gradient."""
        for group in self.param_groups:
            rate, momentum = group["lr"], group["momentum"]
            for matrix in group["params"]:
                if matrix.grad is None:
                    continue
                state = self.state[matrix]
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(matrix)
                mean = state["momentum_buffer"]
                mean.lerp_(matrix.grad, 1 - momentum)
                step = orthogonal(matrix.grad.lerp(mean, momentum))  # Nesterov's
                matrix.mul_(1 - rate * group["weight_decay"])
                matrix.add_(step, alpha=-rate * _RMS * max(matrix.shape) ** 0.5)


def orthogonal(matrix: Tensor) -> Tensor:
    """A matrix (A, B) with the same singular vectors and singular values of about 1.

    Newton-Schulz iterations that overshoot: the values end between 0.7 and 1.2, but for those that
    are nearly 0.
    """
    a, b, c = _COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(_ITERATIONS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x
