//! How handlers fail, and modules that bring none.

use super::{CASE, Case};

pub(super) const CASES: &[Case] = &[
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
];
