"""The CSV files that people keep: typed, and every mistake named by file, row and column."""

from pathlib import Path

import pytest

from invbi_pipeline.config import Config, load_config
from invbi_pipeline.errors import ConfigError
from invbi_pipeline.store.declared_files import read_declared

PLACE = '[systems.till]\nplatform = "square"\nroles = ["counts"]\n[locations.soho]\nkind = "store"\ncounted_by = "till"\n'


def configured(folder: Path, **files: str) -> Config:
    named = "".join(f'{name} = "{name}.csv"\n' for name in files)
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    (folder / "invbi.toml").write_text(
        f'[business]\nname = "x"\n[systems.a]\nplatform = "square"\nroles = ["sells"]\n{PLACE}[policies]\n{named}',
        encoding="utf-8",
    )
    return load_config(folder / "invbi.toml")


def refused(folder: Path, **files: str) -> list[tuple[str, str]]:
    """Where and what of each problem, the path without its folder."""
    with pytest.raises(ConfigError) as caught:
        read_declared(configured(folder, **files))
    assert all(mend for _, _, mend in caught.value.problems)
    return [(where.split("/")[-1], what) for where, what, _ in caught.value.problems]


def test_codes_made_of_digits_stay_text(tmp_path: Path) -> None:
    declared = read_declared(configured(tmp_path, sku_map="system,listing_key,sku,units\na,00123,007,6\n"))
    assert declared.sku_map.row(0) == ("a", "00123", "007", 6)


def test_a_map_without_units_means_one(tmp_path: Path) -> None:
    assert read_declared(configured(tmp_path, sku_map="system,listing_key,sku\na,x,y\n")).sku_map["units"].to_list() == [1]


def test_dates_of_a_flash_sale_are_times(tmp_path: Path) -> None:
    text = "channel,valid_from,valid_to,name,value\na,2026-11-27,2026-11-30T06:00:00Z,buffer,0\n"
    policies = read_declared(configured(tmp_path, policies=text)).policies
    assert [str(v) for v in policies.select("valid_from", "valid_to").row(0)] == [
        "2026-11-27 00:00:00+00:00",
        "2026-11-30 06:00:00+00:00",
    ]


@pytest.mark.parametrize(
    ("zone", "day", "begins"),
    [
        ("Europe/London", "2026-07-01", "2026-06-30 23:00"),
        ("America/New_York", "2026-11-01", "2026-11-01 04:00"),  # the day on which summer time ends
        ("America/New_York", "2026-11-22", "2026-11-22 05:00"),
        ("Asia/Beirut", "2026-03-29", "2026-03-28 22:00"),  # the clocks go from midnight to one
    ],
)
def test_a_date_without_a_time_is_the_businesss_own_midnight(tmp_path: Path, zone: str, day: str, begins: str) -> None:
    configured(tmp_path, policies=f"name,value,valid_from,valid_to\nbuffer,1,{day},\nthreshold,1,,{day}\n")
    path = tmp_path / "invbi.toml"
    path.write_text(path.read_text().replace('name = "x"', f'name = "x"\ntimezone = "{zone}"'))
    policies = read_declared(load_config(path)).policies
    assert [f"{at:%Y-%m-%d %H:%M}" for at in (policies["valid_from"][0], policies["valid_to"][1])] == [begins, begins]


@pytest.mark.parametrize("said", ["2026-02-30", "2026-11-27T06:00:00", "27.11.2026"])
def test_a_day_that_there_is_not_and_a_time_without_an_offset_are_refused(tmp_path: Path, said: str) -> None:
    ((where, what),) = refused(tmp_path, policies=f"name,value,valid_from\nbuffer,1,{said}\n")
    assert where == "policies.csv: row 2, valid_from"
    assert what.startswith(f"{said!r} is not a day such as ")


def test_every_mistake_is_named_with_its_row_and_column(tmp_path: Path) -> None:
    wrong = configured(
        tmp_path, policies="name,value\nbufer,1\nbuffer,x\nshare_bp,20000\n", kits="kit_sku,component_sku,quantity\nk,c,0\n"
    )
    with pytest.raises(ConfigError) as caught:
        read_declared(wrong)
    wheres = [where for where, _, _ in caught.value.problems]
    assert [w.split("/")[-1] for w in wheres] == [
        "kits.csv: row 2, quantity",
        "policies.csv: row 2, name",
        "policies.csv: row 3, value",
        "policies.csv: row 4, value",
    ]


