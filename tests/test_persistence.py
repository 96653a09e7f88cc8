"""Models in files: nothing is lost on the way, and whatever is damaged is refused."""

import builtins
import io
import json
import pickle
import tracemalloc
import zipfile

import numpy as np
import pandas
import pytest
from data import EVERY, TYPES, mixture

import gmmfast
from gmmfast import GaussianMixture

pytestmark = pytest.mark.plain

X = mixture(90, 3, 2, seed=3)[0]
ARRAYS = ("weights_", "means_", "covariances_", "precisions_cholesky_", "precisions_")
FACTS = ("converged_", "stop_reason_", "n_iter_", "lower_bound_", "lower_bounds_", "n_features_in_")


def fitted(rows=X, **params):
    defaults = {"n_components": 2, "random_state": 0, "max_iter": 50}
    return GaussianMixture(**{**defaults, **params}).fit(rows)


def reload(model, folder):
    model.save(folder / "model.npz")
    return gmmfast.load(folder / "model.npz")


def assert_equal_models(model, other, rows=X, without=()):
    for name in ARRAYS:
        assert getattr(other, name).dtype == getattr(model, name).dtype
        np.testing.assert_array_equal(getattr(other, name), getattr(model, name))
    for name in FACTS:
        assert getattr(other, name) == getattr(model, name)
        assert type(getattr(other, name)) in (type(getattr(model, name)), float)
    np.testing.assert_array_equal(other.degenerate_, model.degenerate_)
    assert other.get_params() == {**model.get_params(), **dict.fromkeys(without)}
    for method in ("predict", "predict_proba", "score_samples"):
        np.testing.assert_array_equal(getattr(other, method)(rows), getattr(model, method)(rows))
    assert other.bic(rows) == model.bic(rows)


# -------------------------------------------------------------------------------- round trips


@pytest.mark.parametrize("dtype", ["f8", "f4"])
@pytest.mark.parametrize("covariance_type", TYPES)
def test_round_trip(covariance_type, dtype, tmp_path):
    rows = X.astype(dtype)
    model = fitted(rows, covariance_type=covariance_type, reg_covar=1e-5, tol=1e-4, n_init=2)
    assert model.means_.dtype == dtype
    other = reload(model, tmp_path)
    assert_equal_models(model, other, rows)
    for a, b in zip(other.sample(20), model.sample(20), strict=True):
        np.testing.assert_array_equal(a, b)
    assert [path.name for path in tmp_path.iterdir()] == ["model.npz"]


def test_round_trip_keeps_feature_names(tmp_path):
    frame = pandas.DataFrame(X, columns=["länge", "b", "c"])
    model = fitted(frame)
    other = reload(model, tmp_path)
    np.testing.assert_array_equal(other.feature_names_in_, model.feature_names_in_)
    assert other.feature_names_in_.dtype == model.feature_names_in_.dtype
    np.testing.assert_array_equal(other.predict(frame), model.predict(frame))
    with pytest.raises(ValueError, match="must be in the same order"):
        other.predict(frame[["b", "c", "länge"]])
    assert not hasattr(reload(fitted(), tmp_path), "feature_names_in_")


