// Example questions as buttons. props.value: {label, items: [text]}; a click sends the text.
function draw() {
  const value = props.value ?? {};
  const box = element.querySelector(".kb-chips");
  box.replaceChildren();
  if (!value.items?.length) return;
  const label = document.createElement("span");
  label.textContent = value.label ?? "";
  box.append(label);
  for (const text of value.items) {
    const chip = document.createElement("button");
    chip.type = "button";
    chip.className = "kb-chip";
    chip.textContent = text;
    chip.addEventListener("click", () => trigger("pick", { text }));
    box.append(chip);
  }
}
watch("value", draw);
draw();
