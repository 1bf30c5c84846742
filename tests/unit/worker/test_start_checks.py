"""What a worker needs of its host is found out before it does anything else, and told in one line."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from ports import free_port

from streamapp.loopback import is_loopback
from streamapp.settings import SettingsError
from streamapp.worker.host import check_directory, check_port


def complaint_of_port(bind: str, port: int) -> str:
    with pytest.raises(SettingsError) as raised:
        check_port(bind, port)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("bind", ["127.0.0.1", "localhost", "0.0.0.0"])
def test_a_port_that_is_taken_is_told_with_its_setting(bind: str) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as server:
        port = server.getsockname()[1]
        told = complaint_of_port(bind, port)
    assert told.startswith(f"STREAMAPP_WEB_PORT={port} at STREAMAPP_WEB_BIND={bind} is taken")


def test_a_port_that_was_left_just_now_is_free() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            server.accept()[0].close()
    check_port("127.0.0.1", port)


def test_an_address_of_another_host_is_told() -> None:
    assert "set another STREAMAPP_WEB_BIND" in complaint_of_port("192.0.2.1", free_port())


def test_a_name_that_is_none_is_told() -> None:
    assert complaint_of_port("no-such-host.invalid", 1).startswith(
        "STREAMAPP_WEB_BIND=no-such-host.invalid is no address"
    )


def test_a_directory_is_made_and_the_check_whether_it_is_writable_leaves_nothing(tmp_path: Path) -> None:
    check_directory(tmp_path / "a" / "b", tmp_path / "a" / "b" / "tables", written=True)
    assert list((tmp_path / "a" / "b" / "tables").iterdir()) == []


def complaint_of_directory(path: Path) -> str:
    with pytest.raises(SettingsError) as raised:
        check_directory(path, path / "v1" / "tables", written=True)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_file_in_the_place_of_a_directory_is_told(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_text("")
    assert complaint_of_directory(file).startswith(f"STREAMAPP_DATADIR={file} cannot be written (")
    assert complaint_of_directory(file / "below").endswith(": Not a directory")


def test_a_file_in_the_place_of_what_is_below_the_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "v1").write_text("")
    assert f"({tmp_path / 'v1'}" in complaint_of_directory(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_must_not_be_written_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        assert complaint_of_directory(tmp_path / "data").endswith(": Permission denied")
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("[::1]", True),
        ("::1%lo", True),
        ("::ffff:127.0.0.1", True),
        ("::", False),
        ("0.0.0.0", False),
        ("fe80::1%eth0", False),
        ("::ffff:10.0.0.1", False),
        ("worker-1", False),
    ],
)
def test_what_only_this_host_reaches_is_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
