// ollama: its JavaScript library.
import assert from "node:assert/strict";
import test from "node:test";
import { Ollama } from "ollama";
import { aLesson, box, call, gather, Lesson, saidLesson, user, weatherParameters } from "./said.js";
import { z } from "zod";

const client = new Ollama({ host: box });
const tools = [{ type: "function", function: { name: "get_weather", parameters: weatherParameters } }];

test("a chat", async () => {
  const answer = await client.chat({ model: "echo", messages: [user("Good morning!")] });
  assert.equal(answer.message.content, "Good morning!");
});

test("a streamed chat", async () => {
  const stream = await client.chat({ model: "echo", messages: [user("größer 你好 🙂")], stream: true });
  assert.equal(await gather(stream, (part) => part.message.content), "größer 你好 🙂");
});

test("a prompt", async () => {
  assert.equal((await client.generate({ model: "echo", prompt: "Good morning!" })).response, "Good morning!");
});

test("a tool", async () => {
  const messages = [user(call("get_weather", { city: "Oslo", days: 2 }))];
  const answer = await client.chat({ model: "echo", messages, tools });
  assert.deepEqual(answer.message.tool_calls[0].function.arguments, { city: "Oslo", days: 2 });
});

test("a form", async () => {
  const messages = [user(saidLesson)];
  const answer = await client.chat({ model: "echo", messages, format: z.toJSONSchema(Lesson) });
  assert.deepEqual(JSON.parse(answer.message.content), aLesson);
});

test("vectors", async () => {
  const { embeddings } = await client.embed({ model: "embedder", input: ["the cat sat", "the dog runs"] });
  assert.deepEqual(embeddings.map((row) => row.length), [64, 64]);
});

test("models", async () => {
  const { models } = await client.list();
  assert.ok(models.some((model) => model.name === "echo:latest"));
  assert.ok((await client.show({ model: "echo" })).capabilities.includes("tools"));
  assert.match((await client.version()).version, /^\d+\.\d+/);
});

test("errors", async () => {
  await assert.rejects(client.chat({ model: "ecko", messages: [user("Hi")] }), { status_code: 404 });
});
