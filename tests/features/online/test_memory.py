import pytest

from palate.features.online.memory import MemoryOnline
from palate.testing.online_store import Empty, OnlineStoreContract


class TestMemoryOnline(OnlineStoreContract):
    @pytest.fixture
    def empty(self) -> Empty:
        return MemoryOnline
