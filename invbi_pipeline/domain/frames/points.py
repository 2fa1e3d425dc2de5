"""The three-way merge: what it compares, what it remembers, and what came of each number."""

from typing import Final

from invbi_pipeline.domain.frames.schema import FLAG, INT, TEXT, UTC, Schema

__all__ = ["BASES", "CONTAINED", "FLIGHTS", "FLIGHT_ENDS", "LOOKS", "POINTS", "UNJUDGED"]

BASES: Final[Schema] = {  # one row a point: the number on which both sides verifiably agreed
    "system": TEXT,
    "listing_key": TEXT,
    "location": TEXT,
    "base": INT,  # raw: may be negative
    "version": TEXT,
    "as_of": UTC,  # contains every effect stamped up to here (platform clock), and those in CONTAINED
    "why": TEXT,  # first_look | new_listing | agreed | verified | converged | flight_ended | accepted
    "moved_at": UTC,  # our clock
    "observed_at": UTC,  # the platform's time of the look that moved it last; older looks are never compared with it
    "sent_at": UTC,  # the platform's time of the last push that landed; null before any
    "unsure_to": UTC,  # the look that read that push, or was explained in doubt: no raise until orders are complete up to it
    "first_look_at": UTC,  # the platform's time of the first look; null once a push was verified or a person accepted
    "blur_from": UTC,  # effects stamped between these two may or may not be in the number: a send and its visibility lag,
    "blur_to": UTC,  # ... or the read lag of the look it was taken at; null where there is no such doubt
    "withheld": INT,  # units the last verified push withheld as unseen sales and that are not yet explained
    "withheld_until": UTC,  # the platform's time of that send: complete up to here, what is left is drift
    "known_from": UTC,  # which effects explain withheld units: those stamped after this,
    "known_to": UTC,  # ... up to here (how far the read reached behind that push),
    "known_units": INT,  # ... beyond this sum, which was known when it was planned
    "returns": INT,  # of our verified pushes, after how many in a row the number was changed by something unexplained
    "returned_at": UTC,  # the last such push (its platform's time)
    "lost": INT,  # of our accepted pushes, how many in a row never landed
}

CONTAINED: Final[Schema] = {  # effects a base contains although stamped after `as_of` (or lacks although before: contained=false)
    "system": TEXT,
    "listing_key": TEXT,
    "location": TEXT,
    "look_at": UTC,  # null: the base's own; else the copy that the unjudged look of this time was read against
    "effect_id": TEXT,
    "contained": FLAG,
}

FLIGHTS: Final[Schema] = {  # pushes not yet ended, from the outbox (`points.flights`)
    "correction_id": TEXT,
    "system": TEXT,
    "listing_key": TEXT,
    "location": TEXT,
    "target": INT,  # the candidate's number: what a read shows once it landed
    "shown": INT,  # the number read when it was planned; where it equals the target, reading the target proves nothing
    "contains_to": UTC,  # contains every effect stamped up to here: the send (net), or the read behind it (gross)
    "withheld": INT,
    "known_from": UTC,  # see BASES
    "known_to": UTC,
    "known_units": INT,
    "sent_at": UTC,  # the platform's time in its answer (our clock where it gave none)
    "send_ended_at": UTC,  # our clock
    "state": TEXT,  # sending | accepted | ambiguous
}

LOOKS: Final[Schema] = {  # one row a point: the last judged look, for the two-look rule
    "system": TEXT,
    "listing_key": TEXT,
    "location": TEXT,
    "unexplained": INT,
    "confirmed": INT,  # what two judged looks agree on: the smaller in size, 0 when they do not
    "judged_at": UTC,  # the observation's time
    "since": UTC,  # the platform's time of the last agreement before it: the change happened after this
    "looks": INT,  # how many judged looks in a row had this sign
    "first_at": UTC,  # the first of them
    "previous_at": UTC,  # the last but one of them; null when there is but one
    "gap": INT,  # how far the number stood from the offer once all that was known and in flight had been applied
    "gap_looks": INT,  # how many judged looks in a row had a gap of this sign
}

UNJUDGED: Final[Schema] = {  # at most one look a point that waits for the order feed; one row a candidate it was read against
    "system": TEXT,
    "listing_key": TEXT,
    "location": TEXT,
    "observed_at": UTC,
    "reach": UTC,  # the end of its read on the platform's clock
    "raw": INT,
    "unexplained": INT,  # as it seemed then
    "gap": INT,  # as it stood then
    "since": UTC,
    "correction_id": TEXT,  # empty: the base; else the flight
    "rank": INT,  # 0: the base; then the flights, oldest first
    "number": INT,
    "as_of": UTC,
    "blur_from": UTC,
    "blur_to": UTC,
    "absolute_at": UTC,  # the last send this candidate rests on
    "window_from": UTC,  # the sends that may have written over an effect: the first ...
    "window_to": UTC,  # ... to the last visibility lag
}

FLIGHT_ENDS: Final[Schema] = {  # what this run's looks say of each push that was in flight
    "correction_id": TEXT,
    "system": TEXT,
    "listing_key": TEXT,
    "location": TEXT,
    "outcome": TEXT,  # verified | not_landed | mismatched | superseded (overtaken by a newer push that landed) | still
    "read_back": INT,  # the platform's raw number; null while nothing could be compared
    "observed_at": UTC,
}

POINTS: Final[Schema] = {
    "run_id": TEXT,
    "system": TEXT,
    "listing_key": TEXT,
    "location": TEXT,
    "sku": TEXT,
    "base": INT,  # raw number of the candidate it was compared with
    "expected": INT,
    "reported": INT,
    "offer": INT,  # less `withheld`
    "unexplained": INT,
    "pending": INT,
    "gap": INT,
    "state": TEXT,  # words.PointState
    "judged": FLAG,
    "confirmed": INT,
    "withheld": INT,  # units that an earlier push withheld as unseen sales and that keep the offer lower
    "withhold": INT,  # units a push now would withhold, `withheld` included
    "target": INT,  # what a shopper should see after a push; null: nothing to send
    "send": INT,  # the value to send (on a gross platform the target plus its own reserved units); null: nothing to send
    "standing": INT,  # what the number comes to once all known effects and pushes in flight have been applied
    "raw": INT,  # the platform's number as it stands, for compare-and-set
    "version": TEXT,
    "in_flight": INT,  # pushes not yet ended
    "first_look": FLAG,  # the base was taken at a first look and no push has been verified since
    "first_look_at": UTC,
    "observed_at": UTC,
    "complete": FLAG,  # the order feed is complete up to this observation
    "complete_to": UTC,  # how far the order feed is complete (platform clock)
    "fulfilment": TEXT,  # words.Fulfilment
    "status": TEXT,  # words.ListingStatus
    "why": TEXT,  # why the base stands where it stands (BASES)
    "covered": FLAG,  # this run saw enough to say that a finding about this point is over
    "gap_looks": INT,  # judged looks in a row with a gap of this sign
    "found": INT,  # drift to report, signed; 0: none
    "found_how": TEXT,  # confirmed (two judged looks) | taken (our own push took the second away) | withheld (never arrived)
    "found_since": UTC,
    "found_at": UTC,
    "stuck": INT,  # effects and accepted pushes that did not move this number
    "returns": INT,  # see BASES
    "known_from": UTC,  # handed on to the push, see BASES
    "known_to": UTC,
    "known_units": INT,
}
