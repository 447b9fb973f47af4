// Shows a link to this page with props.value.fragment and copies it where the browser allows, once per props.value.stamp.
const box = element.querySelector(".kb-link");
const field = box.querySelector("input");
const note = box.querySelector("p");
let made = null;
watch("value", () => {
  const { fragment, name, copied, stamp } = props.value ?? {};
  if (!stamp || stamp === made) return;
  made = stamp;
  box.hidden = false;
  field.setAttribute("aria-label", name);
  field.value = location.origin + location.pathname + fragment;
  field.select();
  note.textContent = "";
  navigator.clipboard?.writeText(field.value).then(
    () => (note.textContent = copied),
    () => {},
  );
});
