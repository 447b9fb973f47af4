// The explorer: tokens and facts linked both ways, all in the browser. Texts go in by textContent only.
// props.value: {turn, question: [token], answer: [token], facts: [{row, cells, used, said}], shares: [[1/10000]], all, labels}
// A choice is {kind: "token" | "fact", i}; `locked` stays until Escape or a second click, `preview` follows mouse and keyboard focus.
const SHOWN = 6;
const root = element.querySelector(".kb-explorer");
const list = root.querySelector(".kb-ranked");
const live = root.querySelector(".kb-live");
const typed = root.querySelector(".kb-what-if input");
let data = {};
let locked = null;
let preview = null;
let lacking = null; // a row picked in the table whose fact this answer keeps no attention for: {entity, property}
let tokens = []; // the buttons, question first
let rows = []; // the buttons of the facts
let drawing = false; // moving a focused line in the list makes the browser tell of lost and new focus

window.kbExplorerStop?.abort(); // the component is made anew when its tab is: the old one's listeners go
window.kbExplorerStop = new AbortController();
const { signal } = window.kbExplorerStop;

const make = (tag, name, text = "") => {
  const made = document.createElement(tag);
  if (name) made.className = name;
  made.textContent = text;
  return made;
};
const percent = (share) => (share > 0 && share < 100 ? "<1\u00a0%" : `${Math.round(share / 100)}\u00a0%`);
const fill = (text, values) => String(text ?? "").replace(/\{(\w+)\}/g, (all, key) => values[key] ?? all);
const same = (one, other) => one && other && one.kind === other.kind && one.i === other.i;
const isToken = (choice) => choice?.kind === "token";
const isFact = (choice) => choice?.kind === "fact";
const word = (i) => [...data.question, ...data.answer][i]?.trim() || "␣";
const chosenFact = () => (isFact(preview) ? preview.i : isFact(locked) ? locked.i : null);
const chosenToken = () => (isToken(preview) ? preview.i : isToken(locked) ? locked.i : null);

function tokenButton(text, i) {
  const button = make("button", "kb-token", text.replace(/\n/g, "↵").trim() || "␣");
  button.type = "button";
  button.classList.toggle("kb-new-word", /^\s/.test(text));
  button.append(make("span", "kb-under"));
  button.choice = { kind: "token", i };
  return button;
}

function factButton(fact, i) {
  const item = make("li");
  const button = make("button", "kb-pick");
  button.type = "button";
  const words = make("span", "kb-words");
  words.append(make("span", "kb-entity", fact.cells[0]), " ", make("span", "kb-property", fact.cells[1]), " ", make("span", "kb-value", fact.cells[2]));
  if (fact.used) words.append(" ", make("span", "kb-tag", fact.said.length ? data.labels.in_answer : data.labels.used));
  button.append(words, ...bar());
  button.choice = { kind: "fact", i };
  item.append(button);
  return button;
}

function bar() {
  const line = make("span", "kb-line");
  line.append(make("span", "kb-line-fill"));
  return [line, make("b", "kb-number")];
}

function setBar(box, share) {
  box.querySelector(".kb-line-fill").style.width = `${share / 100}%`;
  box.querySelector(".kb-number").textContent = percent(share);
}

