// The first page: routes, functions, keys, warm rules, what the last reload changed, and what is wrong.

const revealed = new Map();

async function keyValue(name) {
  return (await ask("key", { name })).value;
}

/// A word that a shell takes as it is.
const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

/// How a request is made by other programs.
const asCommand = {
  curl: ({ method, url, headers, body }) => ["curl", method === "GET" ? "" : `-X ${method}`,
    ...headers.map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`), body ? `--data-binary ${quoted(body)}` : "", quoted(url)].filter(Boolean).join(" "),
  HTTPie: ({ method, url, headers, body }) => ["http", body ? `--raw ${quoted(body)}` : "", method, quoted(url),
    ...headers.map(([name, value]) => quoted(`${name}:${value}`))].filter(Boolean).join(" "),
  Python: ({ method, url, headers, body }) => `import requests\n\nanswer = requests.request(${JSON.stringify(method)}, ${JSON.stringify(url)}, headers=${
    JSON.stringify(Object.fromEntries(headers))}${body ? `, data=${JSON.stringify(body)}` : ""})\nprint(answer.status_code, answer.text)\n`,
};

/// The first route that a key opens, for an example.
function example(overview) {
  const route = overview.routes.find(({ security }) => security === "key") ?? overview.routes[0];
  const method = route === undefined || route.method === "ANY" ? "GET" : route.method;
  return { method, url: overview.url + (route === undefined || route.path === "/" ? "" : route.path) };
}

function keyEntry(overview, key) {
  const quota = overview.quota;
  const shown = h("code", {}, revealed.get(key.name) ?? "••••••••••••••••");
  const toggle = h("button", {
    type: "button",
    "data-name": `reveal-${key.name}`,
    onclick: async () => {
      if (revealed.delete(key.name)) {
        shown.textContent = "••••••••••••••••";
      } else {
        revealed.set(key.name, await keyValue(key.name));
        shown.textContent = revealed.get(key.name);
      }
      toggle.textContent = revealed.has(key.name) ? "Hide" : "Reveal";
    },
  }, revealed.has(key.name) ? "Hide" : "Reveal");
  const request = async () => ({ ...example(overview), headers: [["x-api-key", await keyValue(key.name)]] });
  const copies = Object.entries(asCommand).map(([name, command]) =>
    copier(name, async () => command(await request()), `the request for ${name}`));
  const use = key.used === null || quota === null ? null : h("p", { class: "note number" },
    `${thousands(key.used)} of ${thousands(quota.limit)} requests a ${quota.period} `,
    h("meter", { min: 0, max: quota.limit, value: key.used, "aria-label": `Use of the quota by ${key.name}` }));
  return h("div", {}, h("h3", {}, key.name, key.closed ? h("span", { class: "warn" }, ` · ${key.closed}`) : null), use,
    h("p", {}, shown),
    h("div", { class: "row keys" }, toggle, copier("Copy", () => keyValue(key.name), `key ${key.name}`), h("span", { class: "label" }, "as"), copies));
}

function ruleEntry(rule) {
  const rate = rule.rate === null ? "another schedule" : `every ${rule.rate === 1 ? "minute" : `${rule.rate} minutes`}`;
  const next = rule.next === null ? null : h("span", {}, "next in ", h("span", { class: "due", "data-due": rule.next }));
  return h("div", {}, h("h3", {}, h("a", { href: `#/function/${rule.function}` }, rule.function)),
    h("p", {}, rate, rule.concurrency > 1 ? `, ${rule.concurrency} at once` : "", rule.enabled ? " · " : " · off", next),
    rule.pings.length === 0 ? h("p", { class: "note" }, "no ping yet") :
      h("ul", { class: "note" }, rule.pings.map((ping) => h("li", { class: "number" }, `${clock(ping.at)} · ${ping.outcome}`))));
}

function problems({ mistake, problems: all, reloaded }) {
  const cards = [];
  if (mistake) {
    cards.push(h("section", { class: "problem", role: "alert" }, h("h2", {}, "The files cannot be served"),
      h("pre", {}, mistake.text), h("p", { class: "note" }, `since ${clock(mistake.at)}; the last good version is still served`)));
  }
  if (reloaded) {
    cards.push(h("section", {}, h("h2", {}, `Reloaded at ${clock(reloaded.at)}`), h("pre", {}, reloaded.changes.join("\n"))));
  }
  if (all.length > 0) {
    cards.push(h("section", {}, h("h2", {}, "Problems"),
      h("ul", {}, all.slice(0, 5).map((problem) => h("li", {}, h("span", { class: "note" }, `${clock(problem.at)} `), problem.text)))));
  }
  return cards;
}

const SECURITY = { key: "key", open: "open", iam: "iam: a signature must be there; it is not verified here" };

function overviewView() {
  const told = part(h("div", {}), problems);
  const routes = part(h("section", {}), (overview) => [h("h2", {}, "Routes"),
    h("p", {}, h("code", {}, overview.url)),
    overview.routes.length === 0 ? h("p", { class: "note" }, "none") :
      table(["method", "path", "function", "security"], overview.routes.map((route) => [
        route.method, h("code", {}, route.path), h("a", { href: `#/function/${route.function}` }, route.function), SECURITY[route.security]]))]);
  const functions = part(h("section", {}), (all) => [h("h2", {}, "Functions"),
    all.length === 0 ? h("p", { class: "note" }, "none") :
      table(["function", "version", "runtime", "memory", "timeout"], all.map((one) => [
        h("a", { href: `#/function/${one.name}`, "data-name": `function-${one.name}` }, one.name), one.version, one.runtime, `${one.memory} MB`, `${one.timeout} s`]), [1, 3, 4])]);
  const keys = part(h("section", {}), (overview) => [h("h2", {}, "Keys"),
    overview.throttle ? h("p", { class: "note" }, `each ${overview.throttle.rate} requests a second, bursts of ${overview.throttle.burst}`) : null,
    overview.keys.length === 0 ? h("p", { class: "note" }, "none") : overview.keys.map((key) => keyEntry(overview, key))]);
  const rules = part(h("section", {}), (all) => [h("h2", {}, "Warm rules"),
    all.length === 0 ? h("p", { class: "note" }, "none") : all.map(ruleEntry)]);
  const element = h("div", {}, told.element, h("div", { class: "columns" },
    h("div", {}, routes.element, functions.element), h("div", {}, keys.element, rules.element)));
  return {
    element,
    overview(overview) {
      told.update(overview.told);
      routes.update({ url: overview.url, routes: overview.routes });
      functions.update(overview.functions);
      keys.update({ url: overview.url, routes: overview.routes, throttle: overview.throttle, quota: overview.quota, keys: overview.keys });
      rules.update(overview.warm_rules);
    },
  };
}
