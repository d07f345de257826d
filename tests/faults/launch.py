"""`python -m tests.faults.launch FOLDER PROCESS MODULE [ARGUMENT…]`: one of Souk's processes, ready to be hurt.

It runs the module as `python -m MODULE` would, with the failpoints of this process wrapped and the guards removed
whose files lie in FOLDER/PROCESS.
"""

import runpy
import sys
from pathlib import Path

from tests.faults.failpoints import FAILPOINTS, POISONED, install, switch
from tests.faults.guards import GUARDS, WITHOUT


def main(folder: Path, process: str, module: str, arguments: list[str]) -> None:
    """Prepare, then become the process."""
    for failpoint in (*FAILPOINTS, POISONED):
        if process in failpoint.processes:
            install(failpoint, switch(folder, process, failpoint.name))
    for name, remove in GUARDS.items():
        if switch(folder, process, f"{WITHOUT}{name}").exists():
            remove()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:])
