const box = document.querySelector(".find");
const input = box.querySelector("input");
const found = box.querySelector("output");
const items = [...document.querySelectorAll(".site li[data-entry]")];
const rows = new Map([...document.querySelectorAll(".picture [data-entry]")].map((row) => [row.dataset.entry, row]));
const search = () => {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  const kept = new Set();
  let count = 0;
  for (const item of items) {
    const text = `${item.dataset.host} ${item.querySelector(".line").textContent}`.toLowerCase();
    if (words.every((word) => text.includes(word))) {
      count += 1;
      for (let each = item; each; each = each.parentElement.closest("li[data-entry]")) kept.add(each);
    }
  }
  for (const item of items) {
    item.hidden = !kept.has(item);
    rows.get(item.dataset.entry)?.classList.toggle("off", !kept.has(item));
  }
  found.textContent = words.length ? `${count} of ${items.length}` : "";
};
box.hidden = items.length < 8;
input.addEventListener("input", search);
search();
