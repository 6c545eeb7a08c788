// @anthropic-ai/sdk: the JavaScript library of Claude.
import assert from "node:assert/strict";
import test from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { box, call, user, weatherParameters } from "./said.js";

const client = new Anthropic({ baseURL: box, apiKey: "none", maxRetries: 0 });
const tools = [{ name: "get_weather", input_schema: weatherParameters }];

test("a message", async () => {
  const message = await client.messages.create({ model: "echo", max_tokens: 100, messages: [user("Good morning!")] });
  assert.equal(message.content[0].text, "Good morning!");
});

test("a stream", async () => {
  const texts = [];
  const stream = client.messages.stream({ model: "echo", max_tokens: 100, messages: [user("größer 你好 🙂")] });
  stream.on("text", (text) => texts.push(text));
  assert.equal(await stream.finalText(), "größer 你好 🙂");
  assert.equal(texts.join(""), "größer 你好 🙂");
});

test("thoughts and a tool in a stream", async () => {
  const said = `<think>two and two</think>Let me look. ${call("get_weather", { city: "Oslo", days: 2 })}`;
  const message = await client.messages
    .stream({ model: "echo", max_tokens: 2000, messages: [user(said)], tools, thinking: { type: "enabled", budget_tokens: 1024 } })
    .finalMessage();
  assert.deepEqual(message.content.map((block) => block.type), ["thinking", "text", "tool_use"]);
  assert.deepEqual(message.content[2].input, { city: "Oslo", days: 2 });
  assert.equal(message.stop_reason, "tool_use");
});

test("tokens are counted", async () => {
  const { input_tokens } = await client.messages.countTokens({ model: "echo", messages: [user("How many?")], tools });
  assert.ok(input_tokens > 10);
});

test("errors", async () => {
  await assert.rejects(client.messages.create({ model: "ecko", max_tokens: 5, messages: [user("Hi")] }), Anthropic.NotFoundError);
});
