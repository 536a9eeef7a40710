// What is logged: kept for every view, shown by one.

const KEPT = 2000;
const LEVELS = ["debug", "info", "warn", "error"];

let entries = [];
let leftOut = 0;

const runOf = ({ run, request }) => [
  request ? `${request.method} ${request.path} ${request.status ?? "client went away"}${request.why ? ` ${request.why}` : ""}` : null,
  run ? ms(run.duration_ms) : ms(request.took_ms), run?.max_memory_mb ? `${run.max_memory_mb} MB` : null,
  run?.init_ms !== undefined && run !== null ? `cold ${ms(run.init_ms)}` : null, request?.key ? `key ${request.key}` : null, run?.status ?? null,
].filter(Boolean).join(" · ");

/// The lines of one request, with how it went.
const logOf = (id) => entries.filter((entry) => entry.request_id === id && id !== null).flatMap((entry) => entry.lines ?? [`${entry.function ?? "api"} · ${runOf(entry)}`]);

function takeEntries({ left_out: more, entries: fresh }) {
  leftOut += more;
  entries.push(...fresh);
  const many = Math.max(0, entries.length - KEPT);
  entries.splice(0, many);
  leftOut += many;
}

/// Lines of one request as a group that opens; anything else as it is.
function groups(all) {
  const found = new Map();
  const list = [];
  for (const entry of all) {
    const known = entry.request_id === null ? undefined : found.get(entry.request_id);
    if (known) {
      known.entries.push(entry);
    } else {
      const group = { id: entry.request_id, entries: [entry] };
      list.push(group);
      if (entry.request_id !== null) found.set(entry.request_id, group);
    }
  }
  return list;
}

function groupElement({ id, entries: all }, isOpen) {
  const first = all[0];
  const end = all.find((entry) => entry.lines === null);
  const level = all.reduce((worst, entry) => Math.max(worst, LEVELS.indexOf(entry.level)), 0);
  const kind = ["", "", "warn", "bad"][level];
  const head = [h("time", { datetime: new Date(first.at).toISOString() }, clock(first.at)), first.function ? h("span", { class: "who" }, first.function) : null];
  if (id === null || (all.length === 1 && end)) {
    return h("li", { class: `line ${kind}` }, head, end ? runOf(end) : h("span", {}, first.lines.join("\n")));
  }
  const lines = all.flatMap((entry) => entry.lines ?? []);
  return h("li", { class: kind }, h("details", { open: isOpen, "data-id": id },
    h("summary", { "data-name": id }, head, end ? runOf(end) : `${lines[0] ?? ""}`, h("span", { class: "note" }, ` · ${lines.length} line${lines.length === 1 ? "" : "s"}`)),
    h("pre", {}, [...lines, `request ${id}`].join("\n"))));
}

function logsView() {
  let isPaused = false;
  let waiting = 0;
  const who = h("select", { id: "log-function", onchange: () => draw() }, h("option", { value: "" }, "all functions"));
  const least = h("select", { id: "log-level", onchange: () => draw() }, LEVELS.map((level) => h("option", { value: level }, level === "debug" ? "all levels" : `${level} and worse`)));
  const text = h("input", { id: "log-text", type: "search", placeholder: "text", oninput: () => draw() });
  const pause = h("button", { type: "button", "aria-pressed": "false", onclick: () => {
    isPaused = !isPaused;
    waiting = 0;
    pause.setAttribute("aria-pressed", String(isPaused));
    draw(true);
  } }, "Pause");
  const count = h("p", { class: "note", role: "status" });
  const list = h("ol", { class: "log", tabindex: 0, "aria-label": "Log" });
  const label = (name, input) => [h("label", { class: "hidden", for: input.id }, name), input];
  const element = h("div", {}, h("h2", {}, "Logs"),
    h("div", { class: "row" }, label("Function", who), label("Level", least), label("Text", text), pause), count, list);
  let names = null;

  function draw(isForced = false) {
    pause.textContent = isPaused ? `Go on${waiting > 0 ? ` (${waiting} new)` : ""}` : "Pause";
    if (isPaused && !isForced) return;
    const wanted = text.value.toLowerCase();
    const has = ({ id, entries: all }) => all.some((entry) => !who.value || entry.function === who.value)
      && all.some((entry) => LEVELS.indexOf(entry.level) >= LEVELS.indexOf(least.value))
      && (wanted === "" || (id ?? "").includes(wanted) || all.some((entry) => (entry.lines?.join("\n") ?? runOf(entry)).toLowerCase().includes(wanted)));
    const shown = groups(entries).filter(has);
    const open = new Set([...list.querySelectorAll("details[open]")].map((details) => details.dataset.id));
    const focused = list.contains(document.activeElement) ? document.activeElement.dataset.name : undefined;
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    const place = list.scrollTop;
    list.replaceChildren(...shown.slice(-500).map((group) => groupElement(group, open.has(group.id))));
    list.scrollTop = isAtEnd ? list.scrollHeight : place;
    if (focused) list.querySelector(`[data-name="${CSS.escape(focused)}"]`)?.focus();
    const hidden = leftOut + entries.length - shown.reduce((sum, group) => sum + group.entries.length, 0);
    count.textContent = `${shown.length} shown${hidden > 0 ? `, ${thousands(hidden)} lines are not: older, or filtered` : ""}`;
  }

  draw();
  return {
    element,
    shown() { list.scrollTop = list.scrollHeight; },
    overview({ functions }) {
      const now = functions.map((one) => one.name);
      if (JSON.stringify(now) === names) return;
      names = JSON.stringify(now);
      const chosen = who.value;
      who.replaceChildren(h("option", { value: "" }, "all functions"), ...now.map((name) => h("option", { value: name }, name)));
      who.value = now.includes(chosen) ? chosen : "";
    },
    log(fresh) {
      waiting += fresh;
      draw();
    },
  };
}
