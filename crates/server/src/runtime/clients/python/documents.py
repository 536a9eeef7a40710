"""Events and answers as JSON, with the C half of the json module alone: the module itself takes longer to import than all the rest."""

from _json import encode_basestring, encode_basestring_ascii, make_encoder, make_scanner


class Scanner:
    """How the json module reads documents."""

    strict, object_hook, object_pairs_hook, parse_float, parse_int = True, None, None, float, int
    parse_constant = {"-Infinity": float("-inf"), "Infinity": float("inf"), "NaN": float("nan")}.__getitem__


scan = make_scanner(Scanner)
encode_text = encode_basestring if sys.version_info >= (3, 12) else encode_basestring_ascii


def parsed(text):
    """What `json.loads` answers. What is not plainly a document is left to the module itself, which takes long to import."""
    try:
        plainly = (text.decode() if isinstance(text, bytes) else text).strip(" \t\n\r")
        value, end = scan(plainly, 0)
        if end == len(plainly):
            return value
    except Exception:
        pass
    import json

    return json.loads(text)


def plain(value, within=()):
    """What the json module writes as Lambda writes the value: it knows neither Decimal nor the names in a namedtuple."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, bytes):
        return value.decode()
    decimal = sys.modules.get("decimal")
    if isinstance(value, getattr(decimal, "Decimal", ())):
        return float("nan") if value.is_nan() else Number(value)
    names = getattr(value, "_asdict", None)
    if id(value) in within:
        raise ValueError("Circular reference detected")
    within = (*within, id(value))
    if callable(names):
        value = names()
    if isinstance(value, dict):
        return {name_of(key): plain(item, within) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, within) for item in value]
    return value


def name_of(key):
    if key is None or isinstance(key, (str, int, float)):
        return key
    if isinstance(key, bytes):
        return key.decode()
    raise TypeError(f"keys must be str, int, float, bool or None, not {type(key).__name__}")


class Number:
    """A decimal number, which keeps its digits."""

    MARK = os.urandom(16).hex()
    met = False

    def __init__(self, value):
        self.text = f"{self.MARK}{value}"


def unusual(value):
    if isinstance(value, Number):
        Number.met = True
        return value.text
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def document(value):
    Number.met = False
    value = plain(value)
    if isinstance(value, str):
        return encode_text(value)
    text = "".join(make_encoder({}, unusual, encode_text, None, ": ", ", ", False, False, True)(value, 0))
    if Number.met:
        start, *rest = text.split(f'"{Number.MARK}')
        text = start + "".join(part.replace('"', "", 1) for part in rest)
    return text
