// The page as a whole: asks for the key where one is needed, keeps what is shown true, and leaves the rest to others.

import { ask, forgetKey, hasKey, keepKey } from "./api.js";
import { refresh, showNothing } from "./box.js";
import { Chat } from "./chat.js";

const REFRESH_EVERY_MS = 5000;

const find = (id) => document.getElementById(id);
const chat = new Chat(askForKey);
let timer = 0;

/** Shows how the machine is, again and again while somebody looks. */
async function keepFresh() {
  clearTimeout(timer);
  try {
    chat.offer(await refresh());
    find("forget-key").hidden = !hasKey();
  } catch (error) {
    if (error.status === 401) return askForKey(hasKey() ? error.message : "");
    showNothing(error.message, "failed");
  }
  if (!document.hidden) timer = setTimeout(keepFresh, REFRESH_EVERY_MS);
}

function askForKey(problem) {
  clearTimeout(timer);
  forgetKey();
  showNothing("a key is needed", "unknown");
  find("key-problem").textContent = problem;
  if (!find("key-dialog").open) find("key-dialog").showModal();
  find("key").select();
}

async function useKey(event) {
  event.preventDefault();
  const key = find("key").value.trim();
  if (!/^[\x21-\x7e]+$/.test(key)) return askForKey("That holds characters that no key has. Was it copied whole?");
  try {
    await ask("/admin/v1/status", { key });
  } catch (error) {
    if (error.status === 401) return askForKey("This key is not valid here. Was it copied whole, or revoked since?");
    if (error.status === null) return (find("key-problem").textContent = error.message);
  }
  keepKey(key);
  find("key").value = "";
  find("key-dialog").close();
  await keepFresh();
  find("question").focus();
}

function togglePanel() {
  const isOpen = document.body.classList.toggle("panel-open");
  find("panel-button").setAttribute("aria-expanded", isOpen);
  find("panel-button").textContent = isOpen ? "Chat" : "This box";
}

/** Shows the metrics here where a link could not bring the key along. */
async function showMetrics(event) {
  if (!hasKey()) return;
  event.preventDefault();
  find("metrics-dialog").showModal();
  try {
    find("metrics").textContent = await (await ask("/metrics")).text();
  } catch (error) {
    find("metrics").textContent = error.message;
  }
}

find("key-form").addEventListener("submit", useKey);
find("key-dialog").addEventListener("cancel", (event) => event.preventDefault());
find("panel-button").addEventListener("click", togglePanel);
document.querySelectorAll(".metrics-link").forEach((link) => link.addEventListener("click", showMetrics));
find("metrics-close").addEventListener("click", () => find("metrics-dialog").close());
find("forget-key").addEventListener("click", () => {
  forgetKey();
  location.reload();
});
document.addEventListener("visibilitychange", () => document.hidden || find("key-dialog").open || keepFresh());

await keepFresh();
if (!find("key-dialog").open && matchMedia("(hover: hover)").matches) find("question").focus();
