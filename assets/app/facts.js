// The table editor. Draws props.value.rows as text areas, keeps what is typed in props.value.edits at every keystroke, so that
// the next question sees a cell that was never left. Typed text goes in by .value and .textContent only, never as HTML.
// props.value: {serial, rows: [[id, number, [entity, property, value], included]], marks: {id: [words, columns]}, edits: {id: [seq, cells]},
// ack, focus, labels, sorted: [column, descending] or null, included: true, false or null for some}
const body = element.querySelector("tbody");
const note = element.querySelector(".kb-table-note");
const columns = ["entity", "property", "value"];
const heads = [...element.querySelectorAll(".kb-sort")];
const all = element.querySelector(".kb-include-all");
const pending = new Map(); // id -> {seq, cells}: typed here and not yet acknowledged by the server
let seq = 0;
let lastFocus = null;
let lastSerial = 0;

const plain = (value) => JSON.parse(JSON.stringify(value ?? {}));

function publish() {
  const edits = {};
  for (const [id, edit] of pending) edits[id] = [edit.seq, edit.cells];
  props.value = { ...plain(props.value), edits };
}

function cellsOf(line) {
  return [...line.querySelectorAll("textarea")].map((area) => area.value);
}

function typed(line) {
  pending.set(Number(line.dataset.id), { seq: ++seq, cells: cellsOf(line) });
  publish();
}

function op(name, data) {
  trigger("op", { name, ...data });
}

function tool(name, sign) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = `kb-tool kb-${name}`;
  button.textContent = sign;
  return button;
}

function name(button, text) {
  button.title = text;
  button.setAttribute("aria-label", text);
}

function makeLine(id) {
  const line = document.createElement("tr");
  line.dataset.id = id;
  const number = document.createElement("th");
  number.scope = "row";
  number.append(tool("row-pick", ""));
  line.append(number);
  const first = document.createElement("td");
  const include = document.createElement("input");
  include.type = "checkbox";
  include.className = "kb-include";
  first.append(include);
  line.append(first);
  columns.forEach((column, index) => {
    const cell = document.createElement("td");
    const area = document.createElement("textarea");
    area.rows = 1;
    area.spellcheck = false;
    area.autocomplete = "off";
    area.dataset.column = index;
    cell.append(area);
    line.append(cell);
  });
  const last = document.createElement("td");
  last.className = "kb-row-tools";
  last.append(tool("duplicate", ""), tool("delete", "×"));
  line.append(last);
  return line;
}

function draw() {
  const value = plain(props.value);
  if ((value.serial ?? 0) < lastSerial) return; // an answer to an earlier action that arrived late
  lastSerial = value.serial ?? 0;
  const ack = value.ack ?? 0;
  for (const [id, edit] of pending) if (edit.seq <= ack) pending.delete(id);
  const labels = value.labels ?? {};
  const rows = value.rows ?? [];
  heads.forEach((head, index) => {
    const column = labels[columns[index]] ?? columns[index];
    const [by, down] = value.sorted ?? [];
    head.textContent = by === index ? `${column} ${down ? "▼" : "▲"}` : column;
    head.title = (labels.sort_by ?? "").replace("{column}", column);
    head.parentElement.setAttribute("aria-sort", by === index ? (down ? "descending" : "ascending") : "none");
  });
  all.checked = value.included !== false;
  all.indeterminate = value.included === null;
  name(all, labels.include_all ?? "");
  const old = new Map([...body.children].map((line) => [Number(line.dataset.id), line]));
  const lines = rows.map(([id, number, cells, included]) => {
    const line = old.get(id) ?? makeLine(id);
    const [mark, wrong] = (value.marks ?? {})[id] ?? ["", []];
    const include = line.querySelector(".kb-include");
    include.checked = included;
    name(include, `${labels.include_row ?? ""} ${number}`);
    line.classList.toggle("kb-left-out", !included);
    const shown = pending.get(id)?.cells ?? cells;
    line.classList.toggle("kb-marked", mark !== "");
    line.firstChild.title = mark;
    const pick = line.querySelector(".kb-row-pick");
    pick.textContent = number;
    pick.setAttribute("aria-label", `${labels.pick_row ?? ""} ${number}`);
    line.querySelectorAll("textarea").forEach((area, index) => {
      area.setAttribute("aria-label", `${labels[columns[index]] ?? columns[index]} ${number}`);
      const bad = wrong.includes(index);
      area.setAttribute("aria-invalid", String(bad));
      area.title = bad ? mark : "";
      if (area.value !== shown[index]) area.value = shown[index] ?? "";
    });
    for (const kind of ["delete", "duplicate"]) name(line.querySelector(`.kb-${kind}`), `${labels[`${kind}_row`] ?? kind} ${number}`);
    return line;
  });
  const kept = new Set(lines);
  for (const line of [...body.children]) if (!kept.has(line)) line.remove();
  lines.forEach((line, index) => {
    if (body.children[index] !== line) body.insertBefore(line, body.children[index] ?? null);
  });
  note.textContent = value.note ?? "";
  note.hidden = !value.note;
  if (value.focus && value.focus !== lastFocus) {
    lastFocus = value.focus;
    const line = body.querySelector(`tr[data-id="${Number(value.focus)}"]`);
    line?.scrollIntoView({ block: "nearest" });
    line?.querySelector("textarea")?.focus();
  }
  if (pending.size) publish();
}

