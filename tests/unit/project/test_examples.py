"""The bundled photographs are complete, credited, small, and their suggested edits make sense."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import regiondrag_widget as rd
from regiondrag_widget import assets

FOLDER = Path(assets.__file__).parent
each = pytest.mark.parametrize("name", assets.names())


def test_there_are_a_few():
    assert 2 <= len(assets.names()) <= 4


def test_they_are_reached_by_their_public_name():
    assert rd.examples.names() == assets.names()


def test_without_a_name_the_first_is_loaded():
    assert assets.load().name == assets.names()[0]


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"no example 'unicorn': the bundled ones are .*rubber-duck"):
        assets.load("unicorn")


@each
def test_the_handle_fits_the_photograph(name: str):
    example = assets.load(name)
    assert example.image.mode == "RGB"
    assert max(example.image.size) <= 1024
    assert example.handle.dtype == bool
    assert example.handle.shape == example.image.size[::-1]
    assert 0.01 < example.handle.mean() < 0.3


@each
def test_the_handle_is_one_piece_without_holes(name: str):
    from scipy import ndimage

    handle = assets.load(name).handle
    assert ndimage.label(handle)[1] == 1
    assert np.array_equal(ndimage.binary_fill_holes(handle), handle)


@each
def test_the_suggested_target_lies_in_the_picture_and_elsewhere(name: str):
    pair = assets.load(name).pair
    assert pair.target.sum() > 0.95 * pair.handle.sum()
    assert (pair.handle & ~pair.target).sum() > 0.25 * pair.handle.sum()


@each
def test_author_licence_and_source_are_credited(name: str):
    credit = assets.load(name).credit
    author, licence, source = credit.split(", ", 2)
    assert licence in {"CC0-1.0", "CC-BY-4.0"}
    line = next(
        row for row in (FOLDER / "CREDITS.md").read_text("utf-8").splitlines() if f"{name}.jpg" in row
    )
    assert author in line
    assert licence in line
    assert source in line


def test_the_pictures_stay_small():
    assert sum(path.stat().st_size for path in FOLDER.iterdir() if path.is_file()) < 1_000_000
