"""What people are told and asked, and what they say to it: findings, their lives, corrections."""

from typing import Final

from invbi_pipeline.domain.frames.schema import INT, MONEY, TEXT, UTC, Schema

__all__ = ["CORRECTIONS", "DECIDED", "FINDINGS", "LIVES", "SAID", "TRAIL"]

FINDINGS: Final[Schema] = {
    "finding_id": TEXT,
    "run_id": TEXT,
    "code": TEXT,
    "severity": TEXT,
    "system": TEXT,
    "location": TEXT,
    "sku": TEXT,
    "listing_key": TEXT,
    "units": INT,  # a size, never below 0
    "money": MONEY,  # null: unpriced
    "currency": TEXT,
    "cause": TEXT,  # one sentence a shop manager understands
    "evidence": TEXT,  # JSON
    "suggested_action": TEXT,
    "first_seen": UTC,
    "last_seen": UTC,
    "state": TEXT,  # words.FindingState
    "owner": TEXT,
    "due_at": UTC,
    "acknowledged_by": TEXT,
    "acknowledged_at": UTC,
    "resolution": TEXT,
    "note": TEXT,
    "opened_at": UTC,  # first seen, or seen again after it was over
    "resolved_at": UTC,  # null while it is not over
}

LIVES: Final[Schema] = {  # what the state store keeps of a finding
    **FINDINGS,
    "missed_run": TEXT,  # the run that looked and did not see it any more; null while it is seen, and once it is over
    "returns": INT,  # how often it came back after it was over
}

SAID: Final[Schema] = {  # one row whenever a person said something of a finding
    "finding_id": TEXT,
    "kind": TEXT,  # words.Said
    "value": TEXT,  # the owner's name, the due time (ISO 8601 with offset), the note; empty for an acknowledgement
    "who": TEXT,
    "at": UTC,  # our clock
}

CORRECTIONS: Final[Schema] = {
    "correction_id": TEXT,
    "run_id": TEXT,
    "kind": TEXT,  # words.CorrectionKind
    "system": TEXT,
    "listing_key": TEXT,
    "location": TEXT,
    "sku": TEXT,
    "from_qty": INT,  # raw number compared with (set); null for post
    "to_qty": INT,  # value to send (set), or signed delta (post)
    "target": INT,  # the candidate: what a read shows once it landed
    "shown": INT,  # the number read when it was planned, net of the platform's own reservations
    "withheld": INT,
    "known_from": UTC,  # see BASES
    "known_to": UTC,
    "known_units": INT,
    "mode": TEXT,  # words.Mode of the system when it was planned
    "movement_ref": TEXT,  # post: "<system>/<movement_id>" being booked
    "reason": TEXT,
    "finding_id": TEXT,
    "guard": TEXT,  # JSON {guard name: "pass" | reason it holds}
    "state": TEXT,  # words.CorrectionState
    "idempotency_key": TEXT,
    "observed_at": UTC,
    "planned_at": UTC,
    "sent_at": UTC,
    "send_ended_at": UTC,
    "answered": TEXT,  # what the platform answered, redacted
    "read_back": INT,
    "verified_at": UTC,
    "units_at_risk": INT,
    "money_at_risk": MONEY,
    "judged_at": UTC,  # our clock: when the guards last judged it
    "undoes": TEXT,  # the correction whose change it takes back; null: none
    "sold": INT,  # OFFERS.sold when it was planned; null: not known
}

DECIDED: Final[Schema] = {  # one row a correction that a person decided about; the last word stands
    "correction_id": TEXT,
    "who": TEXT,
    "decision": TEXT,  # approved | refused
    "at": UTC,  # our clock
    "note": TEXT,
}

TRAIL: Final[Schema] = {  # one row a step of a correction, and one for each pause, resumption and accepted number
    "correction_id": TEXT,  # empty: paused, resumed, accepted
    "happened_at": UTC,  # our clock; of what was sent the platform's, where it gave one. Null: not told
    "step": TEXT,  # planned | judged | approved | refused | sent | answered | its last state | paused | resumed | accepted
    "who": TEXT,  # a person's account, "run <id>", "guards, mode <mode>", "invbi", or the system that answered
    "what": TEXT,  # planned, judged, sent: JSON; else plain words. Redacted
    "system": TEXT,
    "listing_key": TEXT,
    "location": TEXT,
    "sku": TEXT,
}
