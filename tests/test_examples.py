"""What the docs promise of their examples."""

import re
import runpy
import subprocess
import sys
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"


def run(name, monkeypatch):
    """The variables of a script of the gallery, once it has run."""
    monkeypatch.setattr(sys, "argv", [f"{name}.py"])
    plt.switch_backend("Agg")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "FigureCanvasAgg is non-interactive")
        found = runpy.run_path(str(EXAMPLES / f"{name}.py"))
    assert plt.get_fignums(), "a page without a picture"
    plt.close("all")
    return found


def finds_the_segments(found):
    assert found["found"] >= 345


def finds_the_anomalies(found):
    assert (found["planted"][found["flagged"]]).mean() > 0.9
    assert (found["deviations"](found["clean"]) < found["deviations"](found["mixture"])).all()


def recognizes_digits(found):
    assert found["accuracy"] > 0.96
    digits, noise = found["log_density"]
    assert noise.max() < digits.min()


def finds_two_kinds_of_irises(found):
    search = found["search"]
    assert (search.best_n_components_, search.best_covariance_type_) == (2, "VEV")
    assert len({*found["labels"][found["species"] == 0]}) == 1


def integrates_to_one(found):
    assert np.trapezoid(found["density"], found["x"][:, 0]) == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(found["parts"].sum(axis=1), found["density"])


def segments_the_image(found):
    assert found["mixture"].converged_
    assert np.bincount(found["labels"], minlength=6).min() > 10_000


def follows_the_drift(found):
    equal, forgetful = found["heights"][-1]
    assert equal < 7 < forgetful < 8


def prefers_full(found):
    assert found["covariance_type"] == "full"  # the last, so what is below is of this one
    assert found["mixture"].bic(found["X"]) < 4200


def labels_every_row(found):
    assert found["sizes"].sum() == found["N_ROWS"]
    assert found["mixture"].converged_


CHECKS = {
    "choosing_k": finds_two_kinds_of_irises,
    "classification": recognizes_digits,
    "covariances": prefers_full,
    "customers": finds_the_segments,
    "density": integrates_to_one,
    "image_segmentation": segments_the_image,
    "larger_than_memory": labels_every_row,
    "sensors": finds_the_anomalies,
    "streams": follows_the_drift,
}


def test_gallery__every_example_is_tested():
    assert sorted(path.stem for path in EXAMPLES.glob("*.py")) == sorted([*CHECKS, "cluster"])


@pytest.mark.parametrize("name", CHECKS)
def test_gallery__shows_what_its_text_says(name, monkeypatch):
    CHECKS[name](run(name, monkeypatch))


def test_cluster__labels_every_row():
    """As a new process: a cluster starts processes of its own."""
    command = [sys.executable, str(EXAMPLES / "cluster.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    *_, first, second = (int(number) for number in re.findall(r"\d+", done.stdout))
    assert first + second == 1_000_000
    assert abs(first - second) < 5000
