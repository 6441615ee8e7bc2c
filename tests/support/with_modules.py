"""Runs a Python test only where the modules it needs are installed: with_modules.py numpy,tokenizers script.py args...

Without them it prints the reason and exits with 77, which ctest reports as skipped.
"""

import importlib.util
import runpy
import sys
from pathlib import Path

missing = [name for name in sys.argv[1].split(",") if importlib.util.find_spec(name) is None]
if missing:
    print(f"SKIPPED: no Python module {', '.join(missing)} for {sys.executable} (.ci/run makes an environment with them)")
    sys.exit(77)
sys.argv = sys.argv[2:]
sys.path[0] = str(Path(sys.argv[0]).resolve().parent)
runpy.run_path(sys.argv[0], run_name="__main__")
