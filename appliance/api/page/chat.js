// One conversation with one model at a time. Kept in this tab's memory and nowhere else.

import { ApiError, ask, events } from "./api.js";
import { copyButton, element } from "./elements.js";
import { render } from "./markdown.js";

const SUGGESTIONS = ["What are you?", "How do I add a model?", "How does my program connect?"];
const NEAR_END_PX = 80;

const find = (id) => document.getElementById(id);

/** Owns the conversation. `onUnauthorized` is called when the machine wants a key or another one. */
export class Chat {
  #turns = [];
  #running = null;
  #onUnauthorized;

  constructor(onUnauthorized) {
    this.#onUnauthorized = onUnauthorized;
    find("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    find("question").addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#submit();
    });
    find("question").addEventListener("input", fitQuestion);
    find("question").addEventListener("input", () => this.#showButtons());
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.stop());
    find("stop").addEventListener("click", () => this.stop());
    find("new-chat").addEventListener("click", () => this.#beginAnew());
    find("suggestions").append(...SUGGESTIONS.map((text) => this.#suggestion(text)));
  }

  /** Offers these models; keeps the one that is chosen, if it is still there. */
  offer(models) {
    const select = find("model");
    const names = models.map((model) => model.name);
    if (names.join("\n") === [...select.options].map((option) => option.value).join("\n")) return;
    const chosen = names.includes(select.value) ? select.value : models.find((model) => model.is_default)?.name;
    select.replaceChildren(...names.map((name) => element("option", { value: name }, name)));
    if (chosen !== undefined) select.value = chosen;
    this.#showButtons();
  }

  /** Ends the answer that is being written; what is there stays. */
  stop() {
    this.#running?.abort();
  }

  #suggestion(text) {
    const button = element("button", { type: "button" }, text);
    button.addEventListener("click", () => {
      find("question").value = text;
      this.#submit();
    });
    return button;
  }

  #beginAnew() {
    this.stop();
    this.#turns = [];
    find("messages").replaceChildren(welcome);
    this.#showButtons();
    find("question").focus();
  }

  #showButtons() {
    find("send").disabled = find("question").value.trim() === "" || find("model").value === "";
    find("send").hidden = this.#running !== null;
    find("stop").hidden = this.#running === null;
    find("new-chat").hidden = this.#turns.length === 0;
  }

  async #submit() {
    const text = find("question").value.trim();
    const model = find("model").value;
    if (text === "" || model === "" || this.#running) return;
    find("question").value = "";
    fitQuestion();
    const turns = this.#turns;
    turns.push({ role: "user", content: text });
    find("welcome")?.remove();
    append(element("div", { class: "message user" }, element("div", { class: "text" }, text)));
    const answer = new Answer();
    this.#running = new AbortController();
    this.#showButtons();
    try {
      await answer.follow(model, turns, this.#running.signal);
    } catch (error) {
      answer.fail(error);
      if (error instanceof ApiError && error.status === 401) this.#onUnauthorized(error.message);
    }
    this.#running = null;
    if (answer.text) turns.push({ role: "assistant", content: answer.text });
    else if (turns.at(-1)?.role === "user") {
      // A question without an answer is asked anew, not sent along with the next one
      turns.pop();
      if (find("question").value === "" && turns === this.#turns) find("question").value = text;
      fitQuestion();
    }
    this.#showButtons();
  }
}

/** An answer on its way, and the element that shows it. */
class Answer {
  text = "";
  #thoughts = "";
  #isDrawn = true;
  #body = element("div", { class: "text" }, element("p", { class: "waiting" }, "…"));
  #about = element("p", { class: "about" });
  #message = element("div", { class: "message assistant", "aria-busy": "true" }, this.#body, this.#about);
  #details = null;

  constructor() {
    append(this.#message);
  }

  /** Writes the answer as it comes. Throws ApiError, AbortError. */
  async follow(model, messages, signal) {
    const started = performance.now();
    const body = { model, messages, stream: true, stream_options: { include_usage: true } };
    const seen = { model, reason: null };
    for await (const event of events(await ask("/v1/chat/completions", { body, signal }))) {
      if (event.error) throw new ApiError(event.error.message, null);
      if (event.comment && this.text === "") this.#wait(event.comment);
      const choice = event.choices?.[0];
      this.#add(choice?.delta?.content ?? "", choice?.delta?.reasoning_content ?? "");
      seen.reason = choice?.finish_reason ?? seen.reason;
      seen.usage = event.usage ?? seen.usage;
      seen.speed = event.timings?.predicted_per_second ?? seen.speed;
    }
    this.#end(factsOf(seen, performance.now() - started));
  }

  /** Shows why there is no more. */
  fail(error) {
    if (error.name === "AbortError") return this.#end(["stopped"]);
    this.#end([]);
    stayingAtEnd(() => this.#message.append(element("p", { class: "problem", role: "alert" }, error.message)));
  }

  #wait(comment) {
    this.#body.replaceChildren(element("p", { class: "waiting" }, comment.startsWith("queue") ? comment : "…"));
  }

  #add(text, thoughts) {
    this.text += text;
    this.#thoughts += thoughts;
    if ((text || thoughts) && this.#isDrawn) {
      this.#isDrawn = false;
      requestAnimationFrame(() => this.#draw());
    }
  }

  #draw() {
    if (this.#isDrawn) return;
    this.#isDrawn = true;
    stayingAtEnd(() => {
      if (this.#thoughts) this.#drawThoughts();
      if (this.text) this.#body.replaceChildren(render(this.text));
    });
  }

  #drawThoughts() {
    if (this.#details === null) {
      this.#details = element("details", {}, element("summary", {}, "Thoughts"), element("div"));
      this.#message.prepend(this.#details);
    }
    this.#details.lastElementChild.textContent = this.#thoughts;
  }

  #end(facts) {
    this.#draw();
    this.#message.removeAttribute("aria-busy");
    stayingAtEnd(() => {
      if (this.text === "") this.#body.replaceChildren();
      this.#about.replaceChildren(...facts.map((fact) => element("span", {}, fact)));
      if (this.text) this.#about.append(copyButton(() => this.text, "the answer"));
    });
  }
}

function factsOf({ model, usage, speed, reason }, took_ms) {
  const facts = [model];
  if (usage) facts.push(`${usage.completion_tokens} tokens`);
  if (speed) facts.push(`${speed < 10 ? speed.toFixed(1) : Math.round(speed)} tokens/s`);
  else facts.push(`${(took_ms / 1000).toFixed(1)} s`);
  if (reason === "length") facts.push("cut at its longest");
  return facts;
}

const welcome = find("welcome");

/** Appends a message and shows it. */
function append(message) {
  const log = find("messages");
  log.append(message);
  log.scrollTop = log.scrollHeight;
}

/** Changes the conversation; whoever read its end sees its end again, whoever read above stays there. */
function stayingAtEnd(change) {
  const log = find("messages");
  const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_END_PX;
  change();
  if (isAtEnd) log.scrollTop = log.scrollHeight;
}

function fitQuestion() {
  const field = find("question");
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight}px`;
}
