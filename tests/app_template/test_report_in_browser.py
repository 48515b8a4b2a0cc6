"""The report as a browser shows it: drawn, without a script, and without asking anybody for anything."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app_template import pipeline

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
)
ASKS_BY_ITSELF = (b"google", b"gstatic", b"gvt1")
"""Hosts that the browser looks for on its own account."""


class Listener:
    """A proxy that answers nothing and remembers who was asked for."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.asked: list[bytes] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                self.asked.append(connection.recv(4096).split(b"\r\n")[0])


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """The page of one month, made by the analysis itself."""
    pipeline.write_all(tmp_path, [2])
    return tmp_path / "report.html"


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


def shown(page: Path, listener: Listener, folder: Path) -> str:
    """The page as the browser has made it, with every request sent to the listener."""
    assert CHROMIUM is not None, "chromium is missing: make browser"
    profile = folder / "profile"
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", f"--proxy-server=http://127.0.0.1:{listener.port}"]
    done = subprocess.run(
        [*command, "--dump-dom", page.as_uri()], capture_output=True, text=True, check=True, timeout=90
    )
    return done.stdout


def of_the_page(listener: Listener) -> list[bytes]:
    return [line for line in listener.asked if not any(host in line for host in ASKS_BY_ITSELF)]


def test_a_page_that_asks_somebody_is_noticed(listener: Listener, tmp_path: Path) -> None:
    page = tmp_path / "asks.html"
    page.write_text("<img src='http://elsewhere.invalid/picture.png'>")
    shown(page, listener, tmp_path)
    assert any(b"elsewhere.invalid" in line for line in of_the_page(listener))


def test_the_report_asks_nobody_and_shows_its_answers(report: Path, listener: Listener, tmp_path: Path) -> None:
    page = shown(report, listener, tmp_path)
    assert of_the_page(listener) == []
    assert page.count("<svg") >= 5
    assert page.count("<table") >= 5
    assert "<script" not in page
    assert "late" in page
