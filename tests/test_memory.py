"""How much memory is free, on machines and in containers."""

import math

import pytest

from gmmfast.data import free_memory as memory

pytestmark = pytest.mark.quick


@pytest.fixture(name="group")
def fake_group(tmp_path, monkeypatch):
    """Make a control group two levels below the root, and this process its member."""

    def make(limit, used, cached, depth=2):
        monkeypatch.setattr(memory, "GROUPS", tmp_path)
        monkeypatch.setattr(memory, "_own_group", lambda: ["slice", "unit"])
        folder = tmp_path.joinpath(*["slice", "unit"][:depth])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "memory.max").write_text(f"{limit}\n")
        (folder / "memory.current").write_text(f"{used}\n")
        (folder / "memory.stat").write_text(f"anon 5\ninactive_file {cached}\nfile 7\n")

    return make


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_limits_of_control_groups_count(group, depth):
    group(1000, 700, 50, depth)
    assert memory.free() == 350
    assert memory.is_large(90) and not memory.is_large(80)


def test_the_tightest_limit_counts(group):
    group(1000, 700, 50, depth=1)
    group(500, 480, 0, depth=2)
    assert memory.free() == 20


def test_without_a_limit_the_machine_counts(group, monkeypatch):
    group("max", 700, 50)
    monkeypatch.setattr(memory, "_of_machine", lambda: 12345.0)
    assert memory.free() == 12345


def test_this_machine():
    assert 1e6 < memory.free() <= math.inf