@pytest.mark.parametrize("name", ["model", "model.npz", "a model of ours.bin"])
def test_the_name_of_the_file_is_kept(name, tmp_path):
    fitted().save(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    gmmfast.load(str(tmp_path / name))


def test_a_loaded_model_goes_on(tmp_path):
    """With warm_start, from where it stopped; the way a saved fit is resumed."""
    model = fitted(warm_start=True, tol=1e-4)
    other = reload(model, tmp_path)
    assert other.fit(X).n_iter_ == model.fit(X).n_iter_
    np.testing.assert_array_equal(other.means_, model.means_)


def test_what_numpy_numbers_the_constructor_got(tmp_path):
    """`n_components` from np.arange, `reg_covar` from np.logspace: as in any search."""
    model = fitted(
        n_components=np.int64(2),
        tol=np.float32(1e-3),
        reg_covar=np.float64(1e-5),
        max_iter=np.int32(50),
        warm_start=np.bool_(True),
    )
    assert_equal_models(model, reload(model, tmp_path))


@pytest.mark.parametrize(
    "params",
    [
        {"random_state": np.random.default_rng(0)},
        {"random_state": np.random.RandomState(0)},
        {"means_init": X[:2], "weights_init": [0.5, 0.5]},
    ],
)
def test_parameters_that_belong_to_the_fit_are_not_kept(params, tmp_path):
    model = fitted(**params)
    assert_equal_models(model, reload(model, tmp_path), without=params)


def test_made_of_parameters(tmp_path):
    model = GaussianMixture.from_parameters(
        [0.25, 0.75], [[0.0, 1.0], [2.0, 3.0]], [1.0, 2.0], covariance_type="spherical",
        feature_names=["a", "b"], random_state=3,
    )  # fmt: skip
    other = reload(model, tmp_path)
    frame = pandas.DataFrame([[0.0, 1.0]], columns=["a", "b"])
    assert_equal_models(model, other, frame)
    assert other.lower_bound_ == -np.inf


@pytest.mark.filterwarnings("ignore::gmmfast.CollapsedComponentWarning")
def test_not_converged_and_degenerate(tmp_path):
    rows = np.concatenate([X, np.full((5, 3), 50.0)])
    model = GaussianMixture(2, means_init=[X[0], rows[-1]], random_state=0).fit(rows)
    assert model.degenerate_.tolist() == [False, True]
    np.testing.assert_array_equal(reload(model, tmp_path).degenerate_, [False, True])
    with pytest.warns(match="did not converge"):
        model = fitted(max_iter=2, tol=0)
    assert not reload(model, tmp_path).converged_


@pytest.mark.filterwarnings("ignore::gmmfast.CollapsedComponentWarning")
def test_an_emptied_component(tmp_path):
    start = {"weights_init": [0.5, 0.5], "means_init": [X[0], X[0] + 1e6]}
    start["precisions_init"] = [np.eye(3)] * 2
    model = fitted(**start)
    assert model.weights_[1] == 0
    assert_equal_models(model, reload(model, tmp_path), without=start)


@pytest.mark.parametrize("covariance_type", ["full", "tied"])
def test_columns_in_different_units(covariance_type, tmp_path):
    """Covariances over 24 orders of magnitude are positive definite and stay so."""
    rows = X * [1e-6, 1.0, 1e6]
    rows[:, 2] += 1e12 * rows[:, 0]
    model = fitted(rows, covariance_type=covariance_type, reg_covar=0)
    assert_equal_models(model, reload(model, tmp_path), rows)


@pytest.mark.parametrize("covariance_type", ["full", "tied"])
def test_covariances_that_float32_cannot_hold(covariance_type, tmp_path):
    """Rounded to float32 they may be singular; their factors, which predictions use, are not."""
    correlation = 1 - 2.0**-30
    true = np.array([[1.0, correlation], [correlation, 1.0]])
    structured = {"full": np.array([true, true]), "tied": true}[covariance_type]
    rows = X[:, :2].astype(np.float32)
    model = GaussianMixture.from_parameters(
        [0.5, 0.5], rows[:2], structured, covariance_type=covariance_type
    )
    for name in ARRAYS:
        setattr(model, name, getattr(model, name).astype(np.float32))
    assert np.linalg.eigvalsh(model.covariances_.reshape(-1, 2, 2)[0].astype(float))[0] <= 0
    assert_equal_models(model, reload(model, tmp_path), rows)


# ------------------------------------------------------------------------------------ damage


@pytest.fixture(name="saved")
def arrays_and_manifest(tmp_path):
    model = fitted(pandas.DataFrame(X, columns=list("abc")))
    model.save(tmp_path / "good.npz")
    with np.load(tmp_path / "good.npz") as file:
        arrays = dict(file)
    return arrays, json.loads(arrays.pop("manifest").tobytes())


def write(path, arrays, manifest):
    text = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
    np.savez(path, manifest=np.frombuffer(text, np.uint8), **arrays)


def assert_refused(path, reason=""):
    with pytest.raises(ValueError) as caught:
        gmmfast.load(path)
    assert str(path) in str(caught.value)
    assert "is not a gmmfast model, or is damaged" in str(caught.value)
    assert reason in str(caught.value)


def test_what_is_changed_here_is_otherwise_sound(saved, tmp_path):
    write(tmp_path / "same.npz", *saved)
    gmmfast.load(tmp_path / "same.npz")


def test_no_file(tmp_path):
    for path in (tmp_path / "none.npz", tmp_path / "no folder" / "none.npz"):
        with pytest.raises(FileNotFoundError) as caught:
            gmmfast.load(path)
        assert str(path) in str(caught.value)


def test_a_folder(tmp_path):
    assert_refused(tmp_path)


class Bomb:
    """Unpickling it leaves a trace."""

    def __reduce__(self):
        return exec, ("import builtins; builtins.unpickled = True",)


def archive(**entries):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, data in entries.items():
            file.writestr(f"{name}.npy", data)
    return buffer.getvalue()


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


BOMB = np.array([Bomb()], object)
OTHER_FILES = {
    "empty": b"",
    "text": b"weights 0.5 0.5",
    "bytes": bytes(range(256)) * 8,
    "npy": npy(X),
    "npy of objects": npy(BOMB),
    "pickle": pickle.dumps(Bomb()),
    "zip": archive(),
    "zip of text": archive(manifest="no array"),
    "other program's npz": archive(data=npy(X)),
    "other program's npz with a manifest": archive(manifest=npy(X)),
    "npz of objects": archive(manifest=npy(BOMB)),
}


@pytest.mark.parametrize("kind", OTHER_FILES)
def test_other_files(kind, tmp_path):
    path = tmp_path / "other.npz"
    path.write_bytes(OTHER_FILES[kind])
    assert_refused(path)
    assert not hasattr(builtins, "unpickled")


def test_truncated(tmp_path):
    fitted().save(tmp_path / "model.npz")
    whole = (tmp_path / "model.npz").read_bytes()
    path = tmp_path / "part.npz"
    for size in {*range(0, len(whole), 97), len(whole) - 1}:
        path.write_bytes(whole[:size])
        assert_refused(path)


def test_flipped_bytes(tmp_path):
    """Whatever byte is damaged, the model is the same or the file is refused."""
    model = fitted(covariance_type="diag")
    model.save(tmp_path / "model.npz")
    whole = bytearray((tmp_path / "model.npz").read_bytes())
    path, refused = tmp_path / "damaged.npz", 0
    places = range(0, len(whole), 5)
    for place in places:
        damaged = whole.copy()
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        try:
            other = gmmfast.load(path)
        except ValueError as error:
            assert str(path) in str(error)
            refused += 1
        else:
            np.testing.assert_array_equal(other.means_, model.means_)
            np.testing.assert_array_equal(other.covariances_, model.covariances_)
    assert refused > len(places) / 2


NAMES = ("weights_", "means_", "covariances_", "precisions_cholesky_", "degenerate_")


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_array(name, saved, tmp_path):
    arrays, manifest = saved
    del arrays[name]
    write(tmp_path / "m.npz", arrays, manifest)
    assert_refused(tmp_path / "m.npz", f"'{name}' is missing")


def test_a_missing_manifest(saved, tmp_path):
    np.savez(tmp_path / "m.npz", **saved[0])
    assert_refused(tmp_path / "m.npz", "'manifest' is missing")


CHANGES = {
    "one row less": lambda a: a[:-1],
    "one column more": lambda a: np.concatenate([a, a[..., -1:]], axis=-1),
    "a dimension more": lambda a: a[None],
    "a number": lambda a: a.flat[0],
    "empty": lambda a: a[:0],
}
SPOILT = {
    "NaN": lambda a: np.where(a == a.flat[0], np.nan, a),
    "infinity": lambda a: np.where(a == a.flat[0], np.inf, a),
    "float32": lambda a: a.astype(np.float32),
    "whole numbers": lambda a: (a * 10).astype(int),
    "complex": lambda a: a + 0j,
    "strings": lambda a: a.astype(str),
    "objects": lambda a: a.astype(object),
    "dates": lambda a: a.astype("i8").astype("M8[s]"),
}


@pytest.mark.parametrize("name", NAMES[:-1])
@pytest.mark.parametrize("change", [*CHANGES, *SPOILT])
def test_a_changed_array(change, name, saved, tmp_path):
    arrays, manifest = saved
    arrays[name] = {**CHANGES, **SPOILT}[change](arrays[name])
    write(tmp_path / "m.npz", arrays, manifest)
    assert_refused(tmp_path / "m.npz")


@pytest.mark.parametrize("dtype", ["c16", "U32", "i8", "f2"])
def test_all_arrays_of_another_type(dtype, tmp_path):
    """Whole numbers, so that any type can hold them."""
    model = GaussianMixture.from_parameters([1.0], [[2.0, 3.0]], [np.eye(2)])
    model.save(tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz") as file:
        arrays = {k: a.astype(dtype) if k in NAMES[:-1] else a for k, a in file.items()}
    np.savez(tmp_path / "m.npz", **arrays)
    assert_refused(tmp_path / "m.npz")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("weights_", lambda a: -a),
        ("weights_", lambda a: 0 * a),
        ("covariances_", lambda a: -a),
        ("covariances_", lambda a: a + np.triu(np.ones((3, 3)), 1)),
        ("precisions_cholesky_", lambda a: -a),
        ("precisions_cholesky_", lambda a: 0 * a),
    ],
)
def test_values_that_are_no_mixture(name, change, saved, tmp_path):
    arrays, manifest = saved
    arrays[name] = change(arrays[name])
    write(tmp_path / "m.npz", arrays, manifest)
    assert_refused(tmp_path / "m.npz")


