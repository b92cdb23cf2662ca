from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from functions import csvdata, orders

ROW = {"id": "O-0001", "sku": "lamp", "quantity": "3", "price": "34.90", "country": "DE"}


def test_an_order_is_counted_in_whole_cents() -> None:
    checked = orders.check_order(orders.Order.model_validate(ROW))
    assert checked == {
        "id": "O-0001",
        "sku": "lamp",
        "quantity": 3,
        "country": "DE",
        "amount_cents": 10_470,  # 3 x 34.90
    }


@pytest.mark.parametrize(
    "change",
    [{"id": "1"}, {"quantity": "-1"}, {"price": "1.999"}, {"country": "XX"}, {"note": "x"}],
    ids=lambda change: next(iter(change)),
)
def test_an_order_that_does_not_fit_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        orders.Order.model_validate(ROW | change)


def test_loading_the_same_orders_again_changes_nothing(tmp_path: Path) -> None:
    database = str(tmp_path / "new" / "orders.sqlite")
    checked = orders.check_order(orders.Order.model_validate(ROW))
    assert [orders.load_orders(database, [checked]) for _ in range(2)] == [1, 1]
    assert orders.revenue(database) == [{"country": "DE", "orders": 1, "amount_cents": 10_470}]
    for _ in range(2):
        orders.drop_database(database)
    assert not Path(database).exists()


def test_profile_finds_the_narrowest_type(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("n,x,s\n1,1.5,a\n2,2,\n2,3,b\n", encoding="utf-8")
    columns = csvdata.profile(str(table))
    assert [column["type"] for column in columns] == ["integer", "number", "text"]
    assert columns[2] == {
        "name": "s",
        "type": "text",
        "empty": 1,
        "distinct": 2,
        "most_common": "a",
    }


def test_a_table_without_rows_has_no_columns(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n", encoding="utf-8")
    assert csvdata.profile(str(tmp_path / "t.csv")) == []
