// The table editor. Draws props.value.rows as text areas, keeps what is typed in props.value.edits at every keystroke, so that
// the next question sees a cell that was never left. Typed text goes in by .value and .textContent only, never as HTML.
// props.value: {serial, rows: [[id, number, [entity, property, value]]], marks: {id: words}, edits: {id: [seq, cells]}, ack, focus, labels}
const body = element.querySelector("tbody");
const note = element.querySelector(".kb-table-note");
const columns = ["entity", "property", "value"];
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

function makeLine(id) {
  const line = document.createElement("tr");
  line.dataset.id = id;
  const number = document.createElement("th");
  number.scope = "row";
  line.append(number);
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
  const remove = document.createElement("button");
  remove.type = "button";
  remove.className = "kb-delete";
  remove.textContent = "×";
  last.append(remove);
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
  element.querySelectorAll("thead [data-label]").forEach((head) => {
    head.textContent = labels[head.dataset.label] ?? head.dataset.label;
  });
  const old = new Map([...body.children].map((line) => [Number(line.dataset.id), line]));
  const lines = rows.map(([id, number, cells]) => {
    const line = old.get(id) ?? makeLine(id);
    const mark = (value.marks ?? {})[id] ?? "";
    const shown = pending.get(id)?.cells ?? cells;
    line.classList.toggle("kb-marked", mark !== "");
    line.firstChild.textContent = number;
    line.firstChild.title = mark;
    line.querySelectorAll("textarea").forEach((area, index) => {
      area.setAttribute("aria-label", `${labels[columns[index]] ?? columns[index]} ${number}`);
      area.setAttribute("aria-invalid", String(mark !== "" && (shown[index] ?? "").trim() === ""));
      if (area.value !== shown[index]) area.value = shown[index] ?? "";
    });
    const remove = line.querySelector(".kb-delete");
    remove.title = `${labels.delete_row ?? "Delete row"} ${number}`;
    remove.setAttribute("aria-label", remove.title);
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
  if (area.value.includes("\n")) area.value = area.value.replace(/\s*\n\s*/g, " ");
  typed(area.closest("tr"));
});
body.addEventListener("change", () => op("edit", {}));
body.addEventListener("click", (event) => {
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
