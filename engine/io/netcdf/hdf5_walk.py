"""A process that opens HDF5 files before ours does: on a damaged one libhdf5 can go round in a circle for ever, and
nothing in the process that called it can stop it.

Run as a script, which imports h5py alone: a path in JSON comes in a line, what was found goes out in one. A file that
takes more processor time than the argument says ends the process, also when nobody waits for it any more. Processor
time, and not the clock, because a slow disk is no damage.
"""

from __future__ import annotations

import json
import signal
import sys

import h5py


def walked(path: str) -> dict[str, int]:
    """Variables of the root group whose values h5py cannot decompress, and the number of the HDF5 filter.

    Everything is read that says where values are: attributes, types, filters, the index of the chunks.
    raises : OSError, RuntimeError, KeyError, ValueError or TypeError of h5py for a damaged file
    """
    with h5py.File(path) as file:
        dict(file.attrs)
        codes: dict[str, int] = {}
        for name, held in file.items():
            dict(held.attrs)
            if isinstance(held, h5py.Dataset):
                if lacking := _lacking(held):
                    codes[name] = lacking[-1]
                if held.chunks is not None:
                    held.id.get_num_chunks()
        return codes


def _lacking(held: h5py.Dataset) -> list[int]:
    plist = held.id.get_create_plist()
    codes = [plist.get_filter(i)[0] for i in range(plist.get_nfilters())]
    return [code for code in codes if not h5py.h5z.filter_avail(code)]


def main(seconds: float) -> None:
    """Answer until standard input ends."""
    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_PROF, seconds)  # its signal is not caught: Python would wait for libhdf5
        try:
            said: dict[str, object] = {"codes": walked(json.loads(line))}
        except Exception as err:  # noqa: BLE001 (whatever it is goes to the caller, who raises it)
            said = {"error": str(err) or type(err).__name__}
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        print(json.dumps(said), flush=True)  # noqa: T201 (the answer)


if __name__ == "__main__":
    main(float(sys.argv[1]))
