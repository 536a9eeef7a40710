//! The table of Python handlers that both clients run.

/// A handler, its events, and something that has to be said in its answers or in its log.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) code: &'static str,
    pub(crate) handler: &'static str,
    pub(crate) events: &'static [&'static str],
    pub(crate) says: &'static str,
    pub(crate) environment: &'static [(&'static str, &'static str)],
    pub(crate) client_context: Option<&'static str>,
    pub(crate) identity: Option<&'static str>,
}

const CASE: Case = Case {
    name: "",
    code: "",
    handler: "sample.handle",
    events: &["{}"],
    says: "",
    environment: &[],
    client_context: None,
    identity: None,
};

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

const LOGS: &str = r#"
import logging
log = logging.getLogger("shop")
def handle(event, context):
    for level in ("debug", "info", "warning", "error", "critical"):
        getattr(log, level)("at %s", level, extra={"order": 7})
    log.warning({"a": 1})
    log.error("two\nlines")
    try:
        1 / 0
    except ZeroDivisionError:
        log.exception("caught")
"#;

pub(crate) const CASES: &[Case] = &[
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
    Case {
        name: "an error",
        code: "def inner(x):\n    return 1 / x\ndef handle(event, context):\n    return inner(\n        0)",
        says: "ZeroDivisionError",
        events: &["{}", "{}"],
        ..CASE
    },
    Case {
        name: "an error without a message",
        code: "class Odd(Exception): pass\ndef handle(event, context): raise Odd",
        says: "[ERROR] Odd",
        ..CASE
    },
    Case {
        name: "an error with lines",
        code: "def handle(event, context):\n    raise ValueError('one\\ntwo — drei\\r\\nfour')",
        says: "two — drei",
        ..CASE
    },
    Case {
        name: "an error with a cause",
        code: "def handle(event, context):\n    try:\n        {}['a']\n    except KeyError as e:\n        raise RuntimeError('no a') from e",
        says: "RuntimeError: no a",
        ..CASE
    },
    Case {
        name: "an error in a chain",
        code: "def handle(event, context):\n    try:\n        {}['a']\n    except KeyError:\n        int('b')",
        says: "ValueError",
        ..CASE
    },
    Case {
        name: "a group of errors",
        code: "def handle(event, context): raise ExceptionGroup('some', [ValueError('a'), TypeError('b')])",
        says: "some (2 sub-exceptions)",
        ..CASE
    },
    Case {
        name: "an error that cannot be said",
        code: "class Odd(Exception):\n    def __str__(self): raise RuntimeError('mute')\ndef handle(event, context): raise Odd",
        says: "Runtime.ExitError",
        ..CASE
    },
    Case {
        name: "a recursion without an end",
        code: "def deeper(x): return deeper(x)\ndef handle(event, context): return deeper(1)",
        says: "RecursionError",
        ..CASE
    },
    Case {
        name: "a handler of one argument",
        code: "def handle(event): return 1",
        says: "handle() takes 1 positional argument but 2 were given",
        ..CASE
    },
    Case {
        name: "a handler that is no function",
        code: "handle = 7",
        says: "'int' object is not callable",
        ..CASE
    },
    Case {
        name: "a class as the handler",
        code: "class Handler:\n    def __call__(self, event, context): return 'called'\nhandle = Handler()",
        says: "called",
        ..CASE
    },
    Case {
        name: "a handler in a package",
        code: "def handle(event, context): return __name__",
        handler: "pkg.sub.deep.handle",
        says: "pkg.sub.deep",
        ..CASE
    },
    Case {
        name: "a handler in a folder",
        code: "def handle(event, context): return __name__",
        handler: "pkg/sub/deep.handle",
        says: "pkg.sub.deep",
        ..CASE
    },
    Case {
        name: "a syntax error",
        code: "def handle(event, context):\n    return (1",
        says: "Runtime.UserCodeSyntaxError",
        ..CASE
    },
    Case {
        name: "a syntax error in what is imported",
        code: "import pkg.broken",
        says: "Runtime.UserCodeSyntaxError",
        ..CASE
    },
    Case {
        name: "a missing module",
        code: "import no_such_module",
        says: "No module named 'no_such_module'",
        events: &["{}", "{}"],
        ..CASE
    },
    Case {
        name: "a missing handler module",
        code: "",
        handler: "nowhere.handle",
        says: "Unable to import module 'nowhere'",
        ..CASE
    },
    Case {
        name: "a missing handler",
        code: "",
        handler: "sample.other",
        says: "Handler 'other' missing on module 'sample'",
        ..CASE
    },
    Case { name: "a malformed handler", code: "", handler: "sample", says: "Bad handler 'sample'", ..CASE },
    Case {
        name: "a built-in module as the handler",
        code: "",
        handler: "sys.exit",
        says: "Runtime.BuiltInModuleConflict",
        ..CASE
    },
    Case {
        name: "an error at import",
        code: "def model():\n    raise OSError('no model')\nmodel()",
        says: "OSError: no model",
        events: &["{}", "{}"],
        ..CASE
    },
    Case {
        name: "an exit at import",
        code: "import sys\nprint('leaving')\nsys.exit(3)",
        says: "exit status 3",
        ..CASE
    },
    Case {
        name: "an exit in the handler",
        code: "import sys\ndef handle(event, context): sys.exit(event)",
        events: &["0", "4", "\"why\"", "null"],
        says: "exit status 4",
        ..CASE
    },
    Case {
        name: "a hard exit",
        code: "import os\ndef handle(event, context): os._exit(5)",
        says: "exit status 5",
        ..CASE
    },
    Case {
        name: "a crash",
        code: "import os\ndef handle(event, context): os.abort()",
        says: "signal: aborted",
        ..CASE
    },
    Case {
        name: "an interrupt from the keyboard",
        code: "def inner():\n    raise KeyboardInterrupt('now')\ndef handle(event, context): inner()",
        says: "KeyboardInterrupt: now",
        ..CASE
    },
    Case {
        name: "an error that ends everything",
        code: "class Last(BaseException): pass\ndef handle(event, context):\n    raise Last('the end')",
        says: "the end",
        ..CASE
    },
    Case {
        name: "text on both outputs",
        code: "import sys\nprint('init', end='')\ndef handle(event, context):\n    print('a\\nb', 'é 😀', end='')\n    sys.stderr.write('to stderr\\n')\n    sys.stdout.write('half')\n    sys.stdout.writelines(['x', 'y'])",
        says: "half",
        events: &["{}", "{}"],
        ..CASE
    },
    Case {
        name: "half a letter on an output",
        code: "def handle(event, context): print('\\ud800')",
        says: "UnicodeEncodeError",
        ..CASE
    },
    Case { name: "logs", code: LOGS, says: "[CRITICAL]\t<time>Z", events: &["{}", "{}"], ..CASE },
    Case {
        name: "logs at import",
        code: "import logging\nlogging.warning('early')\ndef handle(event, context): logging.getLogger().setLevel(logging.DEBUG); logging.debug('late')",
        says: "[DEBUG]",
        ..CASE
    },
    Case {
        name: "logs in JSON",
        code: LOGS,
        environment: &[("AWS_LAMBDA_LOG_FORMAT", "JSON"), ("AWS_LAMBDA_LOG_LEVEL", "TRACE")],
        says: r#""order": 7"#,
        ..CASE
    },
    Case {
        name: "an error with logs in JSON",
        code: "def handle(event, context):\n    raise ValueError('Zoë')",
        environment: &[("AWS_LAMBDA_LOG_FORMAT", "json")],
        says: r#""level": "ERROR""#,
        ..CASE
    },
    Case {
        name: "an error at import with logs in JSON",
        code: "1 / 0",
        environment: &[("AWS_LAMBDA_LOG_FORMAT", "JSON")],
        says: r#""errorType": "ZeroDivisionError""#,
        ..CASE
    },
    Case {
        name: "a level of its own",
        code: LOGS,
        environment: &[("AWS_LAMBDA_LOG_LEVEL", "error")],
        says: "[ERROR]",
        ..CASE
    },
    Case {
        name: "logs of its own form",
        code: "import logging\nlogging.basicConfig(level=logging.INFO)\nlogging.getLogger().handlers[0].setFormatter(logging.Formatter('mine: %(message)s\\n'))\ndef handle(event, context): logging.error('x')",
        says: "mine: x",
        ..CASE
    },
    Case {
        name: "the context",
        code: "def handle(event, context):\n    context.log('as it is')\n    left = context.get_remaining_time_in_millis()\n    names = [name for name in dir(context) if not name.startswith('_')]\n    stream, context.log_stream_name = context.log_stream_name, 'stream'\n    return [names, repr(context), type(left).__name__, 0 < left <= 30000, stream[4], context.w3c()]",
        client_context: Some(
            r#"{"client": {"app_title": "shop"}, "custom": {"a": 1}, "w3c": {"traceparent": "00-1", "tracestate": 1, "other": ""}}"#,
        ),
        identity: Some(r#"{"cognitoIdentityId": "id", "cognitoIdentityPoolId": "pool"}"#),
        says: "app_title=shop",
        ..CASE
    },
    Case {
        name: "a context without a client",
        code: "def handle(event, context):\n    identity = context.identity\n    return [context.client_context, identity is None, hasattr(identity, 'cognito_identity_id'), context.memory_limit_in_mb, context.function_version, context.invoked_function_arn, context.tenant_id]",
        says: "256",
        ..CASE
    },
    Case {
        name: "a client context that is no JSON",
        code: "def handle(event, context): return 1",
        client_context: Some("{"),
        says: "Runtime.LambdaContextUnmarshalError",
        ..CASE
    },
    Case {
        name: "the environment",
        code: "import os, sys\nNAMES = ('_X_AMZN_TRACE_ID', 'AWS_EXECUTION_ENV', 'LAMBDA_TASK_ROOT', '_HANDLER', 'TZ', 'LANG')\nearly = os.environ.get('_X_AMZN_TRACE_ID')\ndef handle(event, context):\n    return [early, [os.environ.get(name) for name in NAMES], os.getcwd(), sys.getfilesystemencoding(), sys.stdout.encoding, open(__file__).encoding]",
        says: "Sampled=1",
        events: &["{}", "{}"],
        ..CASE
    },
    Case {
        name: "a module that hides one of the standard library",
        code: "import pathlib\nimport pkg\ndef handle(event, context): return [pathlib.__name__, list(pkg.__path__)[0][-4:]]",
        says: "/pkg",
        ..CASE
    },
    Case {
        name: "threads and processes",
        code: "import multiprocessing, threading, subprocess, sys\ndef double(x): return 2 * x\ndef handle(event, context):\n    seen = []\n    thread = threading.Thread(target=lambda: seen.append(threading.current_thread() is threading.main_thread()))\n    thread.start()\n    thread.join()\n    with multiprocessing.get_context('spawn').Pool(1) as pool:\n        seen += pool.map(double, [2, 3])\n    return seen + [subprocess.check_output([sys.executable, '-c', 'import sample; print(sample.double(4))'], text=True)]",
        says: "[false, 4, 6",
        ..CASE
    },
    Case {
        name: "what a sandbox keeps",
        code: "count = 0\ndef handle(event, context):\n    global count\n    count += 1\n    if event: raise ValueError(count)\n    return count",
        events: &["0", "1", "0"],
        says: "3",
        ..CASE
    },
    Case {
        name: "warnings",
        code: "import warnings\ndef handle(event, context):\n    warnings.warn('old')\n    return 1",
        says: "UserWarning: old",
        ..CASE
    },
];
