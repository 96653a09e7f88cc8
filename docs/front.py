"""Draw images/customers.svg, of the front page and README: ``python docs/front.py``."""

import runpy
import sys
from pathlib import Path

import matplotlib.pyplot as plt

FOLDER = Path(__file__).parent

if __name__ == "__main__":
    sys.path.insert(0, str(FOLDER / "_extensions"))
    from style import RCPARAMS

    plt.switch_backend("Agg")
    plt.rcParams.update(RCPARAMS)
    runpy.run_path(str(FOLDER / "examples" / "customers.py"))
    plt.savefig(FOLDER / "images" / "customers.svg", metadata={"Date": None})
