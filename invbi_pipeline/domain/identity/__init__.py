"""Identity: which sku each listing is, what is in it, and what may be doubted about it."""
