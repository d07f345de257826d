"""How many digits a currency has after the point, by ISO 4217."""

from typing import Final

_NONE: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE: Final = "BHD IQD JOD KWD LYD OMR TND"
_DIGITS: Final = dict.fromkeys(_NONE.split(), 0) | dict.fromkeys(_THREE.split(), 3)


def minor_digits(currency: str) -> int:
    """0, 2 or 3: `amount_minor` is the amount times ten to the power of it."""
    return _DIGITS.get(currency, 2)