@pytest.mark.parametrize("flags", [[True], [True] * 3, [[True, False]], [0.5, 2.0], ["a", "b"]])
def test_flags_of_another_shape_or_type(flags, saved, tmp_path):
    arrays, manifest = saved
    arrays["degenerate_"] = np.array(flags)
    write(tmp_path / "m.npz", arrays, manifest)
    assert_refused(tmp_path / "m.npz")


TEXTS = [b"", b"{", b"[]", b"null", b"3", b'"x"', b"\xff\xfe", b"{}", b"NaN", b"[" * 100_000]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: repr(text[:8]))
def test_a_manifest_that_is_none(text, saved, tmp_path):
    write(tmp_path / "m.npz", saved[0], text)
    assert_refused(tmp_path / "m.npz")


@pytest.mark.parametrize("kind", ["floats", "two dimensions", "number"])
def test_a_manifest_that_is_no_text(kind, saved, tmp_path):
    arrays, _ = saved
    manifest = {"floats": X[0], "number": np.uint8(3), "two dimensions": np.zeros((3, 3), "u1")}
    np.savez(tmp_path / "m.npz", manifest=manifest[kind], **arrays)
    assert_refused(tmp_path / "m.npz")


@pytest.mark.parametrize("version", [4, 1, 0, "2", None, 1.5, [2]])
def test_a_later_version(version, saved, tmp_path):
    arrays, manifest = saved
    write(tmp_path / "m.npz", arrays, {**manifest, "version": version})
    assert_refused(tmp_path / "m.npz", f"its format is {version}, and this gmmfast reads 2 and 3")


