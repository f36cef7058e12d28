import pytest

from palate.errors import BadInput
from palate.serving.launch import check_binding, is_loopback
from palate.settings import ServingSettings


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_key(host: str) -> None:
    check_binding(ServingSettings(host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.org"])  # noqa: S104
def test_the_world_needs_a_key(host: str) -> None:
    with pytest.raises(BadInput, match="without an API key"):
        check_binding(ServingSettings(host=host))
    check_binding(ServingSettings(host=host, api_keys=("secret",)))


def test_a_name_is_not_taken_for_loopback() -> None:
    assert not is_loopback("127.0.0.1.example.org")