function build() {
  const next = JSON.parse(JSON.stringify(props.value ?? {}));
  if (next.turn !== data.turn || String(next.answer) !== String(data.answer)) {
    locked = preview = lacking = null;
    typed.value = "";
  }
  data = next;
  root.hidden = !data.facts;
  if (root.hidden) return;
  for (const part of root.querySelectorAll("[data-label]")) part.textContent = data.labels[part.dataset.label] ?? "";
  typed.placeholder = data.labels.what_if_hint;
  typed.setAttribute("aria-label", data.labels.what_if);
  const [asked, said] = root.querySelectorAll(".kb-tokens");
  asked.setAttribute("aria-label", data.labels.asked);
  said.setAttribute("aria-label", data.labels.answered);
  tokens = [...data.question, ...data.answer].map(tokenButton);
  asked.replaceChildren(...tokens.slice(0, data.question.length));
  said.replaceChildren(...tokens.slice(data.question.length));
  const cited = new Set(data.facts.flatMap((fact) => fact.said));
  tokens.slice(data.question.length).forEach((button, i) => button.classList.toggle("kb-cited", cited.has(i)));
  rows = data.facts.map(factButton);
  for (const group of [asked, said]) if (group.firstChild) for (const part of group.children) part.tabIndex = part === group.firstChild ? 0 : -1;
  draw();
  if (window.kbWantedFact) {
    const wanted = window.kbWantedFact;
    delete window.kbWantedFact;
    pickFact(wanted);
  }
}

function draw() {
  const token = chosenToken();
  const fact = chosenFact();
  const shares = token === null ? data.all : data.shares[token];
  // Facts: most attended first, for the chosen token or for the whole answer; never more lines than SHOWN and what was chosen.
  const order = data.facts.map((_, i) => i).sort((a, b) => shares[b] - shares[a] || a - b);
  const shown = order.slice(0, SHOWN);
  for (const i of [fact, isFact(locked) ? locked.i : null]) if (i !== null && !shown.includes(i)) shown.push(i);
  const focused = document.activeElement;
  const lines = shown.map((i) => rows[i].parentElement);
  const extra = order.filter((i) => !shown.includes(i)).reduce((sum, i) => sum + shares[i], shares[shares.length - 2]);
  lines.push(...restLines(extra, shares[shares.length - 1]));
  drawing = true;
  list.replaceChildren(...lines);
  if (rows.includes(focused) && list.contains(focused) && document.activeElement !== focused) focused.focus({ preventScroll: true });
  drawing = false;
  const stop = shown.find((i) => rows[i] === focused) ?? shown[0];
  for (const i of shown) {
    setBar(rows[i], shares[i]);
    rows[i].tabIndex = i === stop ? 0 : -1;
    mark(rows[i]);
  }
  const top = fact === null ? 1 : Math.max(1, ...data.shares.map((row) => row[fact]));
  tokens.forEach((button, i) => {
    const share = fact === null ? 10000 - data.shares[i][data.facts.length + 1] : data.shares[i][fact];
    button.style.setProperty("--kb-lit", fact === null ? 0 : share / top);
    button.querySelector(".kb-under").style.width = `${share / 100}%`;
    button.title = percent(share);
    button.setAttribute("aria-label", `${word(i)}, ${percent(share)}`);
    mark(button);
  });
  const title = root.querySelector(".kb-list-title");
  title.textContent = data.labels.facts + " · " + (token === null ? data.labels.rank_all : fill(data.labels.rank_token, { token: word(token) }));
  say(token, fact);
  subject();
  syncMap();
  syncTable();
}

function mark(button) {
  const on = same(button.choice, locked);
  button.setAttribute("aria-pressed", String(Boolean(on)));
  button.classList.toggle("kb-preview", Boolean(same(button.choice, preview)) && !on);
}

function restLines(others, text) {
  return [
    [data.labels.others, others],
    [data.labels.the_text, text],
  ].map(([name, share]) => {
    const item = make("li", "kb-rest");
    item.append(make("span", "kb-words", name), ...bar());
    setBar(item, share);
    return item;
  });
}

function say(token, fact) {
  let text = data.labels.pick_hint;
  if (fact !== null && (isFact(preview) || token === null)) {
    const best = data.shares.reduce((top, row, i) => (row[fact] > data.shares[top][fact] ? i : top), 0);
    const [entity, property] = data.facts[fact].cells;
    text = fill(data.labels.fact_says, { fact: `${entity} · ${property}`, token: word(best), share: percent(data.shares[best][fact]) });
  } else if (lacking) {
    text = fill(data.labels.fact_not_kept, { fact: `${lacking.entity} · ${lacking.property}`, count: data.facts.length });
  } else if (token !== null) {
    const rest = data.shares[token][data.facts.length + 1];
    text = fill(data.labels.token_says, { token: word(token), share: percent(10000 - rest), rest: percent(rest) });
  }
  if (live.textContent !== text) live.textContent = text;
}

