"""The photographs that test are never the photographs that train."""

from __future__ import annotations

import pytest

from regiondrag_widget.bench.truth.split import series_of, split_photos

NAMES = [
    f"photo-of-{thing}{part}.jpg" for thing in "abcdefghijklmnopqrstuvwxyz" for part in ("", "_c1", "_c2")
]


def test_every_photograph_is_on_exactly_one_side() -> None:
    train, test = split_photos(NAMES)
    assert sorted(train + test) == sorted(NAMES)
    assert train
    assert test


def test_crops_of_one_photograph_stay_together() -> None:
    train, test = split_photos(NAMES)
    assert not {series_of(name) for name in train} & {series_of(name) for name in test}


def test_numbered_pictures_of_one_series_stay_together() -> None:
    assert series_of("duck-toy-01.jpg") == series_of("duck-toy-04_c2.jpg") == "duck-toy"
    assert series_of("beach-ii.jpg") == series_of("beach.jpg")


def test_long_numbers_tell_photographs_apart() -> None:
    assert series_of("nasa-45068.jpg") != series_of("nasa-53884.jpg")


def test_the_side_depends_on_the_base_name_only() -> None:
    _, plain = split_photos(NAMES)
    _, moved = split_photos([f"/somewhere/else/{name.replace('.jpg', '.PNG')}" for name in NAMES])
    assert [series_of(name) for name in plain] == [series_of(name) for name in moved]


def test_removing_photographs_moves_no_other_across() -> None:
    _, test = split_photos(NAMES)
    _, fewer = split_photos(NAMES[::2])
    assert set(fewer) == set(test) & set(NAMES[::2])


def test_the_order_of_the_names_does_not_matter() -> None:
    assert split_photos(NAMES) == split_photos(NAMES[::-1])


def test_a_fraction_outside_zero_to_one_is_refused() -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        split_photos(NAMES, test_fraction=1.5)
