// Speaks to the machine that sent this page. Owns the key, which lives in this tab alone.

const KEY = "appliance-key";

/** What the machine said no to; `status` is null where nothing answered. */
export class ApiError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

export const hasKey = () => sessionStorage.getItem(KEY) !== null;
export const keepKey = (key) => sessionStorage.setItem(KEY, key);
export const forgetKey = () => sessionStorage.removeItem(KEY);

/** Returns an answer whose status is good. Throws ApiError, or AbortError when `signal` says so. */
export async function ask(path, { body, signal, key = sessionStorage.getItem(KEY) } = {}) {
  const headers = key === null ? {} : { authorization: `Bearer ${key}` };
  const order = { headers, signal, cache: "no-store", credentials: "omit", redirect: "error" };
  if (body !== undefined) {
    headers["content-type"] = "application/json";
    Object.assign(order, { method: "POST", body: JSON.stringify(body) });
  }
  let answer;
  try {
    answer = await fetch(path, order);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The machine does not answer.", null);
  }
  if (!answer.ok) throw new ApiError(await problemOf(answer), answer.status);
  return answer;
}

async function problemOf(answer) {
  try {
    return (await answer.json()).error.message;
  } catch {
    return `The machine answered ${answer.status}.`;
  }
}

/** Yields the JSON of each event of a stream; a comment comes as `{ comment }`. */
export async function* events(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        if (line.startsWith("data: [DONE]")) continue;
        if (line.startsWith("data:")) yield JSON.parse(line.slice(5));
        else if (line.startsWith(": ")) yield { comment: line.slice(2).trim() };
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
