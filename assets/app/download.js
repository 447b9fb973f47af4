// Saves props.value.text as the file props.value.name, once per props.value.stamp.
let saved = null;
watch("value", () => {
  const { name, text, stamp, type } = props.value ?? {};
  if (!stamp || stamp === saved) return;
  saved = stamp;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: `${type ?? "text/csv"};charset=utf-8` }));
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
});
