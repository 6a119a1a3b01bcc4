"""The table of the authors' names inside a block of HTNet and NanoHTNet."""

from __future__ import annotations

from poselift.models.published import Rename, flatten_kernel

BLOCK_RENAMES: tuple[Rename, ...] = (
    (r"\.lgc\.norm_gcn1\.", ".levels.joint.norm_in."),
    (r"\.lgc\.norm_gcn2\.", ".levels.joint.norm_out."),
    (r"\.lgc\.gcn([12])\.W$", r".levels.joint.conv\1.weight"),
    (r"\.lgc\.gcn([12])\.M$", r".levels.joint.conv\1.modulation"),
    (r"\.lgc\.gcn([12])\.adj2$", r".levels.joint.conv\1.affinity"),
    (r"\.lgc\.gcn([12])\.bias$", r".levels.joint.conv\1.bias"),
    (r"\.ipc\.norm_conv1\.", ".levels.part.whole.norm."),
    (r"\.ipc\.conv1\.", ".levels.part.whole.merge."),
    (r"\.ipc\.norm_conv1_mlp\.", ".levels.part.whole.norm_mlp."),
    (r"\.ipc\.mlp_down_1\.", ".levels.part.whole.mlp."),
    (r"\.ipc\.norm_conv2\.", ".levels.part.outer.norm."),
    (r"\.ipc\.conv2\.", ".levels.part.outer.merge."),
    (r"\.ipc\.norm_conv2_mlp\.", ".levels.part.outer.norm_mlp."),
    (r"\.ipc\.mlp_down_2\.", ".levels.part.outer.mlp."),
    (r"\.gbi\.norm_attn\.", ".levels.body.norm."),
    (r"\.gbi\.attn\.", ".levels.body.attention."),
)
BLOCK_CONVERT = ((r"\.merge\.weight$", flatten_kernel),)