def test_a_manifest_of_another_program(saved, tmp_path):
    arrays, manifest = saved
    write(tmp_path / "m.npz", arrays, {**manifest, "format": "music album"})
    assert_refused(tmp_path / "m.npz", "it is a music album")


@pytest.mark.parametrize("key", ["format", "version", "parameters", "facts", "feature_names"])
def test_a_manifest_without_an_entry(key, saved, tmp_path):
    arrays, manifest = saved
    del manifest[key]
    write(tmp_path / "m.npz", arrays, manifest)
    assert_refused(tmp_path / "m.npz", f"'{key}' is missing")


@pytest.mark.parametrize("value", [None, "x", [], 3, {}])
@pytest.mark.parametrize("key", ["parameters", "facts"])
def test_a_manifest_with_a_wrong_entry(key, value, saved, tmp_path):
    arrays, manifest = saved
    write(tmp_path / "m.npz", arrays, {**manifest, key: value})
    assert_refused(tmp_path / "m.npz")


@pytest.mark.parametrize("names", [["a"], ["a"] * 4, "abc", 3, [1, 2, 3], [None] * 3, {"a": 1}])
def test_wrong_feature_names(names, saved, tmp_path):
    arrays, manifest = saved
    write(tmp_path / "m.npz", arrays, {**manifest, "feature_names": names})
    assert_refused(tmp_path / "m.npz")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("n_components", 3), ("n_components", "2"), ("n_components", None)),
        *(("covariance_type", "tied"), ("covariance_type", "round"), ("covariance_type", 1)),
        *(("tol", -1), ("reg_covar", "x"), ("max_iter", 1.5), ("random_state", [1]), ("k", 3)),
    ],
)
def test_wrong_parameters(name, value, saved, tmp_path):
    arrays, manifest = saved
    manifest["parameters"][name] = value
    write(tmp_path / "m.npz", arrays, manifest)
    assert_refused(tmp_path / "m.npz")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("converged_", 1), ("converged_", None), ("stop_reason_", 3), ("n_iter_", "3")),
        *(("n_iter_", 1.5), ("lower_bound_", "x")),
        *(("lower_bound_", None), ("lower_bounds_", 3), ("lower_bounds_", ["a"])),
        *(("lower_bounds_", [None]), ("lower_bounds_", {"a": 1})),
    ],
)
def test_wrong_facts(name, value, saved, tmp_path):
    arrays, manifest = saved
    manifest["facts"][name] = value
    write(tmp_path / "m.npz", arrays, manifest)
    assert_refused(tmp_path / "m.npz")


