// Shows what this machine is and does, and its models. Reads the daemon's status; changes nothing.

import { ask, hasKey } from "./api.js";
import { copyButton, element } from "./elements.js";

const ADDRESSES = [
  ["OpenAI", "/v1"],
  ["Anthropic, Ollama", ""],
];
const WORDS = { ready: "in memory", loading: "loading", stopping: "leaving memory", failed: "failed", stopped: "on disk" };

const find = (id) => document.getElementById(id);

/** Asks the machine how it is and shows that. Returns the models that chat. Throws ApiError. */
export async function refresh() {
  const [status, { models }] = await Promise.all(
    ["/admin/v1/status", "/admin/v1/models"].map(async (path) => (await ask(path)).json()),
  );
  showState(status);
  showFacts(status);
  showModels(models, status.models);
  showAddresses();
  return models.filter((model) => model.capabilities.includes("chat"));
}

/** Shows why there is nothing to show; `state` colours it. */
export function showNothing(text, state) {
  Object.assign(find("state"), { textContent: text, title: text }).dataset.state = state;
}

function showState(status) {
  const busy = status.num_running > 0 ? `answering ${status.num_running}` : "ready";
  const text = status.is_ready ? busy + (status.num_waiting ? `, ${status.num_waiting} waiting` : "") : status.not_ready_reason;
  const state = find("state");
  if (state.textContent !== text) state.textContent = text;
  state.title = text;
  state.dataset.state = status.is_ready ? "ready" : "loading";
}

function showFacts({ machine, versions, uptime_s }) {
  const used = machine.memory_total_bytes - machine.memory_available_bytes;
  const facts = [
    ["Memory", `${bytes(used)} of ${bytes(machine.memory_total_bytes)}`, used / machine.memory_total_bytes],
    ["Processor", percent(machine.cpu_busy_ratio) + " busy", machine.cpu_busy_ratio],
  ];
  if (machine.temperature_celsius !== null) facts.push(["Temperature", `${Math.round(machine.temperature_celsius)} °C`]);
  if (machine.power_watts !== null) facts.push(["Power", `${Math.round(machine.power_watts)} W`]);
  if (machine.easing.reason) facts.push(["Holds back", machine.easing.reason]);
  facts.push(["Up for", duration(uptime_s)], ["Version", versions.appliance]);
  find("facts").replaceChildren(...facts.flatMap(fact));
}

function fact([name, text, ratio]) {
  const lines = [element("dt", {}, name), element("dd", {}, text)];
  if (ratio !== undefined) lines.push(element("meter", { value: ratio.toFixed(3), "aria-label": `${name}: ${text}` }));
  return lines;
}

function showModels(models, loaded) {
  const now = new Map(loaded.map((model) => [model.name, model]));
  find("models").replaceChildren(...models.map((model) => item(model, now.get(model.name))));
}

function item(model, now) {
  const state = now?.state ?? model.state;
  const ratio = state === "loading" && now?.load_ratio ? ` ${percent(now.load_ratio)}` : "";
  const about = [
    model.is_default ? "default" : "",
    model.capabilities.includes("chat") ? "" : (model.capabilities[0] ?? ""),
    model.quantization ?? "",
    bytes(model.size_bytes),
  ];
  const shown = element("li", { "data-state": state });
  if (state === "failed" && now?.reason) shown.title = now.reason;
  shown.append(
    element("span", { class: "name" }, model.name),
    element("span", { class: "is" }, WORDS[state] + ratio),
    element("span", { class: "about" }, about.filter(Boolean).join(" · ")),
  );
  return shown;
}

function showAddresses() {
  find("key-hint").hidden = !hasKey();
  if (find("addresses").children.length > 0) return;
  for (const [name, path] of ADDRESSES) {
    const address = location.origin + path;
    const code = element("dd", {}, element("code", {}, address));
    find("addresses").append(element("dt", {}, name), code, element("dd", {}, copyButton(() => address, `the address for ${name}`)));
  }
}

const percent = (ratio) => `${Math.round(100 * ratio)} %`;

function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = count < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(count) / 10));
  const value = count / 2 ** (10 * power);
  return `${value < 10 && power > 0 ? value.toFixed(1) : Math.round(value)} ${units[power]}`;
}

function duration(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}
