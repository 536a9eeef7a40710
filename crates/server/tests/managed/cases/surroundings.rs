//! What handlers print, log and find around them.

use super::{CASE, Case};

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

/// Which modules of the standard library one of the function hides: not those that the client has imported before.
const HIDING: &str = r#"
import importlib.util, os, sys
folder = os.environ["TMPDIR"] + "/modules"
os.mkdir(folder)
names = sorted(name for name in sys.stdlib_module_names if name[0] != "_" and name != "site")
for name in names:
    open(f"{folder}/{name}.py", "w").close()
sys.path.insert(0, folder)
def handle(event, context):
    return [name for name in names if (found := importlib.util.find_spec(name)) and str(found.origin).startswith(folder)]
"#;

pub(super) const CASES: &[Case] = &[
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
        name: "text without an end before log events",
        code: "import logging, sys\nsys.stdout.write('import')\nlogging.warning('early')\ndef handle(event, context):\n    sys.stdout.write('half')\n    logging.warning('whole')\n    print('on stderr', end='', file=sys.stderr)\n    context.log('as it is')\n    sys.stdout.writelines(['a\\n', 'b'])\n    raise ValueError('no')",
        says: "\n| half\n| [WARNING]",
        events: &["{}", "{}"],
        ..CASE
    },
    Case {
        name: "what an output answers",
        code: "import sys\ndef handle(event, context):\n    with sys.stdout as same:\n        answers = [sys.stdout.write('a\\n'), sys.stderr.writelines(['b\\n']), sys.stdout.isatty(), sys.stdout.buffer is sys.__stdout__.buffer]\n    return answers + [sys.stdout.closed, hasattr(sys.stdout, '__iter__')]",
        says: "[null, null, false, true, false, true]",
        ..CASE
    },
    Case {
        name: "logs while an output is redirected",
        code: "import contextlib, io, logging\ndef handle(event, context):\n    with contextlib.redirect_stdout(io.StringIO()) as kept:\n        print('printed', end='')\n        logging.warning('logged')\n    return kept.getvalue()",
        says: "\n\"printed\"\n",
        ..CASE
    },
    Case {
        name: "modules that hide those of the standard library",
        code: HIDING,
        says: "\"random\"",
        ..CASE
    },
    Case {
        name: "logging imported by a thread, and once more",
        code: "import threading\ndef log():\n    import logging\n    logging.warning('from a thread')\ndef handle(event, context):\n    thread = threading.Thread(target=log)\n    thread.start()\n    thread.join()\n    import importlib, logging\n    before = len(logging.getLogger().handlers)\n    importlib.reload(logging)\n    return [before, len(logging.getLogger().handlers)]",
        says: "[1, 0]",
        events: &["{}"],
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