function subjectFact() {
  if (isFact(locked)) return locked.i;
  const used = data.facts.findIndex((fact) => fact.used);
  return used >= 0 ? used : 0;
}

function subject() {
  const fact = data.facts[subjectFact()];
  root.querySelector(".kb-test").hidden = !fact || data.recorded; // a recording has no table of its own to change
  if (fact) root.querySelector(".kb-subject").textContent = `${fact.cells[0]} · ${fact.cells[1]}: ${fact.cells[2]}`;
}

function choose(choice) {
  const off = same(choice, locked);
  lacking = null;
  locked = off ? null : choice;
  preview = off ? null : preview;
  draw();
}

function clear() {
  if (!locked && !preview && !lacking) return;
  locked = preview = lacking = null;
  draw();
}

const button = (event) => event.target.closest?.(".kb-token, .kb-pick");
root.addEventListener("click", (event) => button(event) && choose(button(event).choice));
root.addEventListener("pointerover", (event) => {
  const at = event.pointerType === "mouse" ? button(event) : null;
  if (at && !same(at.choice, preview)) {
    preview = at.choice;
    draw();
  }
});
root.addEventListener("pointerout", (event) => {
  if (event.pointerType === "mouse" && button(event) && preview && !button(event).contains(event.relatedTarget)) {
    preview = null;
    draw();
  }
});
root.addEventListener("focusin", (event) => {
  const at = button(event);
  if (!drawing && at?.matches(":focus-visible") && !same(at.choice, preview)) {
    preview = at.choice;
    draw();
  }
});
root.addEventListener("focusout", (event) => {
  if (!drawing && button(event) && preview && !(event.relatedTarget && button({ target: event.relatedTarget }))) {
    preview = null;
    draw();
  }
});
root.addEventListener("keydown", (event) => {
  const at = button(event);
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity }[event.key];
  if (!at || step === undefined) return;
  event.preventDefault();
  const group = [...at.closest(".kb-tokens, .kb-ranked").querySelectorAll(".kb-token, .kb-pick")];
  const next = group[Math.min(Math.max(group.indexOf(at) + step, 0), group.length - 1)];
  for (const part of group) part.tabIndex = part === next ? 0 : -1;
  next.focus();
});
document.addEventListener(
  "keydown",
  (event) => {
    if (event.key === "Escape" && !event.target.closest?.("input, textarea")) clear();
  },
  { signal },
);

// The causal check asks the server; everything above does not.
root.querySelector(".kb-leave-out").addEventListener("click", () => test("leave_out", ""));
root.querySelector(".kb-what-if").addEventListener("submit", (event) => {
  event.preventDefault();
  test("what_if", typed.value);
});

function test(name, value) {
  const fact = data.facts[subjectFact()];
  if (fact) trigger("test", { name, turn: data.turn, row: fact.row, value });
}

// The heatmap is Plotly's: its cells and bars choose, its labels light up. layout.meta: {rows: "question" | "answer", facts: [row]}
function map() {
  const plot = document.querySelector("#kb-heatmap .js-plotly-plot");
  const meta = plot?.layout?.meta;
  return meta ? { plot, facts: meta.facts, first: meta.rows === "question" ? 0 : data.question.length } : null;
}

function syncMap() {
  const at = map();
  if (!at) return;
  const fact = data.facts[chosenFact()]?.row;
  const token = chosenToken();
  at.plot.querySelectorAll(".ytick text").forEach((text, i) => text.classList.toggle("kb-tick-on", fact !== undefined && at.facts[i] === fact));
  at.plot.querySelectorAll(".xtick text").forEach((text, i) => text.classList.toggle("kb-tick-on", token !== null && at.first + i === token));
}

