"""A picture with its regions, saved and loaded: a folder or a .zip of JSON and PNG."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from regiondrag_widget.regions import (
    RegionPair,
    RegionPairs,
    archive_parts,
    container,
    load_protect,
    load_regions,
    save_regions,
)
from regiondrag_widget.regions import archive as files_module

SIZE = (48, 32)


@pytest.fixture
def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8))


@pytest.fixture
def pairs() -> RegionPairs:
    handle, target = np.zeros((2, 32, 48), dtype=bool)
    handle[4:10, 5:15] = True
    target[18:26, 25:41] = True
    matrix = [[1.1, 0.2, 3.3], [-0.1, 0.9, 1 / 3], [1e-4, 0, 1]]
    return RegionPairs(
        [
            RegionPair(handle, target, name="cup <ä>"),
            RegionPair(handle, matrix=matrix),
            RegionPair(target, handle, matrix),
        ]
    )


@pytest.fixture(params=["session", "session.zip"], ids=["folder", "zip"])
def saved(request: pytest.FixtureRequest, tmp_path: Path, picture: Image.Image, pairs: RegionPairs) -> Path:
    return save_regions(tmp_path / request.param, picture, pairs)


def rewrite(saved: Path, change: Callable[[dict[str, bytes]], object]) -> Path:
    """Change the saved files, whichever way they are kept."""
    if saved.is_dir():
        content = {path.name: path.read_bytes() for path in saved.iterdir()}
    else:
        with zipfile.ZipFile(saved) as archive:
            content = {name: archive.read(name) for name in archive.namelist()}
    change(content)
    if saved.is_dir():
        for path in saved.iterdir():
            path.unlink()
        for name, data in content.items():
            (saved / name).write_bytes(data)
    else:
        with zipfile.ZipFile(saved, "w") as archive:
            for name, data in content.items():
                archive.writestr(name, data)
    return saved


def with_index(**values: object) -> Callable[[dict[str, bytes]], object]:
    def change(content: dict[str, bytes]) -> None:
        content["regions.json"] = json.dumps(json.loads(content["regions.json"]) | values).encode()

    return change


def with_pair(**values: object) -> Callable[[dict[str, bytes]], object]:
    def change(content: dict[str, bytes]) -> None:
        index = json.loads(content["regions.json"])
        index["pairs"][0] |= values
        content["regions.json"] = json.dumps(index).encode()

    return change


def with_file(name: str, data: bytes) -> Callable[[dict[str, bytes]], object]:
    return lambda content: content.update({name: data})


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


# --- what works


def test_what_was_saved_comes_back(saved: Path, picture: Image.Image, pairs: RegionPairs):
    image, loaded = load_regions(saved)
    assert np.array_equal(np.asarray(image), np.asarray(picture))
    assert loaded == pairs


def test_the_files_are_plain_json_and_png(tmp_path: Path, picture: Image.Image, pairs: RegionPairs):
    folder = save_regions(tmp_path / "session", picture, pairs[:1])
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["handle_0.png", "image.png", "regions.json", "target_0.png"]
    assert json.loads((folder / "regions.json").read_text())["size"] == [48, 32]
    with Image.open(folder / "handle_0.png") as mask:
        assert mask.mode == "1"


def test_a_picture_without_pairs_is_kept_too(tmp_path: Path, picture: Image.Image):
    image, pairs = load_regions(save_regions(tmp_path / "none.zip", picture, []))
    assert image.size == SIZE
    assert len(pairs) == 0


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_the_mode_of_the_picture_is_kept(mode: str, tmp_path: Path, picture: Image.Image, pairs: RegionPairs):
    image, _ = load_regions(save_regions(tmp_path / "s.zip", picture.convert(mode), pairs))
    assert image.mode == mode
    assert np.array_equal(np.asarray(image), np.asarray(picture.convert(mode)))


def test_a_cmyk_picture_is_saved_as_rgb(tmp_path: Path, picture: Image.Image, pairs: RegionPairs):
    image, _ = load_regions(save_regions(tmp_path / "s.zip", picture.convert("CMYK"), pairs))
    assert image.mode == "RGB"


@pytest.mark.parametrize("shape", [(32, 48), (32, 48, 3), (32, 48, 4)])
def test_an_array_may_be_the_picture(shape: tuple[int, ...], tmp_path: Path, pairs: RegionPairs):
    array = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    image, _ = load_regions(save_regions(tmp_path / "s.zip", array, pairs))
    assert np.array_equal(np.asarray(image), array)


def test_a_picture_lying_on_its_side_is_saved_upright(
    tmp_path: Path, picture: Image.Image, pairs: RegionPairs
):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to look at it
    buffer = io.BytesIO()
    picture.transpose(Image.Transpose.ROTATE_90).save(buffer, format="PNG", exif=exif)
    image, _ = load_regions(save_regions(tmp_path / "s.zip", Image.open(buffer), pairs))
    assert np.array_equal(np.asarray(image), np.asarray(picture))


def test_saving_again_replaces(saved: Path, picture: Image.Image, pairs: RegionPairs):
    save_regions(saved, picture, pairs[1:2])
    assert load_regions(saved)[1] == pairs[1:2]


def test_masks_touched_by_a_paint_program_are_read(saved: Path, pairs: RegionPairs):
    mask = Image.fromarray(pairs[0].handle.astype(np.uint8) * 255).convert("RGB")
    assert load_regions(rewrite(saved, with_file("handle_0.png", png(mask))))[1] == pairs


@pytest.fixture
def protect() -> np.ndarray:
    mask = np.zeros((32, 48), dtype=bool)
    mask[20:, :12] = True
    return mask


@pytest.mark.parametrize("name", ["session", "session.zip"])
def test_a_protect_mask_is_kept(
    name: str, tmp_path: Path, picture: Image.Image, pairs: RegionPairs, protect: np.ndarray
):
    path = save_regions(tmp_path / name, picture, pairs, protect=protect)
    assert np.array_equal(load_protect(path), protect)
    assert load_regions(path)[1] == pairs


def test_without_a_protect_mask_there_is_none(saved: Path):
    assert load_protect(saved) is None


def test_a_protect_mask_of_an_earlier_save_is_not_brought_back(
    tmp_path: Path, picture: Image.Image, pairs: RegionPairs, protect: np.ndarray
):
    folder = save_regions(tmp_path / "session", picture, pairs, protect=protect)
    save_regions(folder, picture, pairs, protect=np.zeros_like(protect))
    assert load_protect(folder) is None


# --- what is refused


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (with_index(protect="../protect.png"), "only plain names"),
        (with_index(protect=1), "only plain names"),
        (with_index(protect="protect.png"), "protect.png is missing"),
        (with_index(protect="regions.json"), "not a readable PNG"),
    ],
)
def test_a_damaged_protect_mask_is_refused(
    saved: Path, change: Callable[[dict[str, bytes]], object], says: str
):
    with pytest.raises(ValueError, match=says):
        load_protect(rewrite(saved, change))


def test_a_protect_mask_of_another_size_is_refused(
    tmp_path: Path, picture: Image.Image, pairs: RegionPairs, protect: np.ndarray
):
    with pytest.raises(ValueError, match="protect is 40x32 but the picture is 48x32"):
        save_regions(tmp_path / "s.zip", picture, pairs, protect=protect[:, :40])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda content: content.pop("regions.json"), "regions.json is missing"),
        (lambda content: content.pop("target_0.png"), "target_0.png is missing"),
        (lambda content: content.pop("image.png"), "image.png is missing"),
        (with_file("regions.json", b"{"), "not JSON"),
        (with_file("regions.json", b"\xff\xfe\xfa"), "not JSON"),
        (with_file("regions.json", b"[" * 100_000), "not JSON"),
        (with_file("regions.json", b"[]"), "no version"),
        (with_file("regions.json", b" " * 4_000_001), "larger than the 4000000 bytes"),
        (with_index(version=99), "version 99: upgrade regiondrag_widget"),
        (with_index(size=None), "no size"),
        (with_index(size=[48.0, 32]), "no size"),
        (
            with_index(size=[60000, 60000]),
            "too large: 60000x60000 px",
        ),
        (with_index(size=[48, 33]), "image.png is 48x32 but regions.json says 48x33"),
        (with_index(pairs={}), "needs a list"),
        (with_index(pairs=["x"]), "needs a list"),
        (with_index(pairs=[{}] * 513), "at most 512 pairs"),
        (with_index(image="../secret.png"), "only plain names"),
        (with_pair(handle="/etc/passwd"), "only plain names"),
        (with_pair(handle="..\\secret.png"), "only plain names"),
        (with_pair(handle=None), "only plain names"),
        (with_pair(matrix=[[1, 2], [3, 4]]), "pair 0 in regions.json cannot be used: matrix has shape"),
        (with_pair(matrix="x"), "pair 0 in regions.json cannot be used"),
        (with_pair(name=5), "pair 0 in regions.json cannot be used: name must be a string"),
        (with_file("image.png", b"no picture"), "image.png is not a readable PNG"),
        (with_file("handle_0.png", png(Image.new("1", SIZE))[:40]), "handle_0.png is not a readable PNG"),
        (with_file("handle_0.png", png(Image.new("1", (5, 5), 1))), "handle_0.png is 5x5"),
        (with_file("handle_0.png", png(Image.new("1", SIZE))), "handle is empty"),
        (with_file("handle_0.png", png(Image.new("L", SIZE, 99))), "handle_0.png holds other values"),
        (with_file("image.png", bytes(2_000_000)), "image.png is larger than"),
    ],
)
def test_damaged_saves_are_refused(saved: Path, change: Callable[[dict[str, bytes]], object], says: str):
    with pytest.raises(ValueError, match=says):
        load_regions(rewrite(saved, change))


def test_a_picture_of_another_size_than_its_regions_is_refused(tmp_path: Path, pairs: RegionPairs):
    with pytest.raises(ValueError, match="the picture is 40x32 but its regions are 48x32"):
        save_regions(tmp_path / "s.zip", Image.new("RGB", (40, 32)), pairs)
    assert list(tmp_path.iterdir()) == []


def test_a_picture_that_is_none_is_refused(tmp_path: Path, pairs: RegionPairs):
    with pytest.raises(ValueError, match="give a PIL image"):
        save_regions(tmp_path / "s.zip", np.zeros((32, 48), dtype=np.float32), pairs)


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path, picture: Image.Image, pairs: RegionPairs):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match="already holds other files: give a new folder"):
        save_regions(tmp_path, picture, pairs)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_the_place_of_the_folder_is_left_alone(
    tmp_path: Path, picture: Image.Image, pairs: RegionPairs
):
    (tmp_path / "session").write_text("mine")
    with pytest.raises(ValueError, match="is a file: give a folder"):
        save_regions(tmp_path / "session", picture, pairs)
    assert (tmp_path / "session").read_text() == "mine"


def test_nothing_there_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="does not exist: give the folder"):
        load_regions(tmp_path / "nowhere.zip")


def test_a_file_that_is_no_zip_is_refused(tmp_path: Path):
    (tmp_path / "s.zip").write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"not a readable \.zip"):
        load_regions(tmp_path / "s.zip")


def test_a_damaged_archive_is_refused(tmp_path: Path, picture: Image.Image, pairs: RegionPairs):
    path = save_regions(tmp_path / "s.zip", picture, pairs)
    data = bytearray(path.read_bytes())
    data[60:120] = bytes(60)  # inside the first file's compressed bytes
    path.write_bytes(data)
    with pytest.raises(ValueError, match="damaged"):
        load_regions(path)


def test_an_archive_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, picture: Image.Image, pairs: RegionPairs
):
    path = save_regions(tmp_path / "s.zip", picture, pairs)
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content["image.png"] = bytes(50_000_000)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    with pytest.raises(ValueError, match=r"image.png is larger than the \d+ bytes"):
        load_regions(path)


def test_a_failing_write_keeps_the_earlier_save(
    tmp_path: Path, picture: Image.Image, pairs: RegionPairs, monkeypatch: pytest.MonkeyPatch
):
    path = save_regions(tmp_path / "s.zip", picture, pairs)

    def full_disk(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full_disk)
    with pytest.raises(OSError, match="No space left"):
        save_regions(path, picture, pairs[:1])
    assert os.listdir(tmp_path) == ["s.zip"]
    monkeypatch.undo()
    assert load_regions(path)[1] == pairs


def test_more_pairs_than_can_be_loaded_are_not_saved(
    tmp_path: Path, picture: Image.Image, pairs: RegionPairs, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(files_module, "MAX_PAIRS", 2)
    with pytest.raises(ValueError, match="3 pairs are more than 2"):
        save_regions(tmp_path / "s.zip", picture, pairs)


def test_names_too_long_to_be_loaded_again_are_not_saved(
    tmp_path: Path, picture: Image.Image, pairs: RegionPairs
):
    named = [RegionPair(pair.handle, pair.target, pair.matrix, name="x" * 2_000_000) for pair in pairs]
    with pytest.raises(ValueError, match="give the pairs shorter names"):
        save_regions(tmp_path / "s.zip", picture, named)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["s.zip", "s"])
def test_what_a_pair_carries_comes_back(tmp_path: Path, picture: Image.Image, pairs: RegionPairs, name: str):
    handle, target = pairs[0].handle, pairs[0].target
    part = handle.copy()
    part[:, :9] = False
    carries = [None, "object", "painted", part]
    saved = [RegionPair(handle, target, carry=carry) for carry in carries]
    assert load_regions(save_regions(tmp_path / name, picture, saved))[1] == saved


def test_a_carry_mask_that_leaves_the_handle_is_refused(saved: Path):
    rewrite(saved, with_pair(carry_mask="target_0.png"))
    with pytest.raises(ValueError, match=r"pair 0 in regions\.json cannot be used: carry mask leaves"):
        load_regions(saved)


# --- deformations


@pytest.fixture
def deformed() -> RegionPairs:
    handle = np.zeros((32, 48), dtype=bool)
    handle[10:20, 5:25] = True
    x, y = np.meshgrid(np.arange(48), np.arange(32))
    return RegionPairs(
        [
            RegionPair.bend(handle, [(7, 15), (15, 15), (22, 15)], [(7, 15), (15, 14), (24, 10)], name="arm"),
            RegionPair.warp(handle, np.stack([x - 6 - y / 9, y - 3 * np.sin(x / 8)], axis=-1)),
            RegionPair(handle, handle),
        ]
    )


@pytest.mark.parametrize("name", ["session", "session.zip"])
def test_bends_and_dense_maps_come_back(
    tmp_path: Path, picture: Image.Image, deformed: RegionPairs, name: str
):
    saved = save_regions(tmp_path / name, picture, deformed)
    assert load_regions(saved)[1] == deformed


def test_only_what_needs_it_is_written_as_the_new_version(saved: Path, tmp_path: Path, deformed: RegionPairs):
    picture, pairs = load_regions(saved)
    for given, version in ((pairs, 1), (deformed, 2)):
        path = save_regions(tmp_path / f"v{version}", picture, given)
        assert json.loads((path / "regions.json").read_text())["version"] == version


@pytest.mark.parametrize(
    ("number", "field", "value", "words"),
    [
        (0, "bend", [1, 2], "its bend is no object"),
        (0, "bend", {"from": [[1, 2]], "to": [[1, 2], [3, 4]]}, "1 from_points but 2 to_points"),
        (0, "bend", {"from": [[1, "x"]], "to": [[1, 2]]}, "not numbers"),
        (0, "bend", {"from": [[1, 2]], "to": [[1, 2]], "matrix": 3}, "matrix"),
        (1, "map", {"file": "map_1.f32"}, "no box"),
        (1, "map", {"file": "map_1.f32", "box": [0, 0, 49, 32]}, "outside its 48x32 pixels"),
        (1, "map", {"file": "map_1.f32", "box": [0, 0, 48, 32]}, "cut short"),
        (1, "map", {"file": "map_1.f32", "box": [0, 0, 2, 2]}, "larger than the 32 bytes"),
        (1, "map", {"file": "../x.f32", "box": [0, 0, 2, 2]}, "only plain names"),
        (1, "map", {"file": "gone.f32", "box": [0, 0, 2, 2]}, "gone.f32 is missing"),
        (1, "map", {"box": [0, 0, 2, 2]}, "only plain names"),
    ],
)
def test_a_damaged_deformation_is_refused(
    tmp_path: Path,
    picture: Image.Image,
    deformed: RegionPairs,
    number: int,
    field: str,
    value: object,
    words: str,
):
    path = save_regions(tmp_path / "session", picture, deformed)
    index = json.loads((path / "regions.json").read_text())
    index["pairs"][number][field] = value
    (path / "regions.json").write_text(json.dumps(index))
    with pytest.raises(ValueError, match=words):
        load_regions(path)


# --- whole or not at all


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("step", range(1, 6))
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=str)
def test_a_folder_is_saved_whole_or_stays_as_it_was(
    step: int,
    error: BaseException,
    tmp_path: Path,
    picture: Image.Image,
    pairs: RegionPairs,
    monkeypatch: pytest.MonkeyPatch,
):
    """Whichever of its writes fails, the earlier save loads, bit for bit."""
    folder = save_regions(tmp_path / "session", picture, pairs)
    (folder / "notes.txt").write_text("mine")
    before = contents(folder)
    calls = 0
    whole = container.write_whole_bytes

    def failing(path: Path, data: bytes) -> object:
        nonlocal calls
        calls += 1
        if calls == step:
            raise error
        return whole(path, data)

    monkeypatch.setattr(container, "write_whole_bytes", failing)
    changed = ImageOps.invert(picture.convert("RGB"))
    with pytest.raises(type(error)):
        save_regions(folder, changed, pairs[::-1])
    assert contents(folder) == before
    monkeypatch.undo()
    save_regions(folder, changed, pairs[::-1])
    assert load_regions(folder)[1] == pairs[::-1]
    assert (folder / "notes.txt").read_text() == "mine"
    assert len(contents(folder)) == len(before) == 6, "files of the earlier save are left over"


def test_a_new_folder_that_cannot_be_filled_is_not_left_behind(
    tmp_path: Path, picture: Image.Image, pairs: RegionPairs, monkeypatch: pytest.MonkeyPatch
):
    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(container, "write_whole_bytes", full_disk)
    with pytest.raises(OSError, match="No space left"):
        save_regions(tmp_path / "session", picture, pairs)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_a_private_save_stays_private(tmp_path: Path, picture: Image.Image, pairs: RegionPairs):
    for path in (
        save_regions(tmp_path / "s", picture, pairs),
        save_regions(tmp_path / "s.zip", picture, pairs),
    ):
        files = [path] if path.is_file() else list(path.iterdir())
        for file in files:
            file.chmod(0o600)
        save_regions(path, picture, pairs[:1])
        files = [path] if path.is_file() else list(path.iterdir())
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipes_are_neither_read_nor_written(tmp_path: Path, picture: Image.Image, pairs: RegionPairs):
    os.mkfifo(tmp_path / "pipe.zip")
    with pytest.raises(ValueError, match="is a pipe or a device"):
        load_regions(tmp_path / "pipe.zip")
    with pytest.raises(OSError, match="is a pipe or a device and is left alone"):
        save_regions(tmp_path / "pipe.zip", picture, pairs)
    folder = save_regions(tmp_path / "session", picture, pairs)
    (folder / "image.png").unlink()
    os.mkfifo(folder / "image.png")
    with pytest.raises(ValueError, match=r"image\.png in .* is not a file"):
        load_regions(folder)


def test_a_pairs_name_is_no_file_of_the_save(tmp_path: Path, picture: Image.Image, pairs: RegionPairs):
    named = [RegionPair(pairs[0].handle, pairs[0].target, name="notes.png")]
    folder = save_regions(tmp_path / "session", picture, named)
    (folder / "notes.png").write_bytes(b"mine")
    save_regions(folder, picture, pairs)
    assert (folder / "notes.png").read_bytes() == b"mine"


def test_masks_that_are_equal_are_written_and_held_once(
    tmp_path: Path, picture: Image.Image, pairs: RegionPairs
):
    same = [RegionPair(pairs[0].handle, pairs[0].target, name=str(number)) for number in range(200)]
    path = save_regions(tmp_path / "s.zip", picture, same)
    with zipfile.ZipFile(path) as archive:
        assert sorted(archive.namelist()) == ["handle_0.png", "image.png", "regions.json", "target_0.png"]
    loaded = load_regions(path)[1]
    assert loaded == same
    assert len({id(pair._handle) for pair in loaded}) == 1


def test_masks_that_take_too_much_memory_are_refused(saved: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(archive_parts, "MAX_MASK_BYTES", 20)
    with pytest.raises(ValueError, match=r"the masks take more than .* MB packed: save fewer pairs"):
        load_regions(saved)


def test_an_archive_of_very_many_files_is_refused_before_its_list_is_read(tmp_path: Path):
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("regions.json", "{}")
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\5\6")
    data[at + 12 : at + 16] = (200_000_000).to_bytes(4, "little")
    path.write_bytes(bytes(data))
    with pytest.raises(ValueError, match="holds more than 16384 files"):
        load_regions(path)


def test_a_name_that_is_no_text_is_not_saved(tmp_path: Path, picture: Image.Image, pairs: RegionPairs):
    named = RegionPair(pairs[0].handle, pairs[0].target, name="duck \ud83e")
    with pytest.raises(ValueError, match="the pair's name contains half a character"):
        save_regions(tmp_path / "s", picture, named)
    assert not list(tmp_path.iterdir())
