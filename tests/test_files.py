from __future__ import annotations

import io
import os
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

from poselift.errors import DataError
from poselift.files import (
    atomic_path,
    read_arrays,
    read_bytes,
    silent_stderr,
    write_bytes,
    write_text,
)


def test_writes_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "a folder" / "ö.txt"
    write_text(path, "één\n")
    write_text(path, "två\r\n")
    assert path.read_bytes() == "två\r\n".encode()
    assert list(path.parent.iterdir()) == [path]


def test_an_error_in_the_middle_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"

    def fail() -> None:
        with atomic_path(path) as temporary:
            temporary.write_bytes(b"half")
            assert temporary.parent == tmp_path
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_an_error_in_the_middle_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def fill_the_disk() -> None:
        with atomic_path(path) as temporary:
            temporary.write_bytes(b"half")
            raise OSError(28, "No space left on device")

    with pytest.raises(DataError, match=r"a\.bin: cannot be written \(no space left on device\)"):
        fill_the_disk()
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"old"


def test_the_temporary_file_keeps_the_extension(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a.npz") as temporary:
        assert temporary.suffix == ".npz"
        temporary.touch()


def test_the_new_file_has_ordinary_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_bytes(tmp_path / "ours", b"")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_bytes(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    places = [
        tmp_path,  # a folder
        tmp_path / "file" / "a.npz",  # its folder is a file
        tmp_path / ("x" * 300),  # longer than a name may be
        tmp_path / "a\0b",
        "/dev/null",
        "",
    ]
    for place in places:
        with pytest.raises(DataError) as error:
            write_bytes(place, b"data")
        assert "\n" not in str(error.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file"]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_protected_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may write anywhere, so the answer of the system is pretended.
    protected = tmp_path / "protected"
    protected.mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != protected.resolve())
    with pytest.raises(DataError, match="its folder cannot be written; choose another folder"):
        write_bytes(protected / "a.npz", b"data")
    (tmp_path / "a.npz").touch()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(DataError, match="is write-protected"):
        write_bytes(tmp_path / "a.npz", b"data")


def test_reading_what_is_not_there(tmp_path: Path) -> None:
    for read in (read_bytes, read_arrays):
        for path in (tmp_path / "none", tmp_path, tmp_path / "a\0b"):
            with pytest.raises(DataError, match="cannot be read"):
                read(path)


def test_read_arrays_refuses_all_that_is_not_npz(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    whole = io.BytesIO()
    np.savez_compressed(whole, joints=np.arange(1000.0))
    pickled = io.BytesIO()
    np.savez(pickled, joints=np.array([{}], dtype=object))
    single = io.BytesIO()
    np.save(single, np.zeros(3))
    claims = io.BytesIO()  # a header that claims more than any memory holds
    with zipfile.ZipFile(claims, "w") as archive:
        header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (%d,)}\n" % 10**15
        size = len(header).to_bytes(2, "little")
        archive.writestr("joints.npy", b"\x93NUMPY\x01\x00" + size + header)
    damaged = bytearray(whole.getvalue())
    damaged[60:80] = b"\xff" * 20
    cases = (b"", b"text", whole.getvalue()[:-30], bytes(damaged), pickled.getvalue(),
             single.getvalue(), claims.getvalue())  # fmt: skip
    for content in cases:
        path.write_bytes(content)
        with pytest.raises(DataError, match="npz file"):
            read_arrays(path)
    path.write_bytes(whole.getvalue())
    np.testing.assert_array_equal(read_arrays(path)["joints"], np.arange(1000.0))


def test_two_threads_that_silence_stderr_leave_it_as_it_was(
    capfd: pytest.CaptureFixture[str],
) -> None:
    inside, leave = threading.Event(), threading.Event()

    def silence() -> None:
        with silent_stderr():
            inside.set()
            leave.wait(9)

    other = threading.Thread(target=silence)
    with silent_stderr():
        other.start()
        assert not inside.wait(0.1)
    leave.set()
    other.join()
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"
