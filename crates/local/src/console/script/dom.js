// Elements, pictures and words: what every view is made of. Text goes in as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

const h = (tag, props, ...children) => fill(document.createElement(tag), props, children);
const svg = (tag, props, ...children) => fill(document.createElementNS(SVG, tag), props, children);

const byId = (id) => document.getElementById(id);

function say(text) {
  byId("said").textContent = "";
  requestAnimationFrame(() => { byId("said").textContent = text; });
}

async function ask(part, body) {
  const options = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  const answer = await fetch(`/_mdo/${part}`, options);
  const document = await answer.json();
  if (!answer.ok) throw new Error(document.message);
  return document;
}

const clock = (at) => new Date(at).toLocaleTimeString([], { hour12: false });
const thousands = (number) => number.toLocaleString("en-US");
const ms = (time) => `${time < 100 ? time.toFixed(1) : Math.round(time)} ms`;

function table(head, rows, numbers = []) {
  const kind = (column) => (numbers.includes(column) ? { class: "number" } : {});
  return h("div", { class: "wide" }, h("table", {},
    h("thead", {}, h("tr", {}, head.map((cell, column) => h("th", { scope: "col", ...kind(column) }, cell)))),
    h("tbody", {}, rows.map((cells) => h("tr", {}, cells.map((cell, column) => h("td", kind(column), cell)))))));
}

function facts(entries) {
  return h("dl", {}, entries.filter(([, value]) => value !== null).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

/// A button that copies what `text` answers, which may be a promise.
function copier(label, text, what) {
  return h("button", {
    type: "button",
    onclick: async () => {
      try {
        await navigator.clipboard.writeText(await text());
        say(`Copied ${what ?? label}`);
      } catch (error) {
        say(`Cannot copy: ${error.message}`);
      }
    },
  }, label);
}

/// A part of a view that is made anew when what it shows has changed, and only then.
function part(element, show) {
  let shown = null;
  return {
    element,
    update(value) {
      const text = JSON.stringify(value);
      if (text === shown) return;
      shown = text;
      const focused = element.contains(document.activeElement) ? document.activeElement.dataset.name : undefined;
      element.replaceChildren(...[show(value)].flat(Infinity).filter(Boolean));
      if (focused) element.querySelector(`[data-name="${CSS.escape(focused)}"]`)?.focus();
    },
  };
}

const percentile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];

/// How many of some times are how long, as bars.
function histogram(times) {
  const [width, height, bars] = [560, 200, 24];
  const sorted = [...times].sort((one, other) => one - other);
  const [low, high] = [sorted[0], Math.max(sorted.at(-1), sorted[0] + 0.1)];
  const counts = new Array(bars).fill(0);
  for (const time of times) counts[Math.min(bars - 1, Math.floor(((time - low) / (high - low)) * bars))] += 1;
  const most = Math.max(...counts);
  const [left, bottom] = [34, height - 24];
  const step = (width - left - 8) / bars;
  const rects = counts.map((count, bar) => {
    const tall = (count / most) * (bottom - 12);
    return svg("rect", { class: "bar", x: left + bar * step + 1, y: bottom - tall, width: step - 2, height: tall });
  });
  return svg("svg", { class: "plot", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `How long ${times.length} requests took, from ${ms(low)} to ${ms(high)}` },
    rects,
    svg("line", { class: "axis", x1: left, y1: bottom, x2: width - 8, y2: bottom }),
    svg("text", { x: left, y: height - 8 }, ms(low)),
    svg("text", { x: width - 8, y: height - 8, "text-anchor": "end" }, ms(high)),
    svg("text", { x: left - 6, y: 16, "text-anchor": "end" }, String(most)));
}

/// The columns of a document: its arrays of numbers, where they are equally long and there are two at least.
function columnsOf(document) {
  if (document === null || typeof document !== "object" || Array.isArray(document)) return null;
  const columns = Object.entries(document).filter(([, values]) =>
    Array.isArray(values) && values.length > 1 && values.every((value) => typeof value === "number"));
  const isEven = columns.every(([, values]) => values.length === columns[0][1].length);
  return columns.length >= 2 && isEven ? columns : null;
}

/// The first two columns against each other, coloured by `target` where there is one.
function scatter(columns) {
  const target = columns.find(([name]) => name === "target");
  const [x, y] = columns.filter((column) => column !== target).concat(target ? [target] : []);
  const classes = target ? [...new Set(target[1])].sort((one, other) => one - other) : [];
  const [width, height, edge] = [560, 400, 44];
  const scale = (values, from, to) => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return { low, high, place: (value) => from + ((value - low) / (high - low || 1)) * (to - from) };
  };
  const [across, up] = [scale(x[1], edge, width - 14), scale(y[1], height - edge, 30)];
  const dots = x[1].map((value, row) => svg("circle", {
    class: `c${target ? classes.indexOf(target[1][row]) % 6 : 0}`, cx: across.place(value).toFixed(1), cy: up.place(y[1][row]).toFixed(1), r: 4, "fill-opacity": 0.75,
  }));
  const legend = classes.slice(0, 6).map((value, number) => [
    svg("circle", { class: `c${number}`, cx: edge + 6 + number * 84, cy: 12, r: 5 }),
    svg("text", { x: edge + 16 + number * 84, y: 16 }, `${target[0]} ${value}`),
  ]);
  const label = `${y[0]} against ${x[0]}, ${x[1].length} points${target ? `, coloured by ${target[0]}` : ""}`;
  return svg("svg", { class: "plot", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
    svg("line", { class: "axis", x1: edge, y1: height - edge, x2: width - 14, y2: height - edge }),
    svg("line", { class: "axis", x1: edge, y1: 30, x2: edge, y2: height - edge }),
    dots, legend,
    svg("text", { x: edge, y: height - 26 }, across.low.toFixed(2)),
    svg("text", { x: width - 14, y: height - 26, "text-anchor": "end" }, across.high.toFixed(2)),
    svg("text", { x: width / 2, y: height - 10, "text-anchor": "middle" }, x[0]),
    svg("text", { x: edge - 4, y: height - edge, "text-anchor": "end" }, up.low.toFixed(2)),
    svg("text", { x: edge - 4, y: 36, "text-anchor": "end" }, up.high.toFixed(2)),
    svg("text", { x: 14, y: height / 2, transform: `rotate(-90 14 ${height / 2})`, "text-anchor": "middle" }, y[0]));
}