def test_compressed_and_damaged(saved, tmp_path):
    """Somebody may have packed the file anew; what comes out of zlib is an error of its own."""
    arrays, manifest = saved
    text = np.frombuffer(json.dumps(manifest).encode(), np.uint8)
    path = tmp_path / "m.npz"
    np.savez_compressed(path, manifest=text, **arrays)
    whole = bytearray(path.read_bytes())
    gmmfast.load(path)
    for place in range(60, len(whole) // 2, 7):
        damaged = whole.copy()
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        try:
            gmmfast.load(path)
        except ValueError as error:
            assert str(path) in str(error)


@pytest.mark.parametrize("size", [1 << 44, 1 << 60])
def test_an_array_larger_than_memory(size, saved, tmp_path):
    """A header that promises more numbers than there are is no reason to run out of memory."""
    header = io.BytesIO()
    description = {"descr": "<f8", "fortran_order": False, "shape": (size,)}
    np.lib.format.write_array_header_1_0(header, description)
    arrays, manifest = saved
    del arrays["means_"]
    write(tmp_path / "m.npz", arrays, manifest)
    with zipfile.ZipFile(tmp_path / "m.npz", "a") as file:
        file.writestr("means_.npy", header.getvalue() + bytes(64))
    assert_refused(tmp_path / "m.npz")


# -------------------------------------------------------------- small files that become large

MEGABYTE = 1 << 20


def zeros(shape, dtype="f8", order=False):
    """A header, and zeros a megabyte at a time, as an array is stored."""
    header = io.BytesIO()
    description = {"descr": np.dtype(dtype).str, "fortran_order": order, "shape": shape}
    np.lib.format.write_array_header_1_0(header, description)
    yield header.getvalue()
    left = int(np.prod(shape)) * np.dtype(dtype).itemsize
    while left > 0:
        yield bytes(min(left, MEGABYTE))
        left -= MEGABYTE


def pack(path, members, method=zipfile.ZIP_DEFLATED):
    """Write pairs of a name and pieces of bytes as a compressed archive."""
    with zipfile.ZipFile(path, "w", method) as file:
        for name, pieces in members:
            with file.open(f"{name}.npy", "w", force_zip64=True) as member:
                for piece in pieces:
                    member.write(piece)


def text_of(manifest):
    text = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
    return [npy(np.frombuffer(text, np.uint8))]


def assert_refused_in_little_memory(path, reason, most=24 * MEGABYTE):
    assert path.stat().st_size < MEGABYTE
    tracemalloc.start()
    try:
        assert_refused(path, reason)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < most


@pytest.mark.parametrize("name", [*NAMES, "precisions_", "stream_first", "extra"])
def test_large_arrays__are_refused_before_they_are_read(name, saved, tmp_path):
    arrays, manifest = saved
    members = {key: [npy(array)] for key, array in arrays.items()}
    members |= {"manifest": text_of(manifest), name: zeros((1 << 23, 1))}
    pack(tmp_path / "m.npz", members.items())
    assert_refused_in_little_memory(tmp_path / "m.npz", "")


def test_large_arrays__are_refused_where_the_manifest_agrees(saved, tmp_path):
    _, manifest = saved
    K = 1 << 23
    manifest["parameters"] |= {"n_components": K, "covariance_type": "spherical"}
    manifest |= {"feature_names": None, "n_features": 1}
    shapes = {name: (K, 1) if name == "means_" else (K,) for name in ARRAYS}
    members = [(name, zeros(shape)) for name, shape in shapes.items()]
    pack(tmp_path / "m.npz", [("manifest", text_of(manifest)), *members])
    assert_refused_in_little_memory(tmp_path / "m.npz", "more than the 268 MB that a file of")


def test_two_arrays_of_one_name(saved, tmp_path):
    arrays, manifest = saved
    members = [("manifest", text_of(manifest)), *((name, [npy(a)]) for name, a in arrays.items())]
    with pytest.warns(UserWarning, match="Duplicate name"):
        pack(tmp_path / "m.npz", [*members, members[1]])
    assert_refused(tmp_path / "m.npz", "two of its arrays have the same name")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b" " * (64 * MEGABYTE), "the manifest is too long"),
        (b"[" + b"[]," * (2 * MEGABYTE) + b"[]]", "have more than 1048576 entries"),
        (b"{" + b'"":0,' * (2 * MEGABYTE) + b'"":0}', "have more than 1048576 entries"),
    ],
)
def test_large_manifests__are_refused(text, reason, saved, tmp_path):
    members = {name: [npy(array)] for name, array in saved[0].items()}
    pack(tmp_path / "m.npz", [*members.items(), ("manifest", text_of(text))])
    del text
    assert_refused_in_little_memory(tmp_path / "m.npz", reason, most=64 * MEGABYTE)


