"""The ledger: what lies where, by anchors and movements, what is promised, and how its books tie out."""
