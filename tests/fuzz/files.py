"""Damaged picture files and saved sessions: each is read, or refused in one sentence."""

from __future__ import annotations

import io
import json
import random
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin, features

import regiondrag_widget as rd
from regiondrag_widget.engine.result import EditResult
from regiondrag_widget.imaging.mask_file import load_mask
from regiondrag_widget.imaging.picture import load_picture
from regiondrag_widget.regions.archive import load_protect, load_regions
from regiondrag_widget.widget.encode import encode_for_display
from regiondrag_widget.widget.session_file import load_session
from tests.fuzz.mutate import damaged, mutated
from tests.fuzz.outcome import Outcome, held_memory

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


def fuzz_archives(count: int, seed: int = 0) -> Outcome:
    """Load ``count`` saved sessions, each damaged in its bytes, its index, a picture or its list of files."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "session.zip"
        _save_session(path)
        with zipfile.ZipFile(path) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        whole = path.read_bytes()

        def one() -> None:
            path.write_bytes(_damaged_session(rng, parts, whole))
            session = load_session(path)
            assert session.picture.image.size == (96, 72)
            load_regions(path)
            load_protect(path)

        return _fuzz("session archives", count, one)


def fuzz_pictures(count: int, seed: int = 0) -> Outcome:
    """Read ``count`` damaged picture files, as pictures and as masks; what is read is shown and saved."""
    rng = random.Random(seed)
    files = _pictures()
    folder = tempfile.TemporaryDirectory()
    saved = Path(folder.name) / "out"

    def one() -> None:
        data = damaged(rng, rng.choice(files))
        if rng.random() < 0.3:
            mask = load_mask(data, (96, 72))
            assert mask.shape == (72, 96)
            assert mask.dtype == bool
        else:
            picture = load_picture(data)
            assert picture.rgb.dtype == np.uint8
            image = picture.to_pil()
            encode_for_display(image)
            result = EditResult(image, image, {"prompt": "a gull"}, {"total": 1.0}, seed=1)
            result._repr_html_()
            suffix = rng.choice([".png", ".webp", ".tif"] + [".jpg"] * (image.mode == "RGB"))
            assert load_picture(result.save(saved.with_suffix(suffix))).size == picture.size

    with folder:
        return _fuzz("pictures", count, one)


def _fuzz(what: str, count: int, one: Callable[[], None]) -> Outcome:
    outcome = Outcome(what)
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(count):
            if number == count // 10:
                outcome.before = held_memory()
            outcome.done += 1
            try:
                one()
            except ValueError as error:
                outcome.refused += 1
                if "\n" in str(error) or not str(error):
                    outcome.escaped(number, f"no sentence: {error!r}")
            except Exception as error:
                outcome.escaped(number, error)
    outcome.after = held_memory()
    outcome.seconds = time.perf_counter() - began
    return outcome


def _save_session(path: Path) -> None:
    """A session with two pairs, a protect mask and a result."""
    y, x = np.mgrid[0:72, 0:96]
    image = Image.fromarray(np.stack([x * 2, y * 3, x + y], -1).astype(np.uint8))
    handle = (x - 25) ** 2 + (y - 30) ** 2 < 12**2
    pairs = [rd.RegionPair.move(handle, 20, 5, name="gull"), rd.RegionPair(handle, np.roll(handle, 30, 1))]
    rd.save_regions(path, image, pairs, protect=y > 65)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    index = json.loads(parts["regions.json"])
    result = {
        "run": 1, "size": index["size"], "image": "result_0.png", "before": "image.png", "name": "gull.png",
        "pairs": index["pairs"], "protect": index["protect"], "asked": {"seed": 3}, "settings": {"seed": 3},
        "made_with": {"seed": 3}, "seed": 3, "seconds": 1.5, "timings": {"total": 1.5},
        "notes": ["gull: all"],
    }  # fmt: skip
    index |= {"name": "gull.png", "settings": {"seed": 3, "matte": "auto"}, "results": [result], "shown": 0}
    _write(path, {**parts, "result_0.png": parts["image.png"], "regions.json": json.dumps(index).encode()})


def _write(path: Path | io.BytesIO, parts: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> None:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", method) as archive:
        warnings.simplefilter("ignore")  # of a name that is there twice
        for name, data in parts.items():
            archive.writestr(name, data)


def _damaged_session(rng: random.Random, parts: dict[str, bytes], whole: bytes) -> bytes:
    action = rng.random()
    if action < 0.3:
        return damaged(rng, whole)
    parts = dict(parts)
    if action < 0.7:
        index = mutated(rng, json.loads(parts["regions.json"]), rng.choice([1, 1, 2, 4]))
        text = json.dumps(index, default=lambda value: "odd", ensure_ascii=rng.random() < 0.5)
        parts["regions.json"] = text.encode("utf-8", "surrogatepass")
    elif action < 0.75:
        parts["regions.json"] = damaged(rng, parts["regions.json"])
    elif action < 0.9:
        name = rng.choice([name for name in parts if name.endswith(".png")])
        parts[name] = damaged(rng, parts[name])
    elif action < 0.95:
        name = rng.choice(list(parts))
        parts[rng.choice(["../" + name, name + "/", "x.png"])] = parts.pop(name)
    else:
        one, other = rng.sample(sorted(parts), 2)
        parts[one], parts[other] = parts[other], parts[one]
    out = io.BytesIO()
    _write(out, parts, rng.choice(METHODS))
    return out.getvalue()


def _pictures() -> list[bytes]:
    """Small files of every format that is opened, with everything that a file may say."""
    y, x = np.mgrid[0:72, 0:96]
    rgb = Image.fromarray(np.stack([x * 2, y * 3, x + y], -1).astype(np.uint8))
    grey = rgb.convert("L")
    deep = Image.fromarray((x * 600 + y).astype(np.uint16))
    exif = Image.Exif()
    exif[274], exif[315] = 6, "Ada"
    texts = PngImagePlugin.PngInfo()
    texts.add_text("parameters", "a gull")
    texts.add_itxt("Title", "Чайка", zip=True)
    texts.add(b"gAMA", (100000).to_bytes(4, "big"))
    mask = Image.fromarray((x - 40) ** 2 + (y - 30) ** 2 < 300)

    def several() -> dict[str, object]:
        return {"save_all": True, "append_images": [rgb.rotate(180)]}

    kinds: list[tuple[Image.Image, str, dict[str, object]]] = [
        (rgb, "PNG", {"exif": exif, "pnginfo": texts, "dpi": (300, 300)}),
        (rgb.convert("P"), "PNG", {"transparency": 3}),
        (deep, "PNG", {}),
        (rgb.convert("RGBA"), "PNG", {}),
        (rgb, "PNG", several()),
        (mask, "PNG", {}),
        (grey, "JPEG", {"comment": b"by the lake"}),
        (rgb, "JPEG", {"exif": exif, "progressive": True, "xmp": b"<x/>"}),
        (rgb.convert("CMYK"), "JPEG", {}),
        (rgb, "MPO", several()),
        (rgb, "WEBP", {"exif": exif}),
        (rgb, "WEBP", several()),
        (rgb, "TIFF", {"compression": "tiff_lzw"}),
        (deep, "TIFF", {}),
        (rgb, "TIFF", several()),
        (rgb, "BMP", {}),
        (rgb, "GIF", several()),
        (rgb, "PPM", {}),
        (rgb, "TGA", {"compression": "tga_rle"}),
    ]
    if features.check("avif"):
        kinds.append((rgb, "AVIF", {"exif": exif}))
    files = []
    for image, file_format, options in kinds:
        out = io.BytesIO()
        image.copy().save(out, file_format, **options)
        files.append(out.getvalue())
    return files
