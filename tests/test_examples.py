"""What the docs promise of their examples."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

from gmmfast import GaussianMixture
from gmmfast.datasets import load_sensors

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"


def script(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_one_mixture_a_class_recognizes_digits():
    accuracy = script("classification").accuracy
    assert np.median([accuracy(seed=seed) for seed in range(5)]) > 0.97


def test_a_file_in_pieces(capsys):
    found = script("larger_than_memory").main(20_000)
    assert found.converged_
    assert "20000 rows" in capsys.readouterr().out


def test_a_cluster():
    """As a new process: a cluster starts processes of its own."""
    command = [sys.executable, str(EXAMPLES / "cluster.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    *_, first, second = (int(number) for number in re.findall(r"\d+", done.stdout))
    assert first + second == 1_000_000
    assert abs(first - second) < 5000


def test_planted_anomalies_have_the_lowest_density():
    sensors = load_sensors()
    fitted = GaussianMixture(3, random_state=0).fit(sensors.data)
    count = sensors.anomaly.sum()
    lowest = np.argsort(fitted.score_samples(sensors.data))[:count]
    assert sensors.anomaly[lowest].mean() > 0.9