def test_large_headers__are_refused(saved, tmp_path):
    """A header of format 2 may have four gigabytes."""
    arrays, manifest = saved
    members = {name: [npy(array)] for name, array in arrays.items()}
    length = 100 * MEGABYTE
    header = [b"\x93NUMPY\x02\x00", length.to_bytes(4, "little"), *[bytes(MEGABYTE)] * 100]
    members |= {"manifest": text_of(manifest), "means_": header}
    pack(tmp_path / "m.npz", members.items())
    assert_refused_in_little_memory(tmp_path / "m.npz", "another version of numpy's format")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression__is_refused(method, saved, tmp_path):
    """What zipfile makes of a small piece of it has no limit."""
    arrays, manifest = saved
    members = {name: [npy(array)] for name, array in arrays.items()}
    pack(tmp_path / "m.npz", {**members, "manifest": text_of(manifest)}.items(), method)
    assert_refused(tmp_path / "m.npz", "compressed by another method")


@pytest.mark.parametrize("shape", [(3, 3), (1, 3), (-2, -3), (2, 1 << 62)])
def test_a_header_that_contradicts_the_size(shape, saved, tmp_path):
    arrays, manifest = saved
    members = {name: [npy(array)] for name, array in arrays.items()}
    damaged = [next(zeros(shape)), arrays["means_"].tobytes()]
    members |= {"manifest": text_of(manifest), "means_": damaged}
    pack(tmp_path / "m.npz", members.items())
    assert_refused(tmp_path / "m.npz", "means_.npy has 48 bytes for an array of shape")


