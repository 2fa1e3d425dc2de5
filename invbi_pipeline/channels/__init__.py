"""One module per platform behind one small protocol, and the HTTP client they share."""
