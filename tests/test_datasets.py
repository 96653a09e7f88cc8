"""The bundled examples: what they hold, and that their script still writes them."""

from importlib import resources

import numpy as np
import pytest

from gmmfast.datasets import Dataset, generate, load_customers, load_sensors

pytestmark = [pytest.mark.quick, pytest.mark.plain]


@pytest.mark.parametrize("name", ["customers.csv", "sensors.csv"])
def test_generate__writes_the_bundled_bytes(tmp_path, name):
    generate.main([str(tmp_path)])
    bundled = resources.files("gmmfast.datasets").joinpath(name).read_bytes()
    assert (tmp_path / name).read_bytes() == bundled


def test_generate__takes_the_folder_from_the_command_line(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["generate", str(tmp_path)])
    generate.main()
    assert {path.name for path in tmp_path.iterdir()} == {"customers.csv", "sensors.csv"}


def test_load_customers__two_segments_in_their_units():
    customers = load_customers()
    assert customers.data.shape == (350, 2)
    assert customers.data.dtype == np.float64
    assert customers.feature_names == ["average_order_value", "orders_per_month"]
    assert customers.anomaly is None
    assert np.bincount(customers.target).tolist() == [230, 120]
    assert (customers.data > 0).all()
    small, large = (customers.data[customers.target == k].mean(axis=0) for k in (0, 1))
    assert 30 < small[0] < 50 < 80 < large[0] < 110  # euros an order
    assert 1 < large[1] < 2 < 4 < small[1] < 5  # orders a month


def test_load_customers__frequencies_are_whole_orders_a_year():
    orders = load_customers().data[:, 1] * 12
    np.testing.assert_allclose(orders, np.rint(orders), atol=0.06 + 1e-9)  # two decimals a month


def test_load_sensors__three_operating_points_and_anomalies():
    sensors = load_sensors()
    assert sensors.data.shape == (2000, 2)
    assert sensors.feature_names == ["temperature", "pressure"]
    assert np.unique(sensors.target).tolist() == [-1, 0, 1, 2]
    assert sensors.anomaly.dtype == np.bool_
    assert sensors.anomaly.sum() == 20
    np.testing.assert_array_equal(sensors.anomaly, sensors.target == -1)


def test_load_sensors__anomalies_are_far_from_each_operating_point():
    sensors = load_sensors()
    odd = sensors.data[sensors.anomaly]
    for point in range(3):
        rows = sensors.data[sensors.target == point]
        precision = np.linalg.inv(np.cov(rows.T))
        offset = odd - rows.mean(axis=0)
        assert np.einsum("ij,jk,ik->i", offset, precision, offset).min() > 5.5**2


def test_dataset__is_frozen_and_each_load_is_its_own():
    first, second = load_sensors(), load_sensors()
    assert isinstance(first, Dataset)
    first.data[0] = 0
    assert second.data[0].all()
    with pytest.raises(AttributeError):
        first.data = second.data
