"""What systems say: read at once, walled, judged before it is believed, landed; and what may be believed of each."""
