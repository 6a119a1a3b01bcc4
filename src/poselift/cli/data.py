"""Check files of data sets before they are used: units, cameras, lengths, keys.

Knows Human3.6M in the layouts of VideoPose3D (data_3d_h36m.npz, data_2d_h36m_*.npz) and MotionBERT
(h36m_sh_conf_cam_source_final.pkl), MPI-INF-3DHP in that of P-STMO (data_train_3dhp.npz,
data_test_3dhp.npz), and motion capture (motions_*.npz). Says all that is wrong and ends with exit
code 1 if anything is, a file that cannot be read included; notes alone are no error. Nothing in a
file is run.
"""

from __future__ import annotations

import argparse

from poselift.cli.parser import Parser
from poselift.errors import DataError


def add_arguments(parser: Parser) -> None:
    """Arguments of ``poselift data``."""
    parser.add_argument("action", choices=["check"], help="what to do")
    parser.add_argument("files", metavar="FILE", nargs="+", help="files of data sets")
    parser.example("poselift data check data_3d_h36m.npz data_2d_h36m_cpn_ft_h36m_dbb.npz")


def run(args: argparse.Namespace) -> None:
    """Print what each file holds and what is wrong with it."""
    from poselift.data.check import check
    from poselift.data.findings import Findings

    bad = 0
    for file in args.files:
        try:
            found = check(file)
        except DataError as error:  # the files after it are checked all the same
            found = Findings("cannot be checked", problems=[str(error)])
        bad += bool(found.problems)
        print(f"{file}: {found.kind}")
        for label in ("facts", "notes", "problems"):
            for text in getattr(found, label):
                print(f"  {'' if label == 'facts' else label.removesuffix('s') + ': '}{text}")
        if not found.problems:
            print("  no problems")
    if bad:
        raise DataError(f"{bad} of {len(args.files)} files with problems", "", "see above")
