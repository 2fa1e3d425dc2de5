import csv
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from invbi_pipeline.sandbox.contract import Account, ItemSpec, Line
from invbi_pipeline.sandbox.erp import ErpAccount, NoShopError
from invbi_pipeline_tests.sandbox.serving import HandClock

_START = datetime(2026, 9, 18, 11, 0, tzinfo=UTC)


@dataclass
class Erp:
    folder: Path
    clock: HandClock = field(default_factory=lambda: HandClock(_START))
    account: ErpAccount = field(init=False)

    def __post_init__(self) -> None:
        self.account = ErpAccount("erp", self.clock, random.Random(1), self.folder)
        self.account.add_location("warehouse", "Warehouse")
        for number in range(20):
            code = self.account.add_item(
                ItemSpec(f"00{number:03d}", "2000000000015", f"Thing {number}, blue", "", {}, 9.0, "GBP")
            )
            self.account.stock(code, "warehouse", 10 + number)
        self.account.exporting = True

    def rows(self, name: str) -> list[dict[str, str]]:
        with (self.folder / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))


@pytest.fixture
def erp(tmp_path: Path) -> Erp:
    return Erp(tmp_path / "erp")


def test_it_is_an_account(erp: Erp) -> None:
    account: Account = erp.account
    assert account.platform == "files"


def test_an_export_is_a_full_snapshot_with_its_time(erp: Erp) -> None:
    erp.account.tick()
    rows = erp.rows("stock.csv")
    assert len(rows) == 20
    assert rows[3] == {"code": "00003", "location": "warehouse", "on_hand": "13", "as_of": "2026-09-18T11:00:00.000+00:00"}
    assert (erp.folder / "stock.csv").stat().st_mtime == _START.timestamp()


def test_it_exports_every_quarter_of_an_hour(erp: Erp) -> None:
    erp.account.tick()
    erp.account.adjust("00001", "warehouse", -3, "damage")
    erp.clock.pass_s(14 * 60)
    erp.account.tick()
    assert erp.rows("stock.csv")[1]["on_hand"] == "11"
    erp.clock.pass_s(60)
    erp.account.tick()
    assert erp.rows("stock.csv")[1]["on_hand"] == "8"


def test_the_movements_add_up_to_the_number(erp: Erp) -> None:
    erp.account.adjust("00001", "warehouse", 5, "receipt")
    erp.account.book_order("00001", "warehouse", -2, "sale", "web", "900", "900/1/77")
    erp.account.count("00001", "warehouse", 12)
    erp.account.export()
    moved = erp.rows("movements.csv")
    assert [row["units"] for row in moved] == ["5", "-2", "-2"]
    assert (moved[1]["order_id"], moved[1]["source"]) == ("900", "web")
    assert moved[1]["reference"] == "web/900/1/77"
    assert moved[2]["counted"] == "12"
    assert erp.account.number("00001", "warehouse") == 12


def test_a_number_typed_over_leaves_no_movement(erp: Erp) -> None:
    erp.account.type_over("00001", "warehouse", 99)
    erp.account.export()
    assert erp.rows("stock.csv")[1]["on_hand"] == "99"
    assert erp.rows("movements.csv") == []


def test_items_are_listed_with_barcode_and_status(erp: Erp) -> None:
    erp.account.set_status("00002", "inactive")
    erp.account.export()
    row = erp.rows("items.csv")[2]
    assert row == {"code": "00002", "barcode": "2000000000015", "title": "Thing 2, blue", "status": "inactive"}


def test_a_truncated_export_lacks_part_of_its_rows(erp: Erp) -> None:
    erp.account.wire.truncate_share = 0.4
    erp.account.export()
    assert len(erp.rows("stock.csv")) == 12


def test_a_mass_zero_export_says_zero_of_everything(erp: Erp) -> None:
    erp.account.wire.mass_zero = True
    erp.account.export()
    assert {row["on_hand"] for row in erp.rows("stock.csv")} == {"0"}


def test_broken_rows_are_in_one_export_only(erp: Erp) -> None:
    erp.account.spoil = 4
    erp.account.export()
    assert sum(not row["on_hand"].isdigit() for row in erp.rows("stock.csv")) == 4
    erp.account.export()
    assert all(row["on_hand"].isdigit() for row in erp.rows("stock.csv"))


def test_files_out_of_reach_are_gone_and_come_back(erp: Erp) -> None:
    erp.account.export()
    erp.account.wire.down = True
    erp.account.export()
    assert not (erp.folder / "stock.csv").exists()
    erp.account.wire.down = False
    erp.account.export()
    assert (erp.folder / "stock.csv").exists()


def test_a_stale_system_exports_nothing_new(erp: Erp) -> None:
    erp.account.export()
    erp.account.wire.stale_since = erp.clock.now()
    erp.clock.pass_s(1800)
    erp.account.tick()
    assert erp.rows("stock.csv")[0]["as_of"] == "2026-09-18T11:00:00.000+00:00"


def test_a_skewed_clock_is_in_every_time_it_states(erp: Erp) -> None:
    erp.account.wire.clock_skew_s = 60
    erp.account.export()
    assert erp.rows("stock.csv")[0]["as_of"] == "2026-09-18T11:01:00.000+00:00"
    assert (erp.folder / "stock.csv").stat().st_mtime == (_START + timedelta(seconds=60)).timestamp()


def test_nobody_shops_in_an_erp(erp: Erp) -> None:
    with pytest.raises(NoShopError):
        erp.account.order([Line("00001", 1)])
    assert erp.account.moved("1") == ()
