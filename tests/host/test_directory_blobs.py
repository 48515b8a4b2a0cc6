"""Files in a directory: whole or absent, the same content once, and clear when there is no room."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import textwrap
from hashlib import sha256
from pathlib import Path

import pytest

from codemation.core.errors import HostError, PayloadLost
from codemation.host.directory_blobs import DirectoryBlobs
from codemation.testing.conformance.crowd import together

CONTENT = bytes(range(256)) * 10_000


@pytest.fixture
def blobs(tmp_path: Path) -> DirectoryBlobs:
    return DirectoryBlobs(tmp_path / "not" / "there" / "yet")


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("content", [b"", b"x", CONTENT])
def test_a_stream_comes_back_as_it_was(blobs: DirectoryBlobs, content: bytes) -> None:
    stored = blobs.put(io.BytesIO(content))
    assert (stored.size, stored.sha256) == (len(content), sha256(content).hexdigest())
    with blobs.open(stored.id) as stream:
        assert stream.read() == content


def test_the_same_content_is_kept_once_in_a_folder(blobs: DirectoryBlobs, tmp_path: Path) -> None:
    ids = {stored.id for stored in together(*[lambda: blobs.put(io.BytesIO(CONTENT))] * 6)}
    (blob,) = ids
    (file,) = files(tmp_path)
    assert file.parts[-2:] == (blob[:2], blob)
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_an_earlier_release_has_put_a_folder_deeper_is_read_and_deleted(
    blobs: DirectoryBlobs, tmp_path: Path
) -> None:
    stored = blobs.put(io.BytesIO(CONTENT))
    (file,) = files(tmp_path)
    deeper = file.parent / stored.id[2:4] / stored.id
    deeper.parent.mkdir()
    file.rename(deeper)
    with blobs.open(stored.id) as stream:
        assert stream.read() == CONTENT
    blobs.remove(stored.id)
    assert files(tmp_path) == []


def test_a_stream_that_breaks_off_leaves_nothing(blobs: DirectoryBlobs, tmp_path: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            if not data:
                raise ConnectionResetError("the sender went away")
            return data

    with pytest.raises(ConnectionResetError):
        blobs.put(Broken(CONTENT))
    assert files(tmp_path) == []


def test_a_writer_that_is_killed_leaves_nothing_that_is_found(blobs: DirectoryBlobs, tmp_path: Path) -> None:
    script = f"""
        import io, os
        from pathlib import Path
        from codemation.host.directory_blobs import DirectoryBlobs
        class Deadly(io.BytesIO):
            def read(self, size=-1):
                data = super().read(size)
                return data or os.kill(os.getpid(), 9)
        DirectoryBlobs(Path({str(tmp_path)!r}) / "not" / "there" / "yet").put(Deadly(b"half"))
    """
    assert subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False).returncode == -9
    (left,) = files(tmp_path)
    assert left.parent.name == "incoming"
    with pytest.raises(PayloadLost):
        blobs.open(sha256(b"half").hexdigest())
    assert blobs.sweep() == 0, "somebody might be writing it"
    os.utime(left, (0, 0))
    assert blobs.sweep() == 1
    assert files(tmp_path) == []


def test_no_room_is_an_error_that_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    script = f"""
        import io, resource, signal
        from pathlib import Path
        from codemation.core.errors import HostError
        from codemation.host.directory_blobs import DirectoryBlobs
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
        blobs = DirectoryBlobs(Path({str(tmp_path)!r}))
        try:
            blobs.put(io.BytesIO(bytes(1_000_000)))
        except HostError as error:
            print(error)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        print(blobs.put(io.BytesIO(bytes(1_000_000))).size)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    assert "no space is left" in done.stdout
    assert "free space there" in done.stdout
    assert done.stdout.endswith("1000000\n")
    assert len(files(tmp_path)) == 1


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(HostError, match=r"cannot be written in .*file"):
        DirectoryBlobs(tmp_path / "file").put(io.BytesIO(b"x"))


def test_a_damaged_file_says_so_at_its_end(blobs: DirectoryBlobs, tmp_path: Path) -> None:
    stored = blobs.put(io.BytesIO(CONTENT))
    (file,) = files(tmp_path)
    file.write_bytes(CONTENT[:-1])
    with blobs.open(stored.id) as stream, pytest.raises(PayloadLost, match="damaged"):
        stream.read()


@pytest.mark.parametrize("name", ["", "..", "../../../etc/passwd", "a/b", "0" * 7, "nul\0" * 4, "0" * 64])
def test_what_is_not_there_or_no_name_is_lost(blobs: DirectoryBlobs, name: str) -> None:
    with pytest.raises(PayloadLost):
        blobs.open(name)


def test_removing_takes_away_one_upload_and_no_other(blobs: DirectoryBlobs) -> None:
    for name in ("upload-one", "upload-two"):
        blobs.write(name, io.BytesIO(CONTENT))
    blobs.remove("upload-one")
    blobs.remove("upload-one")
    with blobs.read("upload-two", sha256(CONTENT).digest()) as stream:
        assert stream.read() == CONTENT
