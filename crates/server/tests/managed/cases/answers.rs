//! What handlers answer to what events.

use super::{CASE, Case};

/// Events of every kind that JSON has.
const EVERY_KIND: &[&str] = &[
    "null",
    "true",
    "0",
    "-1.5e300",
    "\"text\"",
    "[]",
    "{}",
    "[1, [2, {\"a\": null}]]",
    "12345678901234567890",
    "\"Zoë \\u2028 \\ud83d\\ude00\"",
    "{\"a\": 1, \"a\": 2}",
];

pub(super) const CASES: &[Case] = &[
    Case {
        name: "an echo of every kind",
        code: "def handle(event, context): return event",
        events: EVERY_KIND,
        says: "Zoë",
        ..CASE
    },
    Case {
        name: "an event that is no JSON",
        code: "def handle(event, context): return event",
        events: &["x", "", "\u{feff}1"],
        says: "Unable to unmarshal input",
        ..CASE
    },
    Case {
        name: "numbers",
        code: "def handle(event, context): return [1e400, -1e400, float('nan'), 1e16, 0.1, 10**30, True, -0.0]",
        says: "Infinity",
        ..CASE
    },
    Case {
        name: "decimals",
        code: "from decimal import Decimal as D\ndef handle(event, context): return {'a': D('1.10'), 'b': [D('NaN'), D('-NaN'), D('Infinity'), D('1E+30')], 'c': D('-0')}",
        says: "1.10",
        ..CASE
    },
    Case {
        name: "a decimal as a key",
        code: "from decimal import Decimal as D\ndef handle(event, context): return {D('1'): 1}",
        says: "keys must be",
        ..CASE
    },
    Case {
        name: "a named tuple",
        code: "from collections import namedtuple\nP = namedtuple('P', 'x y')\ndef handle(event, context): return [P(1, P(2, 'z')), (1, 2), P(P(1, 2), [P(3, 4)])]",
        says: r#"{"x": 1"#,
        ..CASE
    },
    Case {
        name: "bytes",
        code: "def handle(event, context): return b'{\"raw\":   1}'",
        says: r#"{"raw":   1}"#,
        ..CASE
    },
    Case {
        name: "bytes within",
        code: "def handle(event, context): return {'a': b'x\\xc3\\xa9', b'k': [b'']}",
        says: "xé",
        ..CASE
    },
    Case {
        name: "bytes within that are no text",
        code: "def handle(event, context): return [b'\\xff']",
        says: "Runtime.MarshalError",
        ..CASE
    },
    Case {
        name: "letters of every kind",
        code: "def handle(event, context): return {'é': 'Zoë \\u2028 \\u0000 \\x7f \\\\ \" / 😀'}",
        says: "😀",
        ..CASE
    },
    Case {
        name: "half a letter",
        code: "def handle(event, context): return '\\ud800'",
        says: "Runtime.ExitError",
        ..CASE
    },
    Case {
        name: "keys of every kind",
        code: "def handle(event, context): return {1: 1, 1.5: 2, None: 3, True: 4}",
        says: r#""null": 3"#,
        ..CASE
    },
    Case {
        name: "a key that is none",
        code: "def handle(event, context): return {(1, 2): 1}",
        says: "keys must be str",
        ..CASE
    },
    Case {
        name: "numpy's integer",
        code: "class int64: pass\ndef handle(event, context): return [int64()]",
        says: "Unable to marshal response: Object of type int64 is not JSON serializable",
        ..CASE
    },
    Case {
        name: "numpy's integer through json",
        code: "import json\nclass int64: pass\ndef handle(event, context):\n    return {'body': json.dumps([int64()])}",
        says: "TypeError: Object of type int64 is not JSON serializable",
        ..CASE
    },
    Case {
        name: "a set",
        code: "def handle(event, context): return {1}",
        says: "Object of type set is not",
        ..CASE
    },
    Case {
        name: "a generator",
        code: "def handle(event, context): yield 1",
        says: "Object of type generator",
        ..CASE
    },
    Case {
        name: "a coroutine",
        code: "async def handle(event, context): return 1",
        says: "Object of type coroutine",
        ..CASE
    },
    Case {
        name: "a circle",
        code: "def handle(event, context):\n    a = []\n    a.append(a)\n    return a",
        says: "Circular reference detected",
        ..CASE
    },
    Case {
        name: "a list twice",
        code: "def handle(event, context):\n    a = [1]\n    return [a, {'b': a}]",
        says: "[[1]",
        ..CASE
    },
    Case {
        name: "enumerations and subclasses",
        code: "import enum\nclass C(enum.IntEnum):\n    A = 3\nclass S(str): pass\nclass D(dict): pass\nclass F(float): pass\ndef handle(event, context): return [C.A, S('s'), D(a=1), F(1.5)]",
        says: "[3, ",
        ..CASE
    },
    Case {
        name: "a data class",
        code: "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\ndef handle(event, context): return P(1)",
        says: "Object of type P",
        ..CASE
    },
    Case { name: "nothing", code: "def handle(event, context): pass", says: "null", ..CASE },
    Case {
        name: "a large answer",
        code: "def handle(event, context): return 'é' * 2_000_000",
        says: "2000002",
        ..CASE
    },
    Case {
        name: "an answer that is too large",
        code: "def handle(event, context): return 'x' * 6_291_600",
        says: "Function.ResponseSizeTooLarge",
        ..CASE
    },
];
