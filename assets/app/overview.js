// All KB layers and heads at a glance: one matrix per panel, a click opens that layer and head in the heatmap.
// props.value: {layers: [number], heads, chosen: ["all" | number, "all" | number], panels: [{title, shares: [[1/10000]]}], labels}
const box = element.querySelector(".kb-overview");
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (all, key) => values[key] ?? all);

function make(tag, name, text = "") {
  const made = document.createElement(tag);
  if (name) made.className = name;
  made.textContent = text;
  return made;
}

function panel(data, part, at) {
  const figure = make("div", "kb-panel");
  const table = make("table", "kb-matrix");
  const head = make("tr");
  head.append(make("th", "kb-corner", data.labels.layer));
  for (let h = 0; h < data.heads; h++) {
    const cell = make("th", "", h);
    cell.scope = "col";
    head.append(cell);
  }
  table.append(make("caption", "kb-label", part.title), head);
  data.layers.forEach((layer, row) => {
    const line = make("tr");
    const name = make("th");
    name.scope = "row";
    name.append(cellButton(data, at, row, -1, layer, "all", null));
    line.append(name);
    part.shares[row].forEach((share, h) => {
      const cell = make("td");
      cell.append(cellButton(data, at, row, h, layer, h, share));
      line.append(cell);
    });
    table.append(line);
  });
  figure.append(table);
  return figure;
}

function cellButton(data, at, row, column, layer, head, share) {
  const number = share === null ? String(layer) : String(Math.round(share / 100));
  const button = make("button", share === null ? "kb-cell kb-cell-all" : "kb-cell", number);
  button.type = "button";
  button.dataset.place = `${at}/${row}/${column}`;
  button.tabIndex = -1;
  const text = share === null ? data.labels.all_of : fill(data.labels.cell, { share: `${Math.round(share / 100)} %`, layer, head });
  button.title = fill(text, { layer, head });
  button.setAttribute("aria-label", button.title);
  button.setAttribute("aria-pressed", String(String(data.chosen[0]) === String(layer) && String(data.chosen[1]) === String(head)));
  if (share !== null) button.style.setProperty("--kb-lit", share / 10000);
  button.addEventListener("click", () => {
    trigger("open", { layer: String(layer), head: String(head) });
    document.getElementById("kb-heatmap")?.scrollIntoView({ block: "nearest" });
  });
  return button;
}

function draw() {
  const data = JSON.parse(JSON.stringify(props.value ?? {}));
  const kept = box.contains(document.activeElement) ? document.activeElement.dataset.place : null;
  box.replaceChildren();
  if (!data.panels) return;
  box.append(make("p", "kb-note", data.labels.hint));
  const row = make("div", "kb-panels");
  row.append(...data.panels.map((part, at) => panel(data, part, at)));
  box.append(row);
  const again = kept && box.querySelector(`[data-place="${kept}"]`);
  again?.focus({ preventScroll: true });
  row.querySelectorAll(".kb-matrix").forEach((matrix) => {
    const stop = matrix.querySelector('[aria-pressed="true"]') ?? matrix.querySelector("td .kb-cell");
    if (stop) stop.tabIndex = 0;
  });
}

box.addEventListener("keydown", (event) => {
  const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
  const place = event.target.dataset?.place;
  if (!step || !place) return;
  event.preventDefault();
  const [at, row, column] = place.split("/").map(Number);
  const next = box.querySelector(`[data-place="${at}/${row + step[0]}/${column + step[1]}"]`);
  if (!next) return;
  event.target.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
});
watch("value", draw);
draw();
