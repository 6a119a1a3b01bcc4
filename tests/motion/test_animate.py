from __future__ import annotations

import numpy as np
from motion_examples import moving, y_up

from poselift.motion.animate import animate


def test_a_person_of_constant_bones_needs_no_note() -> None:
    pose = moving("walk")
    assert animate(pose, y_up(pose)[0], 0)[1] == []


def test_notes_say_what_was_changed() -> None:
    pose = moving("walk", track_ids=np.array([8]))
    joints = y_up(pose)[0]
    joints[:10, :, 1] *= 1.1  # taller for a while
    joints[20:23] = np.nan
    joints[30, 4:6] = np.nan
    notes = animate(pose, joints, 0)[1]
    assert notes[:2] == [
        "person 8: absent in 3 of 50 frames, interpolated",
        "person 8: some joints interpolated in 1 of 50 frames",
    ]
    assert notes[2].startswith("person 8: bones made constant, joints moved by ")
    assert len(notes) == 3