def test_columns_first__are_read_as_well(saved, tmp_path):
    arrays, manifest = saved
    arrays = {name: np.asfortranarray(array) for name, array in arrays.items()}
    write(tmp_path / "m.npz", arrays, manifest)
    other = gmmfast.load(tmp_path / "m.npz")
    np.testing.assert_array_equal(other.covariances_, arrays["covariances_"])
    other.predict(pandas.DataFrame(X, columns=list("abc")))


def test_many_components_and_columns__are_read(tmp_path, monkeypatch):
    """What gmmfast writes takes what the file takes, however small the limit is."""
    K, d = 10, 12
    model = GaussianMixture.from_parameters(np.full(K, 1 / K), np.zeros((K, d)), [np.eye(d)] * K)
    monkeypatch.setattr("gmmfast.files.archive.SMALL", 0)
    monkeypatch.setattr("gmmfast.files.model.BLOCK", 3 * d**2)
    assert_equal_models(model, reload(model, tmp_path), np.ones((2, d)))
    with np.load(tmp_path / "model.npz") as file:
        np.savez_compressed(tmp_path / "small.npz", **file)
    assert_refused(tmp_path / "small.npz", "Save it without compression")
    monkeypatch.undo()
    assert_equal_models(model, gmmfast.load(tmp_path / "small.npz"), np.ones((2, d)))


# ------------------------------------------------------------- what load would refuse, save does


def changed(**attributes):
    model = fitted()
    for name, value in attributes.items():
        value = value(getattr(model, name)) if callable(value) else value
        setattr(model, name, value)
    return model


BY_HAND = {
    "infinite precisions": ({"precisions_": lambda a: a * np.inf}, "precisions_ holds values that"),
    "NaN in means": ({"means_": lambda a: a * np.nan}, "means_ holds values that are not finite"),
    "fewer weights": ({"weights_": np.ones(1)}, r"weights_ has the shape \(1,\) instead of \(2,\)"),
    "weights of two": ({"weights_": np.ones(2)}, "weights' should be normalized"),
    "fewer means": ({"means_": X[:1]}, "1 means, but n_components=2"),
    "fewer columns": ({"means_": X[:2, :2]}, "2 columns of means_, but n_features_in_=3"),
    "a vector": ({"means_": X[0]}, "means_ is not a matrix"),
    "lists": ({"weights_": [0.5, 0.5], "n_iter_": 1.5}, "n_iter_ is not of type int"),
    "objects": ({"means_": lambda a: a.astype(object)}, "means_ is of type object"),
    "other covariances": ({"covariances_": lambda a: 2 * a}, "contradict each other"),
    "other precisions": ({"precisions_": lambda a: a[::-1]}, "contradict each other"),
    "other factors": ({"precisions_cholesky_": lambda a: a * 1.001}, "contradict each other"),
    "another number": ({"n_components": 3}, "2 means, but n_components=3"),
    "another model": ({"covariance_type": "tied"}, "covariances_ has the shape"),
    "a bad parameter": ({"tol": -1.0}, "'tol' parameter of GaussianMixture must be"),
    "fewer names": ({"feature_names_in_": ["a"]}, "must be 3 different strings"),
    "an object": ({"stop_reason_": object()}, "not JSON serializable"),
    "a long history": ({"lower_bounds_": [0.0] * 1_100_000}, "more than 1048576 entries"),
}


@pytest.mark.parametrize("what", BY_HAND)
def test_save__refuses_what_load_would_refuse(what, old):
    attributes, reason = BY_HAND[what]
    with pytest.raises(ValueError, match=reason) as caught:
        changed(**attributes).save(old[0])
    assert str(old[0]) in str(caught.value) and "from_parameters" in str(caught.value)
    assert_untouched(old)


