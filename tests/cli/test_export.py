from __future__ import annotations

import numpy as np

from poselift import motion


def test_exports_a_file_that_lifts_alike(command, checkpoint, walk_file, tmp_path):
    graph = tmp_path / "tiny.onnx"
    done = command("export", checkpoint, "-o", graph)
    assert done.code == 0, done.err
    assert done.out.startswith(f"{graph}: ")
    assert "mm from torch" in done.out
    for model, name in ((checkpoint, "torch"), (graph, "onnx")):
        done = command("lift", walk_file, "-o", tmp_path / name, "--model", model)
        assert done.code == 0, done.err
    first, second = (motion.read(tmp_path / name / "walk.npz") for name in ("torch", "onnx"))
    np.testing.assert_allclose(second.joints, first.joints, atol=1e-4)
    assert second.meta["weights_licence"] == "CC0-1.0"

    done = command("export", graph, "-o", tmp_path / "again.onnx")
    assert done.code == 2
    assert "already an exported file" in done.err
