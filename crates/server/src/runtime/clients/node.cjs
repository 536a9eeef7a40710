// The client of the Lambda Runtime API for Node.js, as Lambda's own behaves: `node -e <this>`.
//
// It is CommonJS: `--input-type=module` would be inherited by every process that the function forks.
"use strict";

(() => {
  const { spawnSync } = require("node:child_process");
  const http = require("node:http");
  const path = require("node:path");
  const fs = require("node:fs");
  const { AsyncLocalStorage } = require("node:async_hooks");
  const { createRequire } = require("node:module");
  const { PassThrough } = require("node:stream");
  const { pathToFileURL } = require("node:url");
  const { format } = require("node:util");

  const environment = { ...process.env };
  const handlerName = environment._HANDLER;
  const root = environment.LAMBDA_TASK_ROOT;
  const logsJson = environment.AWS_LAMBDA_LOG_FORMAT?.toUpperCase() === "JSON";
  const takesCallbacks = Number(process.versions.node.split(".")[0]) < 24;
  const events = new AsyncLocalStorage();
  const [host, port] = environment.AWS_LAMBDA_RUNTIME_API.split(":");
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

  class Fault extends Error {
    constructor(name, message, stack) {
      super(message);
      this.name = `Runtime.${name}`;
      if (stack) this.stack = stack;
    }
  }

  function call(method, where, body, errorType) {
    return new Promise((resolve, reject) => {
      // A header takes no other letters.
      const named = String(errorType).replace(/[^\x20-\x7e]/g, "?");
      const headers = errorType ? { "Lambda-Runtime-Function-Error-Type": named } : {};
      if (body !== undefined) headers["Content-Length"] = Buffer.byteLength(body);
      const target = { host, port, agent, method, headers, path: `/2018-06-01/runtime/${where}` };
      const request = http.request(target, (answer) => {
        const chunks = [];
        answer.on("data", (chunk) => chunks.push(chunk));
        answer.on("end", () => resolve({ headers: answer.headers, text: Buffer.concat(chunks).toString() }));
      });
      request.on("error", reject);
      request.end(body);
    });
  }

  // Logs

  const levels = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
  const lowest = Math.max(0, levels.indexOf(environment.AWS_LAMBDA_LOG_LEVEL?.toUpperCase()));

  function write(level, message, ...more) {
    if (levels.indexOf(level) < lowest) return;
    const timestamp = new Date().toISOString();
    const request = events.getStore();
    const line = logsJson
      ? jsonLine({ timestamp, level, requestId: request }, message, more)
      : `${timestamp}\t${request}\t${level}\t${withoutUs(format(message, ...more))}`;
    // A carriage return ends no event in CloudWatch.
    process.stdout.write(`${line.replace(/\n/g, "\r")}\n`);
  }

  function jsonLine(fields, message, more) {
    const asDocument = (_, value) =>
      value instanceof Error
        ? { ...value, errorType: value.constructor?.name, errorMessage: value.message, stackTrace: lines(value.stack) }
        : value;
    try {
      if (more.length === 0) return JSON.stringify({ ...fields, message }, asDocument);
    } catch {
      return JSON.stringify({ ...fields, message: format(message) });
    }
    const error = more.find((value) => value instanceof Error);
    const told = error && {
      errorType: error.constructor?.name,
      errorMessage: error.message,
      stackTrace: lines(error.stack),
    };
    return JSON.stringify({ ...fields, message: format(message, ...more), ...told });
  }

  const consoleLevels = { log: "INFO", trace: "TRACE", debug: "DEBUG", info: "INFO", warn: "WARN", error: "ERROR" };
  for (const [name, level] of Object.entries(consoleLevels)) {
    console[name] = (message, ...more) => write(level, message, ...more);
  }
  console.fatal = (message, ...more) => write("FATAL", message, ...more);

  // Errors

  const isOurs = /^\s+at .*\[eval\]:\d+:\d+\)?( \{)?$/;

  /** The lines of a stack, without our own frames at its end. */
  function lines(text) {
    if (typeof text !== "string") return [];
    const all = text.split("\n");
    const ours = all.findIndex((line) => isOurs.test(line));
    return ours < 0 ? all : all.slice(0, ours);
  }

  /** A text that holds stacks, without the frames of each that are ours or come after them. */
  function withoutUs(text) {
    let isBelow = false;
    const isKept = (line) => {
      isBelow = /^\s+at /.test(line) && (isBelow || isOurs.test(line));
      return !isBelow;
    };
    return text.includes("[eval]:") ? text.split("\n").filter(isKept).join("\n") : text;
  }

  function described(error) {
    if (!(error instanceof Error)) return { errorType: typeof error, errorMessage: String(error), trace: [] };
    return { errorType: error.name, errorMessage: error.message, trace: lines(error.stack) };
  }

  function logError(what, thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    if (logsJson) return write("ERROR", what, error);
    const { name: errorType, message: errorMessage, code, stack } = error;
    let told;
    try {
      told = JSON.stringify({ errorType, errorMessage, code, ...error, stack: lines(stack) });
    } catch {
      told = JSON.stringify(described(error));
    }
    write("ERROR", what, `\t${told}`);
  }

  /** Tells an error that nobody caught, and ends the process: before the first event as that of the initialisation. */
  async function end(what, error, status) {
    logError(what, error);
    const told = described(error);
    const where = running ? `invocation/${running}/error` : "init/error";
    await call("POST", where, JSON.stringify(told), told.errorType).catch(() => {});
    process.exit(status);
  }

  let running;
  /** Waits for a promise of the function. Once nothing is left that could settle it, the process would end without a word. */
  function settled(promise) {
    const message = "The process would exit while the event runs: the handler returned a promise that was never settled";
    const idle = new Promise((_, reject) => {
      const fault = new Fault("NodeJsExit", message, `Runtime.NodeJsExit: ${message}`);
      // A callback that waits until nothing is left answers now.
      process.once("beforeExit", () => setImmediate(reject, fault));
    });
    return Promise.race([promise, idle]);
  }

  process.on("uncaughtException", (error) => end("Uncaught Exception", error, 129));
  process.on("unhandledRejection", (reason) => {
    const error = new Fault("UnhandledPromiseRejection", String(reason), reason?.stack);
    error.reason = reason;
    end("Unhandled Promise Rejection", error, 128);
  });

  // The function

  const streaming = Symbol.for("aws.lambda.runtime.handler.streaming");
  globalThis.awslambda = {
    streamifyResponse: (handler) => Object.assign(handler, { [streaming]: "response" }),
    HttpResponseStream: { from: (stream, metadata) => Object.assign(stream, { metadata }) },
  };

  async function load() {
    if (handlerName.includes("..")) {
      const advice = "Use absolute paths when specifying root directories in handler names.";
      throw new Fault("MalformedHandlerName", `'${handlerName}' is not a valid handler name. ${advice}`);
    }
    const base = path.basename(handlerName);
    const folder = handlerName.slice(0, handlerName.lastIndexOf(base));
    const [, file, exported] = base.match(/^([^.]*)\.(.*)$/) ?? [];
    if (exported === undefined) throw new Fault("MalformedHandlerName", "Bad handler");
    const module = await loadModule(path.resolve(root, folder), file);
    const find = (from) => exported.split(".").reduce((value, key) => value?.[key], from);
    const handler = find(module) ?? find(module.default);
    if (handler === undefined || handler === null) {
      throw new Fault("HandlerNotFound", `${handlerName} is undefined or not exported`);
    }
    if (typeof handler !== "function") throw new Fault("HandlerNotFound", `${handlerName} is not a function`);
    if (handler.length >= 3 && !handler[streaming] && !takesCallbacks) {
      const advice = "declare it as an async function of event and context, or return a promise";
      throw new Fault("CallbackHandlerDeprecated", `Node.js 24 and later run no handler that takes a callback: ${advice}`);
    }
    return handler;
  }

  async function loadModule(folder, name) {
    const file = ["", ".js", ".mjs", ".cjs"].map((end) => path.join(folder, name + end)).find(isFile);
    try {
      if (file) return await import(pathToFileURL(file).href);
      const require = createRequire(path.join(root, "index.js"));
      return require(require.resolve(`./${name}`, { paths: [folder, root] }));
    } catch (error) {
      if (error instanceof SyntaxError) {
        const place = error.stack.includes(root) || !file ? "" : placeOfSyntaxError(file);
        throw new Fault("UserCodeSyntaxError", String(error), place + error.stack);
      }
      if (/MODULE_NOT_FOUND$/.test(error?.code)) throw new Fault("ImportModuleError", String(error), error.stack);
      throw error;
    }
  }

  /** File, line and text of an error in an ES module, as a stack begins with: Node.js tells them of an error that ends a process alone. */
  function placeOfSyntaxError(file) {
    const script = `import(${JSON.stringify(pathToFileURL(file).href)})`;
    const { stderr } = spawnSync(process.execPath, ["-e", script], { encoding: "utf8", timeout: 5000 });
    const [place, rest] = stderr.split("\n\nSyntaxError: ");
    return rest === undefined ? "" : `${place}\n\n`;
  }

  const isFile = (name) => fs.statSync(name, { throwIfNoEntry: false })?.isFile();

  function contextOf(headers) {
    const parsed = (name) => (headers[name] ? JSON.parse(headers[name]) : undefined);
    const deadline = Number(headers["lambda-runtime-deadline-ms"]);
    return {
      clientContext: parsed("lambda-runtime-client-context"),
      identity: parsed("lambda-runtime-cognito-identity"),
      invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
      awsRequestId: headers["lambda-runtime-aws-request-id"],
      functionName: environment.AWS_LAMBDA_FUNCTION_NAME,
      functionVersion: environment.AWS_LAMBDA_FUNCTION_VERSION,
      memoryLimitInMB: environment.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
      logGroupName: environment.AWS_LAMBDA_LOG_GROUP_NAME,
      logStreamName: environment.AWS_LAMBDA_LOG_STREAM_NAME,
      getRemainingTimeInMillis: () => deadline - Date.now(),
    };
  }

  /** Runs a handler of the kind that takes a callback, or calls back through its context. */
  function withCallback(handler, event, context) {
    return new Promise((resolve, reject) => {
      let isOver = false;
      const once = (settle) => (...values) => isOver || ((isOver = true), settle(...values));
      const settle = (error, value) => (error === undefined || error === null ? resolve(value) : reject(error));
      const whenIdle = (value) => process.once("beforeExit", () => resolve(value));
      const callback = once((error, value) => {
        const waits = context.callbackWaitsForEmptyEventLoop && (error === undefined || error === null);
        return waits ? whenIdle(value) : settle(error, value);
      });
      context.callbackWaitsForEmptyEventLoop = true;
      context.done = once(settle);
      context.succeed = once(resolve);
      context.fail = once((error) => reject(error ?? "handled"));
      const returned = handler(event, context, callback);
      if (typeof returned?.then === "function") returned.then(once(resolve), once(reject));
      // Nothing is left that could call back: Lambda answers null.
      else process.once("beforeExit", once(() => resolve(null)));
    });
  }

  /** Collects what a handler writes that streams its response. */
  async function collected(handler, event, context) {
    const stream = Object.assign(new PassThrough(), { setContentType: () => {} });
    const chunks = [];
    stream.on("data", (chunk) => chunks.push(chunk));
    const ended = new Promise((resolve, reject) => stream.on("end", resolve).on("error", reject));
    await settled(handler(event, stream, context));
    stream.end();
    await settled(ended);
    const body = Buffer.concat(chunks);
    return stream.metadata ? JSON.stringify({ ...stream.metadata, body: body.toString() }) : body;
  }

  async function answerOf(handler, event, context) {
    if (handler[streaming]) return collected(handler, event, context);
    const run = takesCallbacks ? withCallback : (handler, event, context) => handler(event, context);
    const answer = await settled(run(handler, event, context));
    try {
      return JSON.stringify(answer === undefined ? null : answer) ?? "null";
    } catch {
      throw new Fault("JSONStringifyError", "Unable to stringify response body");
    }
  }

  async function main() {
    let handler;
    try {
      handler = await load();
    } catch (error) {
      return end("Uncaught Exception", error, 129);
    }
    for (;;) {
      const { headers, text } = await call("GET", "invocation/next");
      const id = (running = headers["lambda-runtime-aws-request-id"]);
      process.env._X_AMZN_TRACE_ID = headers["lambda-runtime-trace-id"] ?? "";
      await events.run(id, async () => {
        process.removeAllListeners("beforeExit");
        try {
          const answer = await answerOf(handler, JSON.parse(text), contextOf(headers));
          await call("POST", `invocation/${id}/response`, answer);
        } catch (error) {
          logError("Invoke Error", error);
          const told = described(error);
          await call("POST", `invocation/${id}/error`, JSON.stringify(told), told.errorType);
        }
      });
    }
  }

  main();
})();