// A figure drawn while its tab or box was folded does not know its width: Plotly fits it when it gets one. A box that scrolls is
// reached by the keyboard.
const sizer = new ResizeObserver((all) =>
  all.forEach((one) => {
    if (!one.contentRect.width) return;
    window.Plotly?.Plots.resize(one.target);
    const box = one.target.parentElement;
    box.tabIndex = box.scrollWidth > box.clientWidth ? 0 : -1;
  }),
);

function bindMap() {
  for (const figure of document.querySelectorAll("#kb-tabs .js-plotly-plot")) {
    const least = `${Number(figure.layout?.meta?.least_width) || 520}px`; // many words need room: the box scrolls
    if (figure.style.minWidth !== least) figure.style.minWidth = least;
    sizer.observe(figure);
  }
  const plot = document.querySelector("#kb-heatmap .js-plotly-plot");
  if (plot?.on && !plot.kbBound) {
    plot.kbBound = true;
    plot.on("plotly_click", (event) => pickInMap(event.points?.[0]));
    plot.on("plotly_hover", (event) => showInMap(event.points?.[0]));
    plot.on("plotly_unhover", () => showInMap(null));
    plot.on("plotly_afterplot", syncMap);
    syncMap();
  }
}

// What a cell or bar of the map stands for, null for the other facts' row.
function inMap(point) {
  const at = map();
  if (!point || !at || !data.facts) return null;
  const fact = point.data.type === "heatmap" ? data.facts.findIndex((one) => one.row === at.facts[point.y]) : -1;
  if (fact >= 0) return { kind: "fact", i: fact };
  return point.data.type === "bar" ? { kind: "token", i: at.first + point.x } : null;
}

function pickInMap(point) {
  const choice = inMap(point);
  if (choice) choose(choice);
}

function showInMap(point) {
  const choice = inMap(point);
  if (same(choice, preview) || (!choice && !preview)) return;
  preview = choice;
  draw();
}

const watcher = new MutationObserver(bindMap);
const tabs = document.querySelector("#kb-tabs");
if (tabs) watcher.observe(tabs, { childList: true, subtree: true });
signal.addEventListener("abort", () => [watcher, sizer].forEach((one) => one.disconnect()));

// The table of facts: a click on a row's number chooses its fact; the chosen fact's row is marked.
const cells = (line) => [...line.querySelectorAll("textarea")].map((area) => area.value);

function syncTable() {
  const fact = isFact(locked) ? data.facts[locked.i].cells : null;
  for (const line of document.querySelectorAll("#kb-facts-table tbody tr")) {
    line.classList.toggle("kb-chosen", Boolean(fact) && String(cells(line).slice(0, 2)) === String(fact.slice(0, 2)));
  }
}

// facts.js tells of the row that was picked, or that mouse or keyboard is on.
const place = ({ entity, property }) => (data.facts ?? []).findIndex((one) => one.cells[0] === entity && one.cells[1] === property);
const openTab = () => document.querySelectorAll('#kb-tabs [role="tab"]')[1]?.click();

function pickFact(detail) {
  const fact = place(detail);
  if (fact >= 0) choose({ kind: "fact", i: fact });
  else {
    locked = preview = null;
    lacking = detail;
    draw();
  }
  if (locked || lacking) openTab();
}

function onTable(name, listener) {
  document.addEventListener(name, listener, { signal });
}
onTable("kb-pick-fact", (event) => {
  if (!data.facts || !root.isConnected) return; // facts.js opens this tab, and build() takes the wish up
  event.preventDefault();
  pickFact(event.detail);
});
onTable("kb-show-fact", (event) => {
  const fact = place(event.detail);
  if (fact < 0) return;
  preview = { kind: "fact", i: fact };
  draw();
});
onTable("kb-hide-fact", () => {
  if (!isFact(preview)) return;
  preview = null;
  draw();
});

watch("value", build);
build();
