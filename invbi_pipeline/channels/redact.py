"""The wall that keeps secrets and buyers out of messages, and buyers' personal fields out of what is stored.

`Redactor` replaces every secret it was told of, whatever looks like one, and every e-mail address in a text. `drop_personal`
removes buyers' fields from a decoded payload by the name of the field: a denylist on top of not asking for them, for platforms
that send more than was asked and for files in which somebody left the columns.
"""

import re
from base64 import b64encode
from collections.abc import Iterable
from functools import lru_cache
from typing import Final
from urllib.parse import quote, quote_plus

__all__ = ["ADDRESS", "HIDDEN", "Redactor", "drop_personal", "is_personal"]

HIDDEN: Final = "[secret]"
ADDRESS: Final = "[e-mail]"

# Shapes of credentials that may arrive in an answer before anybody told us of them.
_SHAPES: Final = re.compile(
    r"(?i)(?P<keep>bearer\s+|x-shopify-access-token[\"']?\s*[:=]\s*[\"']?|x-amz-access-token[\"']?\s*[:=]\s*[\"']?"
    r"|[?&](?:x-amz-signature|x-amz-credential|x-amz-security-token|x-goog-signature|signature|sig|access_token|token)="
    r"|\"(?:access_token|refresh_token|client_secret)\"\s*:\s*\")"
    r"[^\s\"'&,;}]+"
    r"|\b(?:shp(?:at|ca|pa|ss|ua)_[0-9a-f]{16,}|atz[ar]\|[\w-]{8,}|amzn1\.oa2-cs\.[\w.-]+|eaaa[\w-]{20,})"
)
# Plain, in an address line (%40), or in JSON that spells letters as \u00e9. The letter of a JSON escape such as \n stays: it is
# not the address's. Parts have at most the letters they may have (RFC 5321, section 4.5.3.1): a long text takes no longer for it.
_LETTER: Final = r"\\u[0-9a-fA-F]{4}"
_E_MAIL: Final = re.compile(
    rf"(?<!\\)(?:{_LETTER}|[\w.%+'-]){{1,64}}(?:@|%40)"
    rf"(?:(?:{_LETTER}|[\w-]){{1,63}}\.){{1,10}}(?:xn--[\w-]{{1,59}}|(?:{_LETTER}|[^\W\d_]){{2,63}})"
)
_SHORTEST: Final = 4  # a "secret" of fewer characters would blank ordinary words

# Names are compared without case and punctuation: "Ship-Postal-Code" is "shippostalcode".
_PERSONAL: Final = re.compile(
    r"^(?:customer\w*|buyer\w*|recipient\w*|consignee\w*|purchaser\w*|contact\w*|patient\w*"
    r"|shipto\w*|billto\w*|soldto\w*|ship(?:ping)?address\w*|billingaddress\w*|ship(?:name|city|state|county|country|countrycode|zip"
    r"|postalcode|postcode|phonenumber|address\w*)|bill(?:name|city|state|country|zip|postalcode|postcode|address\w*)"
    r"|billing(?:name|city|state|country|zip|postalcode|postcode)"
    r"|(?:default|display|delivery|destination|origin|verified|mailing|residential)?address(?:es|line\w*|\d)?"
    r"|\w*email\w*|\w*e?mailaddress|phones?|\w*phonenumber|telephone|mobile|fax"
    r"|(?:first|last|given|family|middle|full|legal|maiden)name|firstnames?|surname|honorific|birthday|dateofbirth|birthdate|gender"
    r"|zip|zipcode|postalcode|postcode|latitude|longitude|geolocation"
    r"|ip|clientip|browserip|ipaddress|clientdetails|useragent|sessionhash|landingsite\w*|referringsite|referrerurl"
    r"|notes?|noteattributes|customattributes|giftmessage\w*|gift(?:wrap)?note|deliveryinstructions?|deliverypreferences|comments?"
    r"|creditcard\w*|card(?:details|fingerprint|number)?|paymentdetails|bankaccount\w*|iban|taxid\w*|vatnumber|cpf|taxregistration\w*"
    r"|carttoken|checkouttoken|checkoutid|orderstatusurl|statuspageurl|company|companyname|signature|signedby)$"
)


class Redactor:
    """Hides secrets in texts: those it was told of, in every spelling a message may hold, and shapes known to be secrets.

    E-mail addresses are hidden too: a platform's error may name a buyer. Telephone numbers are not: by their shape they are
    listing keys, order numbers and EANs, and an error without these helps nobody.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._spellings: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.add(*secrets)

    def add(self, *secrets: str) -> None:
        """Hide these from now on too (tokens obtained later). Texts under four characters are not taken for secrets."""
        for secret in secrets:
            if len(secret) >= _SHORTEST:
                encoded = b64encode(secret.encode()).decode()
                self._spellings |= {secret, quote(secret, safe=""), quote_plus(secret), encoded, repr(secret)[1:-1]}
        longest_first = sorted(self._spellings, key=lambda text: (-len(text), text))
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def __call__(self, text: str) -> str:
        """Return the text with every secret in it replaced by `[secret]`, every e-mail address by `[e-mail]`."""
        if self._pattern is not None:
            text = self._pattern.sub(HIDDEN, text)
        text = _SHAPES.sub(lambda found: (found.group("keep") or "") + HIDDEN, text)
        return _E_MAIL.sub(ADDRESS, text) if "@" in text or "%40" in text else text


@lru_cache(maxsize=4096)
def is_personal(name: str) -> bool:
    """Say whether a field of this name holds a buyer's personal data (case and punctuation ignored)."""
    return _PERSONAL.match(re.sub(r"[^a-z0-9]", "", name.lower())) is not None


def drop_personal(payload: object) -> object:
    """Return the decoded JSON without buyers' personal fields, at any depth; a personal object goes with all it holds.

    The input is not changed. Names decide (`is_personal`), values never do.
    """
    match payload:
        case dict():
            return {key: drop_personal(value) for key, value in payload.items() if not is_personal(str(key))}
        case list() | tuple():
            return [drop_personal(value) for value in payload]
        case _:
            return payload