body.addEventListener("input", (event) => {
  const area = event.target;
  if (!area.matches("textarea")) return;
  if (area.value.includes("\n")) area.value = area.value.replace(/\s*\n\s*/g, " ");
  typed(area.closest("tr"));
});
body.addEventListener("change", (event) => {
  if (!event.target.matches(".kb-include")) return op("edit", {});
  op("include", { id: Number(event.target.closest("tr").dataset.id), on: event.target.checked });
});
all.addEventListener("change", () => op("include_all", { on: all.checked }));
heads.forEach((head, column) => head.addEventListener("click", () => op("sort", { column })));
// A row's number picks its fact for the explorer, which may not be there yet: it is made when its tab is opened first.
function tellExplorer(name, line) {
  const [entity, property] = cellsOf(line);
  return document.dispatchEvent(new CustomEvent(name, { cancelable: true, detail: { entity, property } }));
}

function pickRow(line) {
  const [entity, property] = cellsOf(line);
  if (!entity.trim() && !property.trim()) return;
  if (!tellExplorer("kb-pick-fact", line)) return; // taken
  window.kbWantedFact = { entity, property };
  document.querySelectorAll('#kb-tabs [role="tab"]')[1]?.click();
}

for (const [type, name] of [["pointerover", "kb-show-fact"], ["focusin", "kb-show-fact"], ["pointerout", "kb-hide-fact"], ["focusout", "kb-hide-fact"]]) {
  body.addEventListener(type, (event) => {
    const at = event.target.closest(".kb-row-pick");
    if (at) tellExplorer(name, at.closest("tr"));
  });
}
body.addEventListener("click", (event) => {
  const pick = event.target.closest(".kb-row-pick");
  if (pick) return pickRow(pick.closest("tr"));
  const copy = event.target.closest(".kb-duplicate");
  if (copy) return op("duplicate", { id: Number(copy.closest("tr").dataset.id) });
  const button = event.target.closest(".kb-delete");
  if (!button) return;
  const line = button.closest("tr");
  pending.delete(Number(line.dataset.id));
  publish();
  const next = line.nextElementSibling ?? line.previousElementSibling;
  next?.querySelector(".kb-delete")?.focus();
  op("delete", { id: Number(line.dataset.id) });
});
body.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.isComposing || !event.target.matches("textarea")) return;
  event.preventDefault();
  const line = event.target.closest("tr");
  const step = event.shiftKey ? line.previousElementSibling : line.nextElementSibling;
  if (step) step.querySelectorAll("textarea")[Number(event.target.dataset.column)].focus();
  else if (!event.shiftKey) op("add", {});
});
body.addEventListener("paste", (event) => {
  const text = event.clipboardData?.getData("text/plain") ?? "";
  const block = text.replace(/\r\n?/g, "\n").replace(/\n$/, "");
  if (!/[\t\n]/.test(block) || !event.target.matches("textarea")) return;
  event.preventDefault();
  const line = event.target.closest("tr");
  op("paste", { id: Number(line.dataset.id), column: Number(event.target.dataset.column), text: block });
});
watch("value", draw);
draw();
