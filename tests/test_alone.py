"""gmmfast without scikit-learn, SciPy or pandas in the process, and beside scikit-learn."""

import subprocess
import sys

import pytest

PREPARE = """
import pathlib, sys, tempfile, warnings
import numpy as np
GUESTS = ("sklearn", "pandas", "polars", "pyarrow", "matplotlib", "tqdm", "joblib")
X = np.repeat([[0.0, 0.0], [5.0, 5.0]], 30, axis=0) + np.random.default_rng(0).normal(size=(60, 2))
"""

WHOLE_LIFE = """
import gmmfast
mixture = gmmfast.GaussianMixture(2, random_state=0, {params}).fit(X, sample_weight=np.ones(60))
mixture.predict(X), mixture.predict_proba(X), mixture.score(X), mixture.score_samples(X)
mixture.bic(X), mixture.aic(X), mixture.icl(X), mixture.sample(3), repr(mixture)
mixture.set_params(tol=0.1).get_params()
path = pathlib.Path(tempfile.mkdtemp()) / "model.npz"
mixture.save(path)
assert (gmmfast.load(path).predict(X) == mixture.predict(X)).all()
path.unlink(), path.parent.rmdir()
print(sorted(guest for guest in GUESTS if sys.modules.get(guest)))
"""

OUTCOMES = """
try:
    gmmfast.GaussianMixture().predict(X)
except Exception as error:
    print(type(error).__module__, type(error).__name__, isinstance(error, ValueError))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    gmmfast.GaussianMixture(2, tol=0, max_iter=2).fit(X)
print(*{(w.category.__module__, w.category.__name__, w.filename == __file__) for w in caught})
"""


def run(script, folder):
    """What a new process prints; warnings are errors there too."""
    file = folder / "script.py"
    file.write_text(PREPARE + script)
    command = [sys.executable, "-W", "error", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("params", ["covariance_type='tied'", "init_params='random'"])
def test_nothing_else_is_loaded(params, tmp_path):
    assert run(WHOLE_LIFE.format(params=params), tmp_path) == ["[]"]


def test_nothing_else_is_needed(tmp_path):
    """Numba itself loads SciPy where there is one: here there is none."""
    absent = "sys.modules.update(dict.fromkeys([*GUESTS, 'scipy']))"
    assert run(absent + WHOLE_LIFE.format(params="covariance_type='full'"), tmp_path) == ["[]"]


def test_our_own_classes_alone(tmp_path):
    error, warning = run("import gmmfast\n" + OUTCOMES, tmp_path)
    assert error == "gmmfast.errors NotFittedError True"
    assert warning == "('gmmfast.errors', 'ConvergenceWarning', True)"


@pytest.mark.parametrize("order", ["import gmmfast, sklearn.base", "import sklearn.base, gmmfast"])
def test_scikit_learns_classes_beside_it(order, tmp_path):
    error, warning = run(order + OUTCOMES, tmp_path)
    assert error == "sklearn.exceptions NotFittedError True"
    assert warning == "('sklearn.exceptions', 'ConvergenceWarning', True)"
