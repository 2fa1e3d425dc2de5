"""Barcodes: which can exist, what went wrong with those that cannot, and which listings disagree about one.

A GTIN-8, -12, -13 or -14 is right when its last digit is the check digit of the others: GS1 General Specifications, 7.9, here by
python-stdnum. A code with letters is no GTIN and may be a shop's own (Code 128): nothing is said of it.
"""

import re
from collections.abc import Sequence
from typing import Final

import polars as pl
from stdnum import ean

from invbi_pipeline.domain.candidates import candidates, nothing
from invbi_pipeline.domain.identity import codes
from invbi_pipeline.domain.identity.mappings import KEY
from invbi_pipeline.domain.words import ListingStatus

__all__ = ["FLAWS", "conflicts", "flaws", "invalid", "with_gtin"]

FLAWS: Final = {"barcode": pl.String(), "flaw": pl.String(), "why": pl.String(), "digits": pl.String()}

_LENGTHS: Final = (8, 12, 13, 14)
_ROUNDED: Final = r"^\d(\.\d+)?[eE]\+?\d{1,2}$"  # 4.00638E+12: how a spreadsheet shows a long number, and then saves it
_DECIMAL: Final = r"^\d+\.0*$"  # 4006381333931.0: digits that went through a float
_LOOKALIKES: Final = str.maketrans("OoIlSB", "001158")


