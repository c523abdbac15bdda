"""Preloaded by the workers of test_cluster: a worker that stops after its so-manyth stored block, until told to go on.

HOLD_AFTER : blocks that it stores, the last of them without telling the scheduler
HOLD_MARK  : file that it writes then; HOLD_UNTIL: file that it waits for
"""

import itertools
import os
import time
from pathlib import Path

from engine.batch import worker as of_a_run
from engine.io.results.spool import RunFiles

store, count = RunFiles.store_block, itertools.count(1)


def store_and_hold(self, number, *args):
    stored = store(self, number, *args)
    if next(count) == int(os.environ["HOLD_AFTER"]):
        Path(os.environ["HOLD_MARK"]).write_text(str(number))
        while not Path(os.environ["HOLD_UNTIL"]).exists():
            time.sleep(0.05)
    return stored


def dask_setup(worker):
    of_a_run.IDLE = 1.0
    RunFiles.store_block = store_and_hold
