//! Node.js functions, as <https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html> and its neighbours describe them: each row of the
//! table says which versions it holds for.

use mdo_model::project::Interpreter;
use mdo_server::runtime::{InvokeContext, Launcher};
use serde_json::{Value, json};

use crate::function::{Function, Outcome, REQUEST, folder};
use crate::installed::node;
use crate::node_rows::Expected::{Answer, Error};
use crate::node_rows::{Row, rows};

fn function(major: u32, file: &str, code: &str, handler: &str) -> Function {
    let program = node(major);
    Function::new(&folder(&[(file, code)]), &format!("nodejs{major}.x"), handler, |code| {
        Launcher::interpreter(Interpreter::Node { major }, program, code, &[])
    })
    .with(|spec| spec.shown = Some("functions/web".into()))
}

#[tokio::test(flavor = "multi_thread")]
async fn handlers_are_what_lambdas_documentation_says() {
    let mut differences = Vec::new();
    for Row { name, versions, file, code, handler, expected } in rows() {
        for major in versions {
            let outcome = function(*major, file, code, handler).once(r#"{"a": [1]}"#).await;
            let payload = outcome.payload();
            let is_as_expected = match &expected {
                Answer(answer) => outcome.result.error.is_none() && payload == *answer,
                Error(kind, message) => {
                    let told = payload["errorMessage"].as_str().unwrap_or_default();
                    // What follows is where it was looked for.
                    payload["errorType"] == *kind
                        && (told == *message
                            || kind.ends_with("ImportModuleError") && told.starts_with(message))
                }
            };
            if !is_as_expected {
                differences.push(format!("{name} on {major}: {payload:#}\n{}", outcome.lines.join("\n")));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}

fn told(outcome: &Outcome) -> Vec<&str> {
    let lines = outcome.lines.iter().filter(|line| line.contains("Z\t"));
    lines.map(|line| line.split_once('\t').unwrap().1).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_writes_lines_as_lambda_does() {
    let code = r"
console.log('init', 1);
export const handler = async () => {
  console.debug('%s is %d', 'one', 1);
  console.info({ a: [1] });
  console.warn('two\nlines');
  console.error(new TypeError('no').message);
};";
    for major in [22, 24] {
        let outcome = function(major, "index.mjs", code, "index.handler").once("{}").await;
        let id = |line: &str| format!("{REQUEST}\t{line}");
        assert_eq!(
            told(&outcome),
            [
                "undefined\tINFO\tinit 1".to_owned(),
                id("DEBUG\tone is 1"),
                id("INFO\t{ a: [ 1 ] }"),
                id("WARN\ttwo"),
                id("ERROR\tno"),
            ]
        );
        assert!(outcome.lines.contains(&"lines".to_owned()), "{:?}", outcome.lines);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_on_the_console_ends_with_the_functions_own_frame() {
    let code = "export const handler = async () => { console.error(Object.assign(new Error('no'), { a: 1 })); console.warn('%s', new Error('b').stack, 'end'); };";
    let outcome = function(24, "index.mjs", code, "index.handler").once("{}").await;
    let log = outcome.lines.join("\n");
    assert!(log.contains("at handler (functions/web/index.mjs:1:"), "{log}");
    assert!(!log.contains("[eval]") && !log.contains("node:internal"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_may_be_documents_of_a_level() {
    let code = "export const handler = async () => { console.log('low'); console.warn('x', 1); console.error(new TypeError('no')); };";
    let function = function(22, "index.mjs", code, "index.handler");
    let function = function.set("AWS_LAMBDA_LOG_FORMAT", "JSON").set("AWS_LAMBDA_LOG_LEVEL", "WARN");
    let outcome = function.once("{}").await;
    let documents = outcome.lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let documents: Vec<Value> = documents
        .map(|mut document| {
            assert!(document["timestamp"].take().is_string());
            document
        })
        .collect();
    assert_eq!(
        documents,
        [
            json!({"timestamp": null, "level": "WARN", "requestId": REQUEST, "message": "x 1"}),
            json!({"timestamp": null, "level": "ERROR", "requestId": REQUEST, "message": {
                "errorType": "TypeError",
                "errorMessage": "no",
                "stackTrace": ["TypeError: no", "    at handler (functions/web/index.mjs:1:94)"],
            }}),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_name_the_users_own_file_and_end_with_it() {
    for (file, code) in [
        (
            "index.mjs",
            "const inner = () => { throw new Error('no'); };\nexport const handler = async () => inner();",
        ),
        (
            "index.cjs",
            "const inner = () => { throw new Error('no'); };\nexports.handler = async () => inner();",
        ),
    ] {
        for major in [22, 24] {
            let outcome = function(major, file, code, "index.handler").once("{}").await;
            let trace = outcome.payload()["trace"].clone();
            let trace: Vec<&str> = trace.as_array().unwrap().iter().filter_map(Value::as_str).collect();
            assert_eq!(trace.len(), 3, "{trace:?}");
            assert_eq!(
                trace[..2],
                ["Error: no", format!("    at inner (functions/web/{file}:1:29)").as_str()]
            );
            assert!(trace[2].contains(&format!("functions/web/{file}:2:")), "{trace:?}");
            let log = outcome.lines.join("\n");
            assert!(log.contains("\tERROR\tInvoke Error \t{\"errorType\":\"Error\""), "{log}");
            assert!(log.contains(&format!("functions/web/{file}:1:29")), "{log}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_syntax_error_names_its_file_and_line_in_a_module_of_either_kind() {
    for (file, code) in [
        ("index.mjs", "import './other.mjs';"),
        ("index.mjs", "\nexport const handler = async ( => 1;"),
        ("index.js", "\nexports.handler = async ( => 1;"),
    ] {
        let broken = ("other.mjs", "\nconst a = ;");
        let program = node(24);
        let function =
            Function::new(&folder(&[(file, code), broken]), "nodejs24.x", "index.handler", |code| {
                Launcher::interpreter(Interpreter::Node { major: 24 }, program, code, &[])
            })
            .with(|spec| spec.shown = Some("functions/web".into()));
        let trace = function.once("{}").await.payload()["trace"].clone();
        let file = if code.contains("other") { "other.mjs" } else { file };
        assert_eq!(trace[0], format!("functions/web/{file}:2"), "{trace:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_context_holds_what_the_event_came_with() {
    let code = "export const handler = async (event, context) => { const left = context.getRemainingTimeInMillis(); return { ...context, left: left > 0 && left <= 30000, trace: process.env._X_AMZN_TRACE_ID.slice(0, 7) }; };";
    let function = function(24, "index.mjs", code, "index.handler");
    let runtime = function.start();
    let context = InvokeContext {
        client_context: Some(r#"{"custom": {"a": 1}}"#.into()),
        trace_id: Some("Root=1-5e1b4151-43a0913a12345678901234567".into()),
        ..InvokeContext::default()
    };
    let mut document = function.run_in(&runtime, "{}", context).await.payload();
    assert!(document["logStreamName"].take().as_str().unwrap().contains("[7]"));
    assert_eq!(
        document,
        json!({
            "clientContext": {"custom": {"a": 1}},
            "invokedFunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:ml_api_sample:dev",
            "awsRequestId": REQUEST,
            "functionName": "ml_api_sample",
            "functionVersion": "7",
            "memoryLimitInMB": "256",
            "logGroupName": "/aws/lambda/ml_api_sample",
            "logStreamName": null,
            "left": true,
            "trace": "Root=1-",
        })
    );
    runtime.retire().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_keeps_its_module_after_an_error() {
    let code = "let count = 0;\nexport const handler = async (event) => { count += 1; if (event) throw new Error('x'); return count; };";
    let function = function(22, "index.mjs", code, "index.handler");
    let runtime = function.start();
    for (event, count) in [("0", Some(1)), ("1", None), ("0", Some(3))] {
        let outcome = function.run(&runtime, event).await;
        assert_eq!(outcome.result.error.is_none(), count.is_some());
        if let Some(count) = count {
            assert_eq!(outcome.payload(), count);
        }
    }
    runtime.retire().await;
}