def test_save__names_a_parameter_of_another_class(old):
    class Mine(GaussianMixture):
        def __init__(self, n_components=1, *, mood="good", **params):
            super().__init__(n_components, **params)
            self.mood = mood

        @classmethod
        def _parameter_names(cls):
            return ["mood", *GaussianMixture._parameter_names()]

    with pytest.raises(ValueError, match="GaussianMixture has no parameter mood"):
        Mine(2, random_state=0).fit(X).save(old[0])
    assert_untouched(old)


@pytest.mark.parametrize("name", ["covariances_", "precisions_", "precisions_cholesky_"])
def test_save__names_an_attribute_that_is_missing(name, old):
    model = fitted()
    delattr(model, name)
    with pytest.raises(ValueError, match=f"'{name}' is missing"):
        model.save(old[0])
    assert_untouched(old)


@pytest.mark.parametrize("dtype", ["f8", "f4"])
@pytest.mark.parametrize("covariance_type", EVERY)
def test_save__of_mixtures_of_any_scale(covariance_type, dtype, tmp_path):
    """One component has weight zero; squares of the scales are at the ends of the type's range."""
    structured = {"tied": np.eye(2), "diag": np.ones((2, 2)), "spherical": np.ones(2)}
    covariances = structured.get(covariance_type, np.array([np.eye(2)] * 2))
    for scale in {"f8": (1e-150, 1.0, 1e150), "f4": (1e-18, 1.0, 1e18)}[dtype]:
        model = GaussianMixture.from_parameters(
            [1.0, 0.0], [[0.0, scale], [scale, 0.0]], covariances * scale**2,
            covariance_type=covariance_type,
        )  # fmt: skip
        for name in ARRAYS:
            setattr(model, name, getattr(model, name).astype(dtype))
        rows = (X[:, :2] * scale).astype(dtype)
        assert_equal_models(model, reload(model, tmp_path), rows)


# ------------------------------------------------------------------------- saving that fails


@pytest.fixture(name="old")
def file_with_an_old_model(tmp_path):
    path = tmp_path / "model.npz"
    fitted().save(path)
    return path, path.read_bytes()


def assert_untouched(old):
    path, bytes_before = old
    assert path.read_bytes() == bytes_before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_an_unfitted_model_leaves_the_old_file(old):
    with pytest.raises(ValueError, match="not fitted yet"):
        GaussianMixture().save(old[0])
    assert_untouched(old)


def test_a_model_that_cannot_be_written_leaves_the_old_file(old):
    model = fitted()
    model.stop_reason_ = object()
    with pytest.raises((TypeError, ValueError)):
        model.save(old[0])
    assert_untouched(old)


@pytest.mark.parametrize("step", ["os.replace", "pathlib.Path.write_bytes"])
def test_a_full_disk_leaves_the_old_file(step, old, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    model = fitted(covariance_type="diag")
    with monkeypatch.context() as patch:
        patch.setattr(step, fail)
        with pytest.raises(OSError, match="No space left"):
            model.save(old[0])
    assert_untouched(old)


def test_an_interrupted_write_leaves_the_old_file(old, monkeypatch):
    def write_half(path, data):
        with open(path, "wb") as stream:
            stream.write(data[: len(data) // 2])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.write_bytes", write_half)
        with pytest.raises(KeyboardInterrupt):
            fitted(covariance_type="diag").save(old[0])
    assert_untouched(old)


def test_saving_to_a_folder_or_into_none(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("kept")
    with pytest.raises(OSError, match="folder"):
        fitted().save(tmp_path / "folder")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        fitted().save(tmp_path / "nowhere" / "model.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["file"]


def test_saving_replaces_what_a_link_points_at(old):
    path, _ = old
    link = path.with_name("link.npz")
    link.symlink_to(path)
    model = fitted(covariance_type="diag")
    model.save(link)
    assert link.is_symlink()
    assert_equal_models(model, gmmfast.load(path))
