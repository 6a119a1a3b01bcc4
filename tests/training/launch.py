"""Trains in several processes, as torchrun would start them; some of the runs are killed.

Arguments: a recipe's file, then for each run, one after the other, its folder (with ``{rank}`` one
for each process, as on machines that share none), the number of processes, and a step; unless that
is 0, every process kills itself with SIGKILL before that step.
"""

from __future__ import annotations

import os
import signal
import socket
import sys

import torch
from training_examples import training_clips

from poselift.training import schedule
from poselift.training.loop import create_fabric
from poselift.training.pretrain import pretrain
from poselift.training.recipe import read_recipe
from poselift.training.supervised import fit


def train(recipe_file: str, folder: str, processes: int, kill_at: int) -> None:
    rate = schedule.Schedule.rate

    def rate_or_death(self: schedule.Schedule, step: int) -> float:
        if kill_at and step == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return rate(self, step)

    schedule.Schedule.rate = rate_or_death  # type: ignore[method-assign]
    recipe = read_recipe(recipe_file)
    fabric = create_fabric("32-true", "cpu", processes)
    fabric.launch()
    clips = training_clips()
    learn = pretrain if recipe.poseclr else fit
    learn(recipe, folder, clips[:2], clips[2:], fabric=fabric)


def launch(recipe_file: str, folder: str, processes: int, kill_at: int) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    children = []
    for rank in range(processes):
        child = os.fork()
        if child:
            children.append(child)
            continue
        os.environ.update(
            MASTER_ADDR="127.0.0.1",
            MASTER_PORT=str(port),
            RANK=str(rank),
            LOCAL_RANK=str(rank),
            GROUP_RANK="0",
            WORLD_SIZE=str(processes),
            LOCAL_WORLD_SIZE=str(processes),
            TORCHELASTIC_RUN_ID="test",
        )
        train(recipe_file, folder.format(rank=rank), processes, kill_at)
        sys.stdout.flush()
        os._exit(0)
    for child in children:
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for at in range(2, len(sys.argv), 3):
        run_folder, *numbers = sys.argv[at : at + 3]
        launch(sys.argv[1], run_folder, *map(int, numbers))
