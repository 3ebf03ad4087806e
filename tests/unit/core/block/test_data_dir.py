"""Cleaning the data directory."""

from __future__ import annotations

from pathlib import Path

from storegate.block.data_dir import remove_block_folder, remove_other_blocks, remove_temporary_files

ULID = "01M825FHTM0VMQF3DFN1Z2QPXP"
OTHER = "01M825K83KN0E4XPQSMTHJ3FD5"


def write(data_dir: Path, *paths: str) -> None:
    for path in paths:
        (data_dir / path).parent.mkdir(parents=True, exist_ok=True)
        (data_dir / path).write_bytes(b"x")


def files(data_dir: Path) -> list[str]:
    return sorted(str(path.relative_to(data_dir)) for path in data_dir.rglob("*") if path.is_file())


def test_folders_of_other_blocks_are_removed(data_dir: Path) -> None:
    write(data_dir, f"{ULID}/index-header", f"{OTHER}/index-header", f"{OTHER}/x.part-3", f"{OTHER}/index-header.tmp")
    remove_other_blocks(data_dir, {ULID})
    assert files(data_dir) == [f"{ULID}/index-header"]
    assert not (data_dir / OTHER).exists()


def test_nothing_else_is_touched(data_dir: Path) -> None:
    kept = [f"meta-syncer/{OTHER}/meta.json", "notes.tmp", f"{OTHER.lower()}/index-header", "x/index-header"]
    write(data_dir, *kept)
    remove_other_blocks(data_dir, set())
    remove_temporary_files(data_dir)
    assert files(data_dir) == sorted(kept)


def test_a_data_directory_that_is_a_bucket_loses_no_block(data_dir: Path) -> None:
    kept = [f"{ULID}/{path}" for path in ("chunks/000001", "index", "meta.json")]
    write(data_dir, *kept, f"{ULID}/index-header")
    remove_other_blocks(data_dir, set())
    assert files(data_dir) == sorted(kept)


def test_a_symlink_is_not_followed(data_dir: Path, tmp_path: Path) -> None:
    write(tmp_path, "elsewhere/index-header")
    data_dir.mkdir()
    (data_dir / ULID).symlink_to(tmp_path / "elsewhere")
    remove_other_blocks(data_dir, set())
    assert (tmp_path / "elsewhere/index-header").exists()


def test_half_written_files_are_removed(data_dir: Path) -> None:
    write(data_dir, f"{ULID}/index-header", f"{ULID}/index-header.tmp", f"{ULID}/0f3a.part-12")
    remove_temporary_files(data_dir)
    assert files(data_dir) == [f"{ULID}/index-header"]


def test_what_does_not_exist_is_clean(data_dir: Path) -> None:
    remove_other_blocks(data_dir, set())
    remove_temporary_files(data_dir)
    remove_block_folder(data_dir / ULID)
    assert not data_dir.exists()
