"""Codes as people type them: what of a SKU or barcode is only spelling. Equal after normalising suggests, it never maps."""

from typing import Final

import polars as pl

__all__ = ["SPELLINGS", "barcode_key", "beginnings", "code_of", "digits", "spelling", "style_key", "words"]

_INVISIBLE: Final = r"[\p{Cf}\p{Cc}]"  # zero-width, soft hyphen, byte-order mark, control characters
_SEPARATOR: Final = r"[^\p{L}\p{N}]"
_DECIMALS: Final = r"\.0*$"
_NUMBER_WITH_DECIMALS: Final = r"^\d+\.0*$"  # 490001.0: a code of digits that went through a float
_DEEPEST_VARIANT: Final = 3  # how many parts of a code may name the variant: colour, size, length

# Each spelling forgives all that the ones before it forgive: (what it forgives last, how sure a suggestion by it is).
# The confidences are our judgement, not measurements: two codes that differ in a separator may be two products.
SPELLINGS: Final[tuple[tuple[str, float], ...]] = (
    ("case or space", 0.95),
    ("decimals of a number", 0.9),
    ("separators", 0.85),
    ("leading zeros", 0.75),
)


def spelling(code: pl.Expr, level: int) -> pl.Expr:
    """Return `code` with the differences of `SPELLINGS[:level + 1]` removed; empty where nothing is left."""
    plain = code.str.normalize("NFKC").str.replace_all(_INVISIBLE, "").str.replace_all(r"\s", "").str.to_uppercase()
    if level >= 1:
        plain = _whole(plain)
    if level >= 2:
        plain = plain.str.replace_all(_SEPARATOR, "")
    if level >= 3:
        plain = plain.str.strip_chars_start("0")
    return plain


def _whole(plain: pl.Expr) -> pl.Expr:
    return pl.when(plain.str.contains(_NUMBER_WITH_DECIMALS)).then(plain.str.replace(_DECIMALS, "")).otherwise(plain)


def digits(barcode: pl.Expr) -> pl.Expr:
    """Return a barcode as it was meant to be typed: without spaces, hyphens, and the decimals that a float gave it."""
    return _whole(barcode.fill_null("").str.replace_all(r"[\s\p{Cf}\-]", ""))


def barcode_key(barcode: pl.Expr) -> pl.Expr:
    """Return the barcode's digits padded to 14 (GTIN-14 holds UPC, EAN-8 and EAN-13); null where it is not 8 to 14 digits.

    Leading zeros that were lost come back; nothing is said of the check digit.
    """
    plain = digits(barcode)
    return pl.when(plain.str.contains(r"^[0-9]{8,14}$")).then(plain.str.zfill(14))


def style_key(style: pl.Expr) -> pl.Expr:
    """Return a style as it is compared: without differences of case or space, one kind of separator; null where it is empty."""
    plain = spelling(style, 0).str.replace_all(_SEPARATOR + "+", "-").str.strip_chars("-")
    return pl.when(plain != "").then(plain)


def beginnings(code: pl.Expr) -> pl.Expr:
    """Return the styles that a code may begin with, as `style_key` writes them, the longest first: a list.

    Each is all before one of its last `_DEEPEST_VARIANT` separators. A beginning that says too little is none: a style has two
    parts, or letters and a digit ("TEE-RED" of "TEE-RED-M" and "AN201" of "AN201-M", but not "SKU" of "SKU-1001").
    """
    parts = style_key(code).str.split("-")
    heads = [parts.list.head(parts.list.len() - cut).list.join("-") for cut in range(1, _DEEPEST_VARIANT + 1)]
    telling = [
        pl.when((parts.list.len() > cut) & head.str.contains(r"\p{L}.*\p{N}|-")).then(head)
        for cut, head in enumerate(heads, start=1)
    ]
    return pl.concat_list(telling).list.drop_nulls()


def words(text: pl.Expr) -> pl.Expr:
    """Return the distinct words and parts of a code or title, in capitals: a list."""
    parts = text.fill_null("").str.normalize("NFKC").str.to_uppercase().str.extract_all(r"[\p{L}\p{N}]+")
    return parts.list.unique(maintain_order=True)


def code_of(raw_sku: pl.Expr, listing_key: pl.Expr, keys_are_skus: pl.Expr) -> pl.Expr:
    """Return the code a listing goes by: its raw SKU, or its key where the platform keys listings by the seller's code."""
    raw = raw_sku.fill_null("")
    return pl.when(raw != "").then(raw).when(keys_are_skus.fill_null(False)).then(listing_key).otherwise(pl.lit(""))
