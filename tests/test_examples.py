"""What the docs promise of their examples."""

import importlib.util
from pathlib import Path

import numpy as np

from gmmfast import GaussianMixture
from gmmfast.datasets import load_sensors

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"


def test_one_mixture_a_class_recognises_digits():
    spec = importlib.util.spec_from_file_location("classification", EXAMPLES / "classification.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.accuracy() > 0.97


def test_planted_anomalies_have_the_lowest_density():
    sensors = load_sensors()
    fitted = GaussianMixture(3, random_state=0).fit(sensors.data)
    count = sensors.anomaly.sum()
    lowest = np.argsort(fitted.score_samples(sensors.data))[:count]
    assert sensors.anomaly[lowest].mean() > 0.9
