"""The book of rules in SQLite keeps the contract."""

from collections.abc import Callable
from pathlib import Path

import pytest

from palate.rules.protocol import RuleBook
from palate.rules.sqlite import SqliteRules
from palate.testing.rule_book import RuleBookContract


class TestSqliteRules(RuleBookContract):
    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Callable[[], RuleBook]:
        return lambda: SqliteRules(tmp_path / "rules.db")