def with_gtin(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Add `gtin`: the `barcode` padded to a GTIN-14, by which all lengths compare; null where length or check digit is wrong."""
    number, size = pl.col("number"), pl.col("plain").str.len_bytes()
    weighed = [(number // 10**place % 10) * (3 if place % 2 else 1) for place in range(max(_LENGTHS))]
    right = size.is_in(list(_LENGTHS)) & (number > 0) & (pl.sum_horizontal(weighed) % 10 == 0)
    return (
        frame.with_columns(plain=codes.digits(pl.col("barcode")))
        .with_columns(number=pl.when(pl.col("plain").str.contains(r"^[0-9]+$")).then("plain").cast(pl.Int64(), strict=False))
        .with_columns(gtin=pl.when(right).then(pl.col("plain").str.zfill(max(_LENGTHS))))
        .drop("plain", "number")
    )


def flaws(said: pl.Series) -> pl.DataFrame:
    """Return `FLAWS`: of the distinct texts in `said` those that are no barcode, what is wrong, and the digits meant if known.

    `flaw` is one of: rounded, decimals, lookalike, zeros, leading_zeros, length, check_digit. Most codes are right, and one
    expression sees that; each of the others is judged by python-stdnum.
    """
    texts = with_gtin(said.drop_nulls().unique().to_frame("barcode").lazy()).collect()
    typed = codes.digits(pl.col("barcode"))
    doubted = texts.filter((typed != "") & (pl.col("gtin").is_null() | pl.col("barcode").str.contains(".", literal=True)))
    rows = [(text, *found) for text in doubted["barcode"].sort() if (found := _flaw(text)) is not None]
    return pl.DataFrame(rows, schema=FLAWS, orient="row")


def _flaw(text: str) -> tuple[str, str, str] | None:
    plain = ean.compact("".join(c for c in text if c.isprintable() and not c.isspace()))
    whole, _, _ = plain.partition(".")
    if re.match(_ROUNDED, plain):
        kept = sum(c.isdigit() for c in re.split("[eE]", plain)[0])
        return "rounded", f"a spreadsheet took it for a number and kept {kept} of its digits", ""
    if re.match(_DECIMAL, plain):
        return "decimals", "it went through a number with decimals", whole if ean.is_valid(whole) else ""
    if not (plain.isascii() and plain.isdigit()):
        meant = plain.translate(_LOOKALIKES)
        return ("lookalike", "a letter stands where a digit should", meant) if _meant(plain, meant) else None
    return _of_digits(plain)


def _meant(plain: str, meant: str) -> bool:
    return sum(a != b for a, b in zip(plain, meant, strict=True)) <= 2 and ean.is_valid(meant)


def _of_digits(plain: str) -> tuple[str, str, str] | None:
    if not plain.strip("0"):
        return "zeros", "it is nothing but zeros", ""
    if len(plain) not in _LENGTHS:
        longer = next((n for n in _LENGTHS if n > len(plain)), 0)
        if longer and ean.is_valid(plain.zfill(longer)):
            return "leading_zeros", f"its leading zeros were lost: it has {len(plain)} digits", plain.zfill(longer)
        return "length", f"it has {len(plain)} digits, and barcodes have 8, 12, 13 or 14", ""
    if ean.is_valid(plain) or _is_upc_e(plain):
        return None
    right = ean.calc_check_digit(plain[:-1])
    return "check_digit", f"its last digit is {plain[-1]}, and after the others it should be {right}", ""


def _is_upc_e(plain: str) -> bool:
    """Say whether 8 digits are a UPC-E, which has the check digit of its UPC-A (GS1 General Specifications, 5.2.2)."""
    if len(plain) != _LENGTHS[0] or plain[0] not in "01":
        return False
    system, body, check = plain[0], plain[1:7], plain[7]
    last = body[5]
    if last in "012":
        long = f"{body[:2]}{last}0000{body[2:5]}"
    elif last == "3":
        long = f"{body[:3]}00000{body[3:5]}"
    elif last == "4":
        long = f"{body[:4]}00000{body[4]}"
    else:
        long = f"{body[:5]}0000{last}"
    return ean.is_valid(f"{system}{long}{check}")


def invalid(things: pl.LazyFrame, held: pl.LazyFrame) -> pl.LazyFrame:
    """Return `invalid_barcode` as CANDIDATES, one row a listing whose barcode cannot exist.

    `things` are `identity.subjects`, `held` the mappings that hold (system, listing_key, sku).
    """
    said = _barcoded(things).collect()
    if said.is_empty():
        return nothing()
    found = said.lazy().join(flaws(said["barcode"]).lazy(), on="barcode").join(held.select(*KEY, "sku"), on=KEY, how="left")
    named = found.with_columns(name=pl.coalesce("sku", "code", "listing_key"), sku=pl.col("sku").fill_null(""))
    meant = pl.when(pl.col("digits") != "").then(pl.format("; it was probably {}", "digits")).otherwise(pl.lit(""))
    cause = pl.format("The barcode {} of {} on {} cannot exist: {}{}.", "barcode", "name", "system", "why", meant)
    return candidates(named, "invalid_barcode", cause, {c: pl.col(c) for c in ("barcode", "flaw", "why", "digits")})


def conflicts(things: pl.LazyFrame, held: pl.LazyFrame, owners: Sequence[str]) -> pl.LazyFrame:
    """Return `barcode_conflict` as CANDIDATES, one row for each (sku, barcode) that the other listings speak against.

    A sku and pack size should have one barcode wherever it is listed (a pack may have its own), and a barcode one sku. Of several
    barcodes of one sku that one is believed which most systems give it and no other sku has; then that of the `owners` (systems
    that count a place of ours). Then, of several skus with one barcode, that is believed which most systems say.
    """
    barcoded = _barcoded(things).collect()
    if barcoded.is_empty():
        return nothing()
    listed = (
        with_gtin(barcoded.lazy())
        .drop_nulls("gtin")
        .join(held.select(*KEY, "sku", "units"), on=KEY)
        .with_columns(owns=pl.col("system").is_in(list(owners)))
        .collect()
    )
    of_sku = _outvoted(listed, ("sku", "units"), "gtin")
    first = listed.join(of_sku, on=["sku", "units", "gtin"])
    rest = listed.join(of_sku, on=["sku", "units", "gtin"], how="anti")
    second = rest.join(_outvoted(rest, ("gtin",), "sku"), on=["gtin", "sku"])
    typed = listed.group_by(believed="gtin").agg(elsewhere=pl.col("barcode").min())
    whose = rest.group_by("gtin").agg(others=pl.col("sku").unique().sort())
    odd = pl.concat([first.with_columns(why=pl.lit("sku")), second.with_columns(why=pl.lit("barcode"))], how="diagonal")
    found = (
        odd.sort("owns", *KEY)
        .group_by("sku", "gtin", "why", maintain_order=True)
        .agg(
            pl.col("system").first(), pl.col("listing_key").first(), pl.col("barcode").first(), pl.col("believed").first(),
            listings=pl.struct(*KEY),
        )
        .join(whose, on="gtin", how="left")
        .join(typed, on="believed", how="left")
        .with_columns(others=pl.col("others").fill_null([]).list.set_difference(pl.concat_list("sku")).list.sort())
    )  # fmt: skip
    barcode = pl.when(pl.col("why") == "sku").then(pl.format("; elsewhere it has {}", "elsewhere")).otherwise(pl.lit(""))
    names = pl.col("others").list.join(", ")
    also = pl.when(pl.col("others").list.len() > 0).then(pl.format(", which is the barcode of {}", names)).otherwise(pl.lit(""))
    cause = pl.format("{} on {} has the barcode {}{}{}.", "sku", "system", "barcode", also, barcode)
    return candidates(
        found.lazy(), "barcode_conflict", cause, {c: pl.col(c) for c in ("barcode", "believed", "others", "listings")}
    )


def _outvoted(listed: pl.DataFrame, of: tuple[str, ...], what: str) -> pl.DataFrame:
    """Return the rows (*of, `what`) that lose against another `what` of the same `of`, and the one `believed` in their place."""
    votes = listed.group_by(*of, what).agg(systems=pl.col("system").n_unique(), owns=pl.col("owns").any())
    if what == "gtin":  # a barcode that other skus have speaks for itself
        everywhere = listed.select("gtin", "sku", "system").unique().group_by("gtin").agg(said=pl.len())
        own = listed.select("gtin", "sku", "system").unique().group_by("gtin", "sku").agg(own=pl.len())
        votes = votes.join(everywhere, on="gtin").join(own, on=["gtin", "sku"])
        votes = votes.with_columns(foreign=pl.col("said") > pl.col("own"))
    else:
        votes = votes.with_columns(foreign=pl.lit(value=False))
    ranked = votes.filter(pl.len().over(of) > 1).sort(
        *of, "foreign", "systems", "owns", what, descending=[*(False for _ in of), False, True, True, False]
    )
    return ranked.with_columns(believed=pl.col(what).first().over(of)).filter(pl.col(what) != pl.col("believed")).select(
        *of, what, "believed"
    )  # fmt: skip


def _barcoded(things: pl.LazyFrame) -> pl.LazyFrame:
    """The listings with a barcode that the platform still has."""
    listings = things.filter((pl.col("source") == "listing") & (pl.col("status") != ListingStatus.DELETED))
    return listings.select(*KEY, "code", "barcode").filter(pl.col("barcode") != "")
