// Turns what a model wrote into elements. Text only ever becomes text nodes, so nothing that it says can run.

import { copyButton, element } from "./elements.js";

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^\s`]*)[^`]*$/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$/;
const RULE = /^ {0,3}([-*_])(\s*\1){2,}\s*$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const TABLE_LINE = /^ {0,3}\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;
const INLINE =
  /(?<ticks>`+)(?<code>[^`]|[^`][\s\S]*?[^`])\k<ticks>(?!`)|\*\*(?<strong>\S(?:[\s\S]*?\S)?)\*\*|(?<![\w*])\*(?<em>[^\s*](?:[^*]*[^\s*])?)\*(?!\w)|(?<!\w)_(?<under>[^\s_](?:[^_]*[^\s_])?)_(?!\w)|~~(?<del>[^~]+)~~|\[(?<label>[^\[\]]+)\]\((?<target>[^()\s]+)\)|(?<address>https?:\/\/[^\s<>()"'`*]*[^\s<>()"'`*.,;:!?])|\\(?<escaped>[!-/:-@[-`{-~])/g;
const MAX_DEPTH = 6;

/** Returns a fragment for a text of Markdown; what is not understood stays as it was written. */
export function render(text, depth = 0) {
  const fragment = document.createDocumentFragment();
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  while (lines.length > 0) {
    if (lines[0].trim() === "") lines.shift();
    else fragment.append(block(lines, depth));
  }
  return fragment;
}

function block(lines, depth) {
  const [line] = lines;
  const nests = depth < MAX_DEPTH;
  if (FENCE.test(line)) return codeBlock(lines);
  const heading = HEADING.exec(line);
  if (heading) {
    lines.shift();
    return inline(element(`h${Math.min(6, heading[1].length + 2)}`), heading[2]);
  }
  if (RULE.test(line)) return lines.shift() && element("hr");
  if (nests && QUOTE.test(line)) return quote(lines, depth);
  if (nests && ITEM.test(line)) return list(lines, depth);
  if (line.includes("|") && lines.length > 1 && lines[1].includes("-") && TABLE_LINE.test(lines[1])) return table(lines);
  return paragraph(lines, nests);
}

function codeBlock(lines) {
  const [, fence, language] = FENCE.exec(lines.shift());
  const code = [];
  while (lines.length > 0 && !lines[0].trim().startsWith(fence)) code.push(lines.shift());
  lines.shift();
  const text = code.join("\n");
  const bar = element("div", { class: "bar" }, element("span", {}, language), copyButton(() => text));
  return element("div", { class: "code" }, bar, element("pre", { tabindex: "0" }, element("code", {}, text)));
}

function quote(lines, depth) {
  const inner = [];
  while (lines.length > 0 && QUOTE.test(lines[0])) inner.push(lines.shift().replace(QUOTE, ""));
  return element("blockquote", {}, render(inner.join("\n"), depth + 1));
}

function list(lines, depth) {
  const first = ITEM.exec(lines[0]);
  const isOrdered = /\d/.test(first[2]);
  const root = element(isOrdered ? "ol" : "ul", isOrdered ? { start: parseInt(first[2], 10) } : {});
  while (lines.length > 0) {
    const item = ITEM.exec(lines[0]);
    if (!item || item[1].length > first[1].length + 1 || /\d/.test(item[2]) !== isOrdered) break;
    lines.shift();
    root.append(listItem([item[3], ...belonging(lines, item[1].length)], depth));
  }
  return root;
}

/** Takes the lines that go on with an item of a list: indented ones, also after an empty one, and a lazy one. */
function belonging(lines, indent) {
  const taken = [];
  while (lines.length > 0) {
    const isEmpty = lines[0].trim() === "";
    const next = isEmpty ? lines.find((line) => line.trim() !== "") : lines[0];
    const isIndented = next !== undefined && next.search(/\S/) > indent + 1;
    const isLazy = !isEmpty && !ITEM.test(next) && !startsBlock(next) && taken.at(-1) !== "";
    if (!isIndented && !isLazy) {
      if (isEmpty && next !== undefined && ITEM.test(next)) {
        lines.shift();
        continue;
      }
      break;
    }
    taken.push(isEmpty ? lines.shift().trim() : lines.shift().replace(new RegExp(`^ {0,${indent + 3}}`), ""));
  }
  return taken;
}

function listItem(lines, depth) {
  const content = render(lines.join("\n"), depth + 1);
  const [only] = content.children;
  // A line alone stands without the space around a paragraph
  if (only?.tagName === "P") only.replaceWith(...only.childNodes);
  return element("li", {}, content);
}

function table(lines) {
  const head = element("thead", {}, row(lines.shift(), "th"));
  lines.shift();
  const body = element("tbody");
  while (lines.length > 0 && lines[0].includes("|")) body.append(row(lines.shift(), "td"));
  return element("div", { class: "table" }, element("table", {}, head, body));
}

function row(line, tag) {
  const cells = line.trim().replace(/^\||\|$/g, "").split("|");
  return element("tr", {}, ...cells.map((cell) => inline(element(tag), cell.trim())));
}

function paragraph(lines, nests) {
  const taken = [lines.shift()];
  while (lines.length > 0 && lines[0].trim() !== "" && !startsBlock(lines[0]) && !(nests && ITEM.test(lines[0]))) {
    taken.push(lines.shift());
  }
  return inline(element("p"), taken.join("\n"));
}

const startsBlock = (line) => [FENCE, HEADING, RULE, QUOTE].some((pattern) => pattern.test(line));

/** Appends a text with its emphasis, code and links to an element, and returns the element. */
function inline(parent, text) {
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    withBreaks(parent, text.slice(end, match.index));
    parent.append(span(match.groups, match[0]));
    end = match.index + match[0].length;
  }
  withBreaks(parent, text.slice(end));
  return parent;
}

function span({ code, strong, em, under, del, label, target, address, escaped }, whole) {
  if (code !== undefined) return element("code", {}, code.trim() || code);
  if (strong !== undefined) return inline(element("strong"), strong);
  if (em !== undefined || under !== undefined) return inline(element("em"), em ?? under);
  if (del !== undefined) return inline(element("del"), del);
  if (address !== undefined) return link(address, address);
  if (escaped !== undefined) return escaped;
  return link(target, label) ?? whole;
}

/** Returns a link to the web or to a mailbox, null for any other kind: `javascript:` and `data:` are no addresses. */
function link(target, label) {
  if (!/^(https?:\/\/|mailto:)/i.test(target) || !URL.canParse(target)) return null;
  return element("a", { href: target, target: "_blank", rel: "noopener noreferrer nofollow" }, label);
}

function withBreaks(parent, text) {
  text.split(/ {2,}\n|\n/).forEach((line, index) => {
    if (index > 0) parent.append(element("br"));
    parent.append(line);
  });
}
