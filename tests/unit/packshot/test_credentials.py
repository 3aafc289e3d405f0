import shutil
from pathlib import Path

import grpc
import pytest

from packshot.client import tls_credentials
from tests.helpers.authority import Authority, Certificate


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def own(authority: Authority) -> Certificate:
    return authority.certificate("me.example")


def test_files_become_credentials(authority: Authority, own: Certificate) -> None:
    assert isinstance(tls_credentials(authority.ca_file, own.file, own.key_file), grpc.ChannelCredentials)


def test_certificate_and_key_may_be_in_one_file(own: Certificate) -> None:
    own.file.write_bytes(own.pem + own.key)
    assert isinstance(tls_credentials(cert_file=own.file), grpc.ChannelCredentials)


def test_a_key_alone_is_of_no_use(own: Certificate) -> None:
    with pytest.raises(ValueError, match="of no use without its certificate"):
        tls_credentials(key_file=own.key_file)


def test_a_key_of_another_certificate_is_named(authority: Authority, own: Certificate) -> None:
    shutil.copy(authority.certificate("other.example").key_file, own.key_file)
    with pytest.raises(ValueError, match=r"me\.example\.pem and .*me\.example\.key are no certificate and its"):
        tls_credentials(cert_file=own.file, key_file=own.key_file)


def test_files_that_are_none_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"gone\.pem cannot be read: No such file"):
        tls_credentials(tmp_path / "gone.pem")
    (tmp_path / "text.pem").write_text("hello")
    with pytest.raises(ValueError, match=r"text\.pem holds no certificates"):
        tls_credentials(tmp_path / "text.pem")
