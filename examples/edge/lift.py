"""Lift 2D joints to 3D on a device: nothing but numpy and ONNX Runtime.

    python lift.py NETWORK.onnx KEYPOINTS.npz OUT.npz

NETWORK.onnx is what `poselift export nanohtnet-causal --raw -o NETWORK.onnx` wrote. KEYPOINTS.npz
holds `keypoints` (T, 17, 2) pixels of one person in Human3.6M's joints, 50 a second, `width` and
`height`. OUT.npz gets `joints` (T, 17, 3), metres from the pelvis: x right, y down, z forward.
"""

import json
import sys
import time

START = time.perf_counter()

import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402


class Lifter:
    """A raw network with the window that it reads."""

    def __init__(self, path, width, height):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        # int8 on x86-64 without VNNI: sums of 8-bit products would overflow.
        options.add_session_config_entry("session.x64quantprecision", "1")
        cpu = ["CPUExecutionProvider"]
        self.session = onnxruntime.InferenceSession(path, options, providers=cpu)
        metadata = self.session.get_modelmeta().custom_metadata_map
        self.about = json.loads(metadata["poselift"])
        self.size = np.array([width, height], np.float32)
        self.window = np.full((1, self.about["config"]["num_frames"], 17, 2), np.nan, np.float32)

    def push(self, joints):
        """(17, 2) pixels of the newest frame, NaN where absent -> (17, 3) metres."""
        seen = np.isfinite(joints)  # an absent joint stays where it was
        if np.isnan(self.window[0, 0, 0, 0]):  # before the first with anybody there was only that
            if not seen.any():
                return np.full((17, 3), np.nan, np.float32)
            self.window[:] = np.where(seen, joints, np.nanmean(joints, axis=0))
        self.window[0, :-1] = self.window[0, 1:]
        self.window[0, -1][seen] = joints[seen]
        inputs = {"keypoints": self.window, "image_size": self.size}
        return self.session.run(None, inputs)[0][0, -1]


def main(network, source, target):
    """Lift the clip ``source``, frame by frame, into ``target``."""
    clip = np.load(source)
    lifter = Lifter(network, clip["width"], clip["height"])
    fps = lifter.about["fps"]
    if clip.get("fps", fps) != fps:
        sys.exit(f"{source}: {clip['fps']} frames per second; expected {fps:g}")
    lifted = []
    for joints in clip["keypoints"]:
        lifted.append(lifter.push(joints))
        if len(lifted) == 1:
            print(f"first pose after {time.perf_counter() - START:.3f} s", flush=True)
    np.savez(target, joints=np.stack(lifted), fps=fps)
    print(f"{len(lifted)} frames; weights: {lifter.about.get('licence')}")


if __name__ == "__main__":
    main(*sys.argv[1:])