def test_an_unknown_column_is_not_ignored(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_declared(configured(tmp_path, prices="sku,prise\na,1\n"))
    assert "no column 'prise'" in caught.value.problems[0][1]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    config = configured(tmp_path, prices="sku\n")
    (tmp_path / "prices.csv").unlink()
    with pytest.raises(ConfigError) as caught:
        read_declared(config)
    assert "prices.csv" in caught.value.problems[0][0]


def test_a_policy_for_a_channel_or_a_place_that_nobody_has_is_refused(tmp_path: Path) -> None:
    text = "channel,location,sku,name,value\na,soho,NEW,buffer,1\nb,shoo,,buffer,1\ntill,,,buffer,1\n"
    assert refused(tmp_path, policies=text) == [
        ("policies.csv: row 3, channel", "no channel is called 'b'"),
        ("policies.csv: row 3, location", "no location is called 'shoo'"),
        ("policies.csv: row 4, channel", "no channel is called 'till'"),  # it does not sell
    ]


def test_two_rows_that_set_one_policy_differently_are_refused(tmp_path: Path) -> None:
    text = "sku,valid_from,name,value\nm,,buffer,1\nm,,buffer,1\nm,2026-11-27,buffer,2\nm,,buffer,3\n"
    ((where, what),) = refused(tmp_path, policies=text)
    assert where == "policies.csv: row 5, value"
    assert what == "3, but row 2 says 1 for the same name, selectors and dates"


def test_a_buffer_in_units_beside_one_in_percent_is_refused(tmp_path: Path) -> None:
    text = "sku,name,value\nm,buffer,1\nm,buffer_pct_bp,100\nn,buffer_pct_bp,100\n"
    ((where, what),) = refused(tmp_path, policies=text)
    assert where == "policies.csv: row 3, name"
    assert what == "'buffer_pct_bp', but row 2 says 'buffer' for the same selectors and dates"


def test_two_equally_wide_rows_whose_dates_cross_are_refused_because_nobody_chose_between_them(tmp_path: Path) -> None:
    head = "channel,valid_from,valid_to,name,value\n"
    sale = "a,2026-11-20,2026-11-30,buffer,1\n"
    ((where, what),) = refused(tmp_path, policies=head + sale + "a,2026-11-25,2026-12-05,buffer_pct_bp,500\n")
    assert where == "policies.csv: row 3, valid_from"
    assert what == "buffer_pct_bp 500 crosses the dates of row 2, buffer 1 for the same selectors: which holds is not said"


def test_a_dated_row_within_another_or_right_after_it_is_not_refused(tmp_path: Path) -> None:
    head = "channel,valid_from,valid_to,name,value\na,2026-11-20,2026-11-30,buffer,1\n"
    within, after = "a,2026-11-25,2026-11-26,buffer,2\n", "a,2026-11-30,2026-12-05,buffer,3\n"
    assert read_declared(configured(tmp_path, policies=head + within + after)).policies.height == 3


@pytest.mark.parametrize(("name", "value"), [("buffer", 1_000_000_000), ("buffer_risk_bp", 0), ("buffer_risk_bp", 10_000)])
def test_a_policy_that_cannot_be_meant_is_refused(tmp_path: Path, name: str, value: int) -> None:
    ((where, what),) = refused(tmp_path, policies=f"name,value\n{name},{value}\n")
    assert (where, what) == ("policies.csv: row 2, value", f"{value} is out of range for {name}")


@pytest.mark.parametrize("units", ["0", "-1", "1.5", "1000000000"])
def test_a_pack_of_units_that_cannot_be_is_refused(tmp_path: Path, units: str) -> None:
    ((where, what),) = refused(tmp_path, sku_map=f"listing_key,sku,units\nx,m,{units}\n")
    assert (where, what) == ("sku_map.csv: row 2, units", f"{units!r} is not a whole number from 1 to 999999999")


def test_a_map_of_an_unknown_system_or_of_one_listing_to_two_things_is_refused(tmp_path: Path) -> None:
    text = "system,listing_key,sku,units\na,k,x,1\na,k,y,1\n,k,z,1\nb,k,x,1\na,l,x,1\na,l,x,6\na,k,x,1\n"
    wheres = [where for where, _ in refused(tmp_path, sku_map=text)]
    assert wheres == ["sku_map.csv: row 3, sku", "sku_map.csv: row 5, system", "sku_map.csv: row 7, units"]


@pytest.mark.parametrize("price", ["-1", "nan", "inf", "-inf", "1e400", "free"])
def test_a_price_that_is_none_is_refused(tmp_path: Path, price: str) -> None:
    ((where, what),) = refused(tmp_path, prices=f"sku,price,currency\nm,{price},GBP\n")
    assert where == "prices.csv: row 2, price"
    assert what == f"{price!r} is not a number, 0 or more"


def test_two_prices_of_one_thing_in_one_currency_are_refused(tmp_path: Path) -> None:
    text = "sku,price,cost,currency\nm,1,,GBP\nm,2,,EUR\nm,1.00,3,GBP\nm,3,,GBP\n"
    assert [where for where, _ in refused(tmp_path, prices=text)] == ["prices.csv: row 5, price"]


def test_a_currency_that_is_none_or_has_no_rate_is_refused(tmp_path: Path) -> None:
    prices = "sku,price,currency\nm,1,GBP\nn,1,EUR\no,1,USD\np,1,eur\nq,1,\nr,,\n"
    assert refused(tmp_path, prices=prices, rates="currency,rate\nEUR,0.85\n") == [
        ("prices.csv: row 4, currency", "'USD' has no rate"),
        ("prices.csv: row 5, currency", "'eur' is not a currency"),
        ("prices.csv: row 6, currency", "'' is not a currency"),
    ]


def test_a_most_below_the_least_of_the_same_thing_is_refused(tmp_path: Path) -> None:
    header = "sku,channel,valid_from,valid_to,name,value\n"
    dated = "A,,2026-11-27,2026-11-30,min_offer,5\nA,,2026-11-27,2026-11-30,max_offer,4\n"
    text = f"{header},a,,,min_offer,5\n,a,,,max_offer,3\n,,,,max_offer,4\nB,a,,,min_offer,3\nB,a,,,max_offer,3\n{dated}"
    below = "max_offer {} is below min_offer 5 of row {} for the same selectors and dates"
    assert refused(tmp_path, policies=text) == [
        ("policies.csv: row 3, value", below.format(3, 2)),
        ("policies.csv: row 8, value", below.format(4, 7)),
    ]


def test_rates_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    text = "currency,rate\nEUR,0.85\nEUR,0.9\nGBP,2\nUSD,nan\n"
    wheres = [where for where, _ in refused(tmp_path, rates=text)]
    assert wheres == ["rates.csv: row 3, currency", "rates.csv: row 4, rate", "rates.csv: row 5, rate"]


def test_without_rates_another_currency_is_only_unpriced(tmp_path: Path) -> None:
    assert read_declared(configured(tmp_path, prices="sku,price,currency\nm,1,USD\n")).prices.height == 1


def test_a_file_in_another_encoding_is_named_with_its_row_and_what_to_do(tmp_path: Path) -> None:
    config = configured(tmp_path, prices="sku,price,currency\n", kits="kit_sku\n")
    (tmp_path / "prices.csv").write_bytes("sku,price,currency\nm,1,GBP\ncafé,1,GBP\n".encode("latin-1"))
    with pytest.raises(ConfigError) as caught:
        read_declared(config)
    where, _, mend = caught.value.problems[-1]
    assert (where.split("/")[-1], mend) == ("prices.csv: row 3", "save it as UTF-8")


def test_a_folder_where_a_file_should_be_is_said_to_be_one(tmp_path: Path) -> None:
    config = configured(tmp_path, prices="")
    (tmp_path / "prices.csv").unlink()
    (tmp_path / "prices.csv").mkdir()
    with pytest.raises(ConfigError) as caught:
        read_declared(config)
    assert "this is a folder" in caught.value.problems[0][1]


def test_a_file_that_a_spreadsheet_saved_with_a_mark_before_its_header_is_read(tmp_path: Path) -> None:
    assert read_declared(configured(tmp_path, prices="\ufeffsku,price,currency\nm,1,GBP\n")).prices["sku"].to_list() == ["m"]


def test_skus_that_only_policies_name_are_told_and_not_refused(tmp_path: Path) -> None:
    policies = "sku,name,value\nmapped,buffer,1\ncounted,buffer,1\nmisspelt,buffer,1\n,buffer,1\n"
    declared = read_declared(configured(tmp_path, policies=policies, sku_map="listing_key,sku\nx,mapped\n"))
    assert declared.strangers(["counted"]) == ["misspelt"]
