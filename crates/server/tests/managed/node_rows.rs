//! The table of Node.js handlers, with what each answers and on which versions.

use serde_json::{Value, json};

/// What a row expects.
pub(crate) enum Expected {
    Answer(Value),
    /// Type and message.
    Error(&'static str, &'static str),
}

use Expected::{Answer, Error};

pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) versions: &'static [u32],
    pub(crate) file: &'static str,
    pub(crate) code: &'static str,
    pub(crate) handler: &'static str,
    pub(crate) expected: Expected,
}

const BOTH: &[u32] = &[22, 24];

fn row(name: &'static str, file: &'static str, code: &'static str, expected: Expected) -> Row {
    Row { name, versions: BOTH, file, code, handler: "index.handler", expected }
}

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row(
            "an async function of an ES module",
            "index.mjs",
            "export const handler = async (event) => event;",
            Answer(json!({"a": [1]})),
        ),
        row(
            "an async function of CommonJS",
            "index.js",
            "exports.handler = async (event) => event;",
            Answer(json!({"a": [1]})),
        ),
        row(
            "CommonJS by its ending",
            "index.cjs",
            "exports.handler = async () => typeof require;",
            Answer(json!("function")),
        ),
        row(
            "an ES module by its syntax",
            "index.js",
            "export const handler = async () => import.meta.dirname.length > 1;",
            Answer(json!(true)),
        ),
        row(
            "a promise",
            "index.js",
            "exports.handler = (event) => new Promise((done) => setTimeout(() => done(event.a), 5));",
            Answer(json!([1])),
        ),
        row(
            "a promise of what is no native one",
            "index.js",
            "exports.handler = () => ({ then: (done) => done(7) });",
            Answer(json!(7)),
        ),
        row(
            "top-level await",
            "index.mjs",
            "const model = await Promise.resolve(3);\nexport const handler = async () => model;",
            Answer(json!(3)),
        ),
        row("nothing", "index.mjs", "export const handler = async () => {};", Answer(Value::Null)),
        row("a function", "index.mjs", "export const handler = async () => () => 1;", Answer(Value::Null)),
        row(
            "letters of every kind",
            "index.mjs",
            "export const handler = async () => 'Zoë 😀 \\u2028';",
            Answer(json!("Zoë 😀 \u{2028}")),
        ),
        row(
            "the default export",
            "index.mjs",
            "export default { handler: async () => 'default' };",
            Answer(json!("default")),
        ),
        Row {
            handler: "index.api.get",
            ..row(
                "a function in an object",
                "index.mjs",
                "export const api = { get: async () => 'nested' };",
                Answer(json!("nested")),
            )
        },
        Row {
            handler: "src/v1/index.handler",
            ..row(
                "a file in a folder",
                "src/v1/index.mjs",
                "export const handler = async () => 'deep';",
                Answer(json!("deep")),
            )
        },
        Row {
            versions: &[22],
            ..row(
                "a callback",
                "index.js",
                "exports.handler = (event, context, callback) => setTimeout(() => callback(null, 'called'), 5);",
                Answer(json!("called")),
            )
        },
        Row {
            versions: &[22],
            ..row(
                "a callback with an error",
                "index.js",
                "exports.handler = (event, context, callback) => callback(new RangeError('far'));",
                Error("RangeError", "far"),
            )
        },
        Row {
            versions: &[22],
            ..row(
                "a callback that does not wait",
                "index.js",
                "exports.handler = (event, context, callback) => { context.callbackWaitsForEmptyEventLoop = false; setInterval(() => {}, 1000); callback(null, 1); };",
                Answer(json!(1)),
            )
        },
        Row {
            versions: &[22],
            ..row(
                "a callback that waits for what is open",
                "index.js",
                "let done = 0;\nexports.handler = (event, context, callback) => { setTimeout(() => { done = 1; }, 20); callback(null, { get done() { return done; } }); };",
                Answer(json!({"done": 1})),
            )
        },
        Row {
            versions: &[22],
            ..row(
                "succeed of the context",
                "index.js",
                "exports.handler = (event, context) => context.succeed('well');",
                Answer(json!("well")),
            )
        },
        Row {
            versions: &[22],
            ..row(
                "fail of the context",
                "index.js",
                "exports.handler = (event, context) => context.fail('ill');",
                Error("string", "ill"),
            )
        },
        Row {
            versions: &[22],
            ..row(
                "nobody calls back",
                "index.js",
                "exports.handler = (event, context, callback) => 'ignored';",
                Answer(Value::Null),
            )
        },
        Row {
            versions: &[24],
            ..row(
                "a callback from Node.js 24 on",
                "index.js",
                "exports.handler = (event, context, callback) => callback(null, 1);",
                Error(
                    "Runtime.CallbackHandlerDeprecated",
                    "Node.js 24 and later run no handler that takes a callback: declare it as an async function of event and context, or return a promise",
                ),
            )
        },
        Row {
            versions: &[24],
            ..row(
                "a function that is not async",
                "index.js",
                "exports.handler = (event) => event.a;",
                Answer(json!([1])),
            )
        },
        row(
            "an error",
            "index.mjs",
            "export const handler = async () => { throw new TypeError('no\\nway'); };",
            Error("TypeError", "no\nway"),
        ),
        row(
            "an error of its own class",
            "index.mjs",
            "class Odd extends Error { name = 'Größe' }\nexport const handler = async () => { throw new Odd('x'); };",
            Error("Größe", "x"),
        ),
        row(
            "something else that is thrown",
            "index.mjs",
            "export const handler = async () => { throw 'text'; };",
            Error("string", "text"),
        ),
        row(
            "a circle",
            "index.mjs",
            "export const handler = async () => { const a = {}; a.a = a; return a; };",
            Error("Runtime.JSONStringifyError", "Unable to stringify response body"),
        ),
        row(
            "a large integer",
            "index.mjs",
            "export const handler = async () => 1n;",
            Error("Runtime.JSONStringifyError", "Unable to stringify response body"),
        ),
        row(
            "a promise that nobody catches",
            "index.mjs",
            "export const handler = () => new Promise(() => { Promise.reject(new Error('lost')); setInterval(() => {}, 1000); });",
            Error("Runtime.UnhandledPromiseRejection", "Error: lost"),
        ),
        row(
            "an error that nobody catches",
            "index.mjs",
            "export const handler = () => new Promise(() => setTimeout(() => { throw new RangeError('later'); }, 1));",
            Error("RangeError", "later"),
        ),
        row(
            "an exit",
            "index.mjs",
            "export const handler = async () => process.exit(3);",
            Error(
                "Runtime.ExitError",
                "RequestId: 8d2f5f27-3b5c-4b3e-9a52-0c3a1f0d9d11 Error: Runtime exited with error: exit status 3",
            ),
        ),
        row(
            "a promise that is never kept",
            "index.mjs",
            "export const handler = async () => new Promise(() => {});",
            Error(
                "Runtime.NodeJsExit",
                "The process would exit while the event runs: the handler returned a promise that was never settled",
            ),
        ),
        row(
            "a syntax error",
            "index.mjs",
            "export const handler = async ( => 1;",
            Error("Runtime.UserCodeSyntaxError", "SyntaxError: Unexpected token '=>'"),
        ),
        row(
            "an error at import",
            "index.mjs",
            "throw new RangeError('no model');",
            Error("RangeError", "no model"),
        ),
        row(
            "a missing module",
            "index.js",
            "require('no-such-module');",
            Error("Runtime.ImportModuleError", "Error: Cannot find module 'no-such-module'"),
        ),
        row(
            "a missing module of an ES module",
            "index.mjs",
            "import 'no-such-module';",
            Error(
                "Runtime.ImportModuleError",
                "Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'no-such-module'",
            ),
        ),
        row(
            "a missing file",
            "other.mjs",
            "",
            Error("Runtime.ImportModuleError", "Error: Cannot find module './index'"),
        ),
        row(
            "a missing export",
            "index.mjs",
            "export const other = 1;",
            Error("Runtime.HandlerNotFound", "index.handler is undefined or not exported"),
        ),
        row(
            "an export that is no function",
            "index.mjs",
            "export const handler = 7;",
            Error("Runtime.HandlerNotFound", "index.handler is not a function"),
        ),
        Row {
            handler: "index",
            ..row(
                "a handler without a function",
                "index.mjs",
                "",
                Error("Runtime.MalformedHandlerName", "Bad handler"),
            )
        },
        Row {
            handler: "../index.handler",
            ..row(
                "a handler elsewhere",
                "index.mjs",
                "",
                Error(
                    "Runtime.MalformedHandlerName",
                    "'../index.handler' is not a valid handler name. Use absolute paths when specifying root directories in handler names.",
                ),
            )
        },
        row(
            "a streamed response",
            "index.mjs",
            "export const handler = awslambda.streamifyResponse(async (event, stream) => { stream.write('{\"a\":'); stream.write('1}'); stream.end(); });",
            Answer(json!({"a": 1})),
        ),
        row(
            "a process that is forked",
            "index.mjs",
            "import { fork } from 'node:child_process';\nif (process.send) process.send('child'); \nexport const handler = () => new Promise((done) => { const child = fork(import.meta.filename); child.once('message', done); });",
            Answer(json!("child")),
        ),
        row(
            "a thread",
            "index.mjs",
            "import { Worker, isMainThread, parentPort } from 'node:worker_threads';\nif (!isMainThread) parentPort.postMessage('thread');\nexport const handler = () => new Promise((done) => new Worker(import.meta.filename).once('message', done));",
            Answer(json!("thread")),
        ),
    ]
}
