"""Cameras, rotations, alignment and the position of the person in the camera frame."""
