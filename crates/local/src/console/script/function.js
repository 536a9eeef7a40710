// A function's page: events to test it with, what it answers, and what it logs meanwhile.

const RECENT = 10;
const RUNS = 100;
const AT_ONCE = 4;

const recentOf = (name) => {
  try {
    return JSON.parse(localStorage.getItem(`mdo-recent-${name}`)) ?? [];
  } catch {
    return [];
  }
};

function remember(name, event) {
  const text = JSON.stringify(event);
  const others = recentOf(name).filter((one) => JSON.stringify(one) !== text);
  localStorage.setItem(`mdo-recent-${name}`, JSON.stringify([event, ...others].slice(0, RECENT)));
}

const titleOf = (event) => (event.kind === "api" ? `${event.method} ${event.path}${event.query ? `?${event.query}` : ""}` : event.text.slice(0, 60));

/// `Name: value` on each line.
const headersOf = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean).map((line) => {
  const colon = line.indexOf(":");
  if (colon < 1) throw new Error(`a header is written as \`Name: value\`, and not \`${line}\``);
  return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
});

/// Whether a run was a cold start, and the memory of its sandbox.
const detailsOf = ({ init_ms: init, max_memory_mb: memory }) =>
  [typeof init === "number" ? `cold start ${ms(init)}` : "warm", memory ? `${memory} MB` : null].filter(Boolean);

/// Sends an event and answers what came of it: through the API as any client does, or straight to the function.
async function send(name, event, base) {
  if (event.kind === "api") {
    const headers = new Headers(headersOf(event.headers));
    if (event.key) headers.set("x-api-key", await keyValue(event.key));
    const begun = performance.now();
    const hasBody = event.body !== "" && !["GET", "HEAD"].includes(event.method);
    const answer = await fetch(event.url ?? requestOf(event, base).url, { method: event.method, headers, body: hasBody ? event.body : undefined, cache: "no-store" });
    const text = await answer.text();
    return { isGood: answer.ok, status: `${answer.status} ${answer.statusText}`, text, took: performance.now() - begun, id: answer.headers.get("x-amzn-requestid") };
  }
  const ran = await ask("run", { function: name, event: event.kind === "ping" ? null : JSON.parse(event.text) });
  return { isGood: ran.error === null, status: ran.error ?? "done", text: ran.payload, took: ran.duration_ms, id: ran.request_id, details: detailsOf(ran) };
}

const requestOf = (event, base) => ({
  method: event.method, url: `${base}${event.path === "/" ? "" : event.path}${event.query ? `?${event.query}` : ""}`, body: event.body,
});

/// The document in a text, and the one in its body where it is an answer of a function to the API.
function documentOf(text) {
  try {
    const document = JSON.parse(text);
    const inner = typeof document?.body === "string" ? JSON.parse(document.body) : null;
    return { document, plotted: columnsOf(inner) ?? columnsOf(document) };
  } catch {
    try {
      return { document: JSON.parse(text), plotted: null };
    } catch {
      return { document: null, plotted: null };
    }
  }
}

/// JSON with an array of numbers on a line of its own.
function pretty(document) {
  const text = JSON.stringify(document, null, 2);
  return text.replace(/\[\s+(?:-?[\d.eE+-]+,?\s*)+\]/g, (numbers) => numbers.replace(/\s+/g, " "));
}

function answerView(answer) {
  const { document, plotted } = documentOf(answer.text);
  const log = h("pre", {}, "…");
  const outcome = h("p", { class: answer.isGood ? "good" : "bad", id: "outcome" });
  const update = () => {
    const lines = logOf(answer.id);
    log.textContent = lines.length === 0 ? "nothing yet" : lines.join("\n");
    // Of a request through the API, the log alone knows how the function ran.
    const run = entries.find((entry) => entry.request_id === answer.id && entry.run !== null)?.run;
    const details = answer.details ?? (run ? detailsOf(run) : []);
    outcome.textContent = [answer.status, ms(answer.took), ...details].join(" · ");
  };
  update();
  const rows = plotted === null ? [] : plotted[0][1].slice(0, 20).map((_, row) => plotted.map(([, values]) => String(values[row])));
  const element = h("div", {},
    outcome,
    plotted === null ? null : h("div", {}, scatter(plotted),
      h("div", { class: "rows", tabindex: 0, role: "region", "aria-label": "Rows" }, table(plotted.map(([name]) => name), rows, plotted.map((_, column) => column)),
        plotted[0][1].length > rows.length ? h("p", { class: "note" }, `the first ${rows.length} of ${plotted[0][1].length} rows`) : null)),
    h("h3", {}, "Answer"), h("pre", { class: "result", tabindex: 0, "aria-label": "Answer" }, document === null ? answer.text : pretty(document)),
    h("h3", {}, "Log of this request"), log);
  return { element, log: update };
}

