"""A stranger's pickle gives plain data, and none of its code runs."""

from __future__ import annotations

import collections
import os
import pickle
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from regiondrag_widget.datasets.unpickle import MAX_PICKLE_BYTES, UnpicklingError, read_pickle


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_what_data_sets_hold_comes_back(tmp_path: Path, protocol: int):
    entry = {
        "prompt": "ein Häuschen",
        "points": [(1, 2), [3.5, np.float32(4)], (np.int64(5), np.int32(6))],
        "mask": np.arange(12, dtype=np.uint8).reshape(3, 4),
        "others": [np.array([True, False]), np.asfortranarray(np.eye(3)), np.array([1, 2], ">i4"), None],
    }
    path = tmp_path / "meta_data.pkl"
    path.write_bytes(pickle.dumps(entry, protocol))
    found = read_pickle(path)
    assert found["prompt"] == entry["prompt"]
    assert found["points"] == [[1, 2], [3.5, 4.0], [5, 6]]
    assert found["mask"].dtype == np.uint8
    assert found["mask"].tolist() == entry["mask"].tolist()
    assert found["others"][0].tolist() == [True, False]
    assert np.array_equal(found["others"][1], np.eye(3))
    assert found["others"][2].tolist() == [1, 2]


def test_pickles_of_numpy_1_are_read(tmp_path: Path):
    entry = pickle.dumps({"mask": np.ones((2, 2), np.uint8), "points": [np.float64(1)]}, 2)
    path = tmp_path / "meta_data.pkl"
    path.write_bytes(entry.replace(b"numpy._core.", b"numpy.core."))
    assert read_pickle(path)["mask"].tolist() == [[1, 1], [1, 1]]


class _Calls:
    """Pickled, it is a call."""

    def __init__(self, function, *args) -> None:
        self.call = (function, args)

    def __reduce__(self):
        return self.call


HOSTILE = {
    "system": lambda place: _Calls(os.system, f"touch {place}"),
    "popen": lambda place: _Calls(subprocess.Popen, ["touch", str(place)]),
    "eval": lambda place: _Calls(eval, f"open({str(place)!r}, 'w')"),
    "file": lambda place: _Calls(open, str(place), "w"),
    "memmap": lambda place: _Calls(np.memmap, str(place), "uint8", "w+", 0, (4,)),
    "getattr": lambda place: _Calls(getattr, "text", "upper"),
    "type": lambda place: _Calls(type, "name", (), {}),
    "ordered": lambda place: collections.OrderedDict(a=1),
    "within": lambda place: {"points": [np.zeros(2), _Calls(os.mkdir, str(place))]},
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_no_code_of_a_pickle_runs(tmp_path: Path, name: str, protocol: int):
    place = tmp_path / "made"
    path = tmp_path / "meta_data.pkl"
    path.write_bytes(pickle.dumps(HOSTILE[name](place), protocol))
    with pytest.raises(UnpicklingError, match=r"meta_data\.pkl names .*it was not run"):
        read_pickle(path)
    assert not place.exists()


def test_an_array_is_no_larger_than_its_bytes(tmp_path: Path):
    class Huge:
        def __reduce__(self):
            reconstruct, args, state = np.zeros(4, np.uint8).__reduce__()
            return reconstruct, args, (state[0], (10**12,), state[2], state[3], state[4])

    path = tmp_path / "meta_data.pkl"
    path.write_bytes(pickle.dumps(Huge()))
    with pytest.raises(UnpicklingError, match="do not fit"):
        read_pickle(path)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.array([{}, []], object), "arrays of numbers alone"),
        (np.zeros(2, "f4,f4"), "arrays of numbers alone"),
        (np.array(["text"]), "arrays of numbers alone"),
        (np.datetime64("2026-01-01"), "arrays of numbers alone"),
        ({1, 2}, "no plain data"),
        ([[[[[[[[1]]]]]]]], "lists within lists"),
    ],
)
def test_other_things_are_refused(tmp_path: Path, value: object, words: str):
    path = tmp_path / "meta_data.pkl"
    path.write_bytes(pickle.dumps(value))
    with pytest.raises(UnpicklingError, match=words):
        read_pickle(path)


@pytest.mark.parametrize("data", [b"", b"no pickle", pickle.dumps([1, 2, 3])[:-2], b"\x80\x04."])
def test_a_damaged_pickle_is_named(tmp_path: Path, data: bytes):
    path = tmp_path / "meta_data.pkl"
    path.write_bytes(data)
    with pytest.raises(UnpicklingError, match=r"meta_data\.pkl is damaged"):
        read_pickle(path)


def test_a_list_that_holds_itself_ends(tmp_path: Path):
    loop: list[object] = []
    loop.append(loop)
    path = tmp_path / "meta_data.pkl"
    path.write_bytes(pickle.dumps(loop))
    with pytest.raises(UnpicklingError, match="lists within lists"):
        read_pickle(path)


def test_a_large_file_is_not_read(tmp_path: Path):
    path = tmp_path / "meta_data.pkl"
    with path.open("wb") as file:
        file.truncate(MAX_PICKLE_BYTES + 1)
    with pytest.raises(UnpicklingError, match="at most"):
        read_pickle(path)


def test_the_readers_own_functions_cannot_be_changed(tmp_path: Path):
    # BUILD on a function would set its attributes
    path = tmp_path / "meta_data.pkl"
    path.write_bytes(b"c_codecs\nencode\n(dS'__kwdefaults__'\nNsb.")
    with pytest.raises(UnpicklingError, match="changes a function"):
        read_pickle(path)


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02]r\xff\xff\xff\x7f.",  # LONG_BINPUT
        b"]p2147483647\n.",  # PUT
    ],
)
def test_no_memory_is_reserved_on_a_pickles_word(tmp_path: Path, data: bytes):
    """The standard library's C half makes a table of 32 GB of these ten bytes."""
    path = tmp_path / "meta_data.pkl"
    path.write_bytes(data)
    began = time.monotonic()
    assert read_pickle(path) == []
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02cnumpy\nndarray\n)\x81.",  # an array that was never made
        b"\x80\x04\x8f.",  # a set
        b"(inumpy\ndtype\n.",  # a call by INST
        b"Pname\n.",  # a persistent name
    ],
)
def test_instructions_that_plain_data_does_not_need_are_refused(tmp_path: Path, data: bytes):
    path = tmp_path / "meta_data.pkl"
    path.write_bytes(data)
    with pytest.raises(UnpicklingError, match="no plain data: it was not run"):
        read_pickle(path)


def test_a_name_does_not_command_the_terminal(tmp_path: Path):
    path = tmp_path / "meta_data.pkl"
    path.write_bytes(b"c\x1b[2Jos\nsystem\n.")
    with pytest.raises(UnpicklingError, match=r"names \?\[2Jos\.system"):
        read_pickle(path)
