// The frame: which view is shown, what the server tells, search, and the time until the next ping.

const SPANS = [["15 minutes", 900_000], ["1 hour", 3_600_000], ["6 hours", 21_600_000], ["24 hours", 86_400_000]];
const REDRAWN_EVERY = 5_000;

function picturesView() {
  const span = h("select", { id: "span", onchange: () => draw() }, SPANS.map(([name, length]) => h("option", { value: length }, name)));
  span.value = 3_600_000;
  const picture = h("img", { class: "picture", width: 960, height: 704, alt: "Requests by status, how long events took, and sandboxes with cold starts and warm pings, over time" });
  const draw = () => { picture.src = `/_mdo/picture.svg?since=${span.value}&at=${Date.now()}`; };
  draw();
  const timer = setInterval(draw, REDRAWN_EVERY);
  return {
    element: h("div", {}, h("div", { class: "row" }, h("h2", {}, "Pictures"), h("label", { class: "hidden", for: "span" }, "Time"), span), picture,
      h("p", { class: "note" }, "the same as ", h("code", {}, "mdo status --local --svg status.svg"))),
    close: () => clearInterval(timer),
  };
}

function configurationView() {
  const served = h("pre", { class: "result", tabindex: 0, "aria-label": "What is served" }, "…");
  const plan = h("pre", { role: "status" });
  const button = h("button", { type: "button", onclick: async () => {
    button.disabled = true;
    plan.textContent = "asking AWS";
    try {
      plan.textContent = (await ask("plan", {})).text;
      plan.className = "";
    } catch (error) {
      plan.textContent = error.message;
      plan.className = "bad";
    }
    button.disabled = false;
  } }, "Plan against AWS");
  const read = async () => { served.textContent = JSON.stringify(await ask("configuration"), (_, value) => (String(value).startsWith("secret:") ? "••••••" : value), 2); };
  read();
  let versions = null;
  return {
    element: h("div", {}, h("h2", {}, "Configuration"),
      h("section", {}, h("h3", {}, "What a deploy to AWS would change"), h("p", { class: "note" }, "Asks AWS with the credentials of this machine, and changes nothing."), button, plan),
      h("section", {}, h("h3", {}, "What is served"), h("p", { class: "note" }, "Values of variables are masked."), served)),
    overview(now) {
      const text = JSON.stringify([now.functions, now.routes, now.keys.map((key) => key.closed)]);
      if (versions !== null && versions !== text) read();
      versions = text;
    },
  };
}

let overview = null;
let view = null;

function show() {
  const [, page, name] = location.hash.split("/");
  view?.close?.();
  const views = { logs: logsView, pictures: picturesView, configuration: configurationView, function: () => functionView(decodeURIComponent(name ?? "")) };
  view = (views[page] ?? overviewView)();
  byId("main").replaceChildren(view.element);
  const current = `#/${views[page] ? page : ""}`;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (overview) view.overview?.(overview);
  view.shown?.();
  countDown();
}

function countDown() {
  for (const element of document.querySelectorAll("[data-due]")) {
    const left = Math.max(0, Math.round((Number(element.dataset.due) - Date.now()) / 1000));
    element.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  }
}

function listen() {
  const state = byId("connection");
  const feed = new EventSource("/_mdo/events");
  const on = (name, take) => feed.addEventListener(name, (event) => take(JSON.parse(event.data)));
  feed.onopen = () => { [state.textContent, state.className] = ["live", "live"]; };
  feed.onerror = async () => {
    [state.textContent, state.className] = ["not connected: trying again", ""];
    if (feed.readyState !== EventSource.CLOSED) return;
    // A server that answers and does not let us in has another token by now.
    const answer = await fetch("/_mdo/configuration").catch(() => null);
    if (answer?.status === 401) state.textContent = "mdo dev was started anew: open the address that it has printed";
    else setTimeout(listen, 1000);
  };
  on("begin", () => { entries = []; leftOut = 0; });
  on("overview", (now) => {
    overview = now;
    view.overview?.(now);
    countDown();
  });
  on("log", (news) => {
    takeEntries(news);
    view.log?.(news.entries.length);
  });
}

function search() {
  const [input, found] = [byId("search"), byId("found")];
  let hits = [];
  let chosen = 0;
  const places = () => [
    ...[["Overview", "#/"], ["Logs", "#/logs"], ["Pictures", "#/pictures"], ["Configuration", "#/configuration"]],
    ...(overview?.functions ?? []).map((one) => [one.name, `#/function/${one.name}`]),
    ...(overview?.routes ?? []).map((one) => [`${one.method} ${one.path}`, `#/function/${one.function}`]),
  ];
  const close = () => {
    found.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const go = (number) => {
    if (!hits[number]) return;
    location.hash = hits[number][1];
    input.value = "";
    close();
    byId("main").focus();
  };
  const draw = () => {
    const wanted = input.value.trim().toLowerCase();
    hits = wanted === "" ? [] : places().filter(([name]) => name.toLowerCase().includes(wanted)).slice(0, 8);
    chosen = Math.min(chosen, Math.max(0, hits.length - 1));
    found.replaceChildren(...hits.map(([name], number) => h("li", { role: "option", id: `hit-${number}`, "aria-selected": String(number === chosen), onmousedown: (event) => { event.preventDefault(); go(number); } }, name)));
    found.hidden = hits.length === 0;
    input.setAttribute("aria-expanded", String(hits.length > 0));
    if (hits.length > 0) input.setAttribute("aria-activedescendant", `hit-${chosen}`);
  };
  input.addEventListener("input", () => { chosen = 0; draw(); });
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      chosen = (chosen + (event.key === "ArrowDown" ? 1 : hits.length - 1)) % Math.max(1, hits.length);
      draw();
    } else if (event.key === "Enter") {
      go(chosen);
    } else if (event.key === "Escape") {
      input.value = "";
      close();
      byId("main").focus();
    }
  });
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.matches("input, textarea, select");
    if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      input.focus();
    }
  });
}

addEventListener("hashchange", () => { show(); byId("main").focus(); });
setInterval(countDown, 1000);
search();
show();
listen();
