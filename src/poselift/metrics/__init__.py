"""Errors of 3D poses: per pose (`functional`) and gathered over many (`accumulate`)."""