function functionView(name) {
  let overview = null;
  let shown = null;
  const about = part(h("section", {}), (one) => (one === null ? [h("h2", {}, name), h("p", { class: "bad" }, "There is no such function at this stage.")] : [
    h("h2", {}, one.name), one.description ? h("p", {}, one.description) : null,
    facts([["version", String(one.version)], ["runtime", `${one.runtime} ${one.architecture}`], ["handler", one.handler], ["memory", `${one.memory} MB`],
      ["timeout", `${one.timeout} s`], ["variables", one.environment.length === 0 ? "none" : one.environment.join(", ")]])]));
  const field = (label, input) => h("div", { class: "field" }, h("label", { for: input.id }, label), input);
  const kind = h("select", { id: "kind", onchange: () => choose() });
  const route = h("select", { id: "route", onchange: () => fillRoute() });
  const method = h("input", { id: "method", class: "mono" });
  const path = h("input", { id: "path", class: "mono" });
  const query = h("input", { id: "query", class: "mono", placeholder: "name=value&…" });
  const key = h("select", { id: "key" });
  const headers = h("textarea", { id: "headers", rows: 2, placeholder: "Name: value" });
  const body = h("textarea", { id: "body", rows: 4 });
  const custom = h("textarea", { id: "custom", rows: 8, value: "{}", oninput: () => check(), "aria-describedby": "custom-says" });
  const says = h("p", { id: "custom-says", class: "note" });
  const go = h("button", { type: "submit", class: "main" }, "Test");
  const many = h("button", { type: "button", onclick: () => runMany() }, `Run ${RUNS} times`);
  const outcome = h("section", { "aria-live": "polite" }, h("h2", {}, "Result"), h("p", { class: "note" }, "Test shows what the function answers."));
  const api = h("div", {}, field("Route", route), h("div", { class: "columns" }, field("Method", method), field("Path below the stage", path)),
    field("Query", query), field("Key", key), field("Headers, one a line", headers), field("Body", body));
  const json = h("div", {}, field("Event", custom), says);
  const form = h("form", { onsubmit: (event) => { event.preventDefault(); test(); }, onkeydown: (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); test(); }
  } }, field("Event", kind), api, json, h("div", { class: "row" }, go, many, copier("Copy as curl", () => asCurl(), "the request as curl"),
    h("span", { class: "note" }, "Ctrl+Enter tests")));
  const element = h("div", {}, about.element, h("div", { class: "columns" }, h("section", {}, h("h2", {}, "Test"), form), outcome));

  function routes() { return overview?.routes.filter((one) => one.function === name) ?? []; }

  function choices() {
    const chosen = kind.value;
    const rule = overview.warm_rules.find((one) => one.function === name);
    const recent = recentOf(name);
    kind.replaceChildren(...[
      routes().length > 0 ? h("option", { value: "api" }, "API request") : null,
      rule ? h("option", { value: "ping" }, "Warm ping") : null,
      h("option", { value: "empty" }, "Empty event"), h("option", { value: "json" }, "Custom JSON"),
      recent.length === 0 ? null : h("optgroup", { label: "Recent" }, recent.map((event, number) => h("option", { value: `recent-${number}` }, titleOf(event)))),
    ].filter(Boolean));
    if ([...kind.options].some((option) => option.value === chosen)) kind.value = chosen;
    const picked = route.value;
    route.replaceChildren(...routes().map((one, number) => h("option", { value: number }, `${one.method} ${one.path}`)));
    if (picked !== "" && routes()[picked]) route.value = picked; else fillRoute();
    const opener = key.value;
    key.replaceChildren(h("option", { value: "" }, "none"), ...overview.keys.map((one) => h("option", { value: one.name }, one.name)));
    key.value = [...key.options].some((option) => option.value === opener) && opener !== "" ? opener : (overview.keys.find((one) => !one.closed)?.name ?? "");
    show();
  }

  function fillRoute() {
    const one = routes()[route.value || 0];
    if (!one) return;
    method.value = one.method === "ANY" ? "GET" : one.method;
    path.value = one.path;
  }

  function show() {
    api.hidden = kind.value !== "api";
    json.hidden = kind.value !== "json" && kind.value !== "empty" && kind.value !== "ping";
    custom.readOnly = kind.value === "ping";
    check();
  }

  function choose() {
    if (kind.value.startsWith("recent-")) {
      const event = recentOf(name)[Number(kind.value.slice(7))];
      if (event.kind === "api") {
        for (const [input, of] of [[method, "method"], [path, "path"], [query, "query"], [headers, "headers"], [body, "body"], [key, "key"]]) input.value = event[of];
        kind.value = "api";
      } else {
        custom.value = event.text;
        kind.value = "json";
      }
    } else if (kind.value === "empty") {
      custom.value = "{}";
    } else if (kind.value === "ping") {
      custom.value = "{}";
    }
    show();
  }

  /// Says while one types whether the event is JSON.
  function check() {
    if (kind.value === "ping") {
      [says.textContent, says.className] = ["what the warm rule sends", "note"];
      return true;
    }
    try {
      JSON.parse(custom.value);
      [says.textContent, says.className] = ["JSON", "note"];
      custom.removeAttribute("aria-invalid");
      return true;
    } catch (error) {
      [says.textContent, says.className] = [error.message, "bad"];
      custom.setAttribute("aria-invalid", "true");
      return false;
    }
  }

  function event() {
    if (kind.value === "ping") return { kind: "ping", text: "warm ping" };
    if (kind.value !== "api") return { kind: "json", text: custom.value };
    return { kind: "api", method: method.value.toUpperCase(), path: path.value.startsWith("/") ? path.value : `/${path.value}`, query: query.value.replace(/^\?/, ""), key: key.value, headers: headers.value, body: body.value };
  }

  async function asCurl() {
    const now = event();
    if (now.kind !== "api") return `mdo invoke ${name} --local --stage ${overview.stage} ${quoted(now.kind === "ping" ? "{}" : now.text)}`;
    const all = headersOf(now.headers);
    if (now.key) all.push(["x-api-key", await keyValue(now.key)]);
    return asCommand.curl({ ...requestOf(now, overview.url), headers: all });
  }

  async function busy(work) {
    if (kind.value !== "api" && !check()) { custom.focus(); return; }
    go.disabled = many.disabled = true;
    try {
      await work();
    } catch (error) {
      shown = null;
      outcome.replaceChildren(h("h2", {}, "Result"), h("p", { class: "bad", id: "outcome" }, error.message));
    }
    go.disabled = many.disabled = false;
  }

  const base = () => `${location.origin}/${overview.stage}`;

  const test = () => busy(async () => {
    const now = event();
    shown = answerView(await send(name, now, base()));
    outcome.replaceChildren(h("h2", {}, "Result"), shown.element);
    if (now.kind !== "ping") remember(name, now);
    choices();
  });

  const runMany = () => busy(async () => {
    const now = event();
    const [times, failures] = [[], []];
    let next = 0;
    const progress = h("p", { role: "status" }, "running");
    shown = null;
    outcome.replaceChildren(h("h2", {}, "Result"), progress);
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      while (next < RUNS) {
        next += 1;
        const answer = await send(name, now, base());
        times.push(answer.took);
        if (!answer.isGood) failures.push(answer.status);
        progress.textContent = `${times.length} of ${RUNS}`;
      }
    }));
    const sorted = [...times].sort((one, other) => one - other);
    const words = [["p50", 0.5], ["p95", 0.95], ["p99", 0.99]].map(([word, share]) => `${word} ${ms(percentile(sorted, share))}`);
    outcome.replaceChildren(h("h2", {}, `${RUNS} runs, ${AT_ONCE} at a time`), histogram(times),
      h("p", { id: "outcome", class: failures.length === 0 ? "good" : "bad" }, [...words, failures.length === 0 ? "none failed" : `${failures.length} failed: ${failures[0]}`].join(" · ")));
  });

  return {
    element,
    overview(now) {
      const had = overview === null ? null : JSON.stringify([overview.routes, overview.keys.map((one) => one.name), overview.warm_rules.length]);
      overview = now;
      about.update(now.functions.find((one) => one.name === name) ?? null);
      if (had !== JSON.stringify([now.routes, now.keys.map((one) => one.name), now.warm_rules.length])) choices();
    },
    log() { shown?.log(); },
  };
}
