// The chat page. It works without this script; with it, answers stream, nothing is lost offline and nothing sent twice.
"use strict";

const texts = JSON.parse(document.body.dataset.texts);
const fileLimit = Number(document.body.dataset.fileBytes);
const byId = (id) => document.getElementById(id);
const log = byId("log");
const composer = byId("composer");
const box = byId("text");
const sendButton = byId("send");
const stopButton = byId("stop");
const statusLine = byId("status");

const UNSENT = "parlour-unsent";
const SEND_TIMEOUT_MS = 30000;
const SILENCE_MS = 20000;

let lastSeen = document.body.dataset.last;
let waiting = document.body.dataset.waiting.split(" ").filter(Boolean);
let files = [];
const outbox = [];  // {id, text, files, element, isSending}
const held = [];  // own messages told by the server while it is not known yet which of the outbox they are

// ---- small things ----

function newId() {
  // crypto.randomUUID is there on HTTPS and localhost only.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function say(text, isWarning = false) {
  if (statusLine.textContent !== text) statusLine.textContent = text;
  statusLine.classList.toggle("warn", isWarning);
}

function copyOf(id) {
  return byId(id).content.firstElementChild.cloneNode(true);
}

async function post(path, body) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "Accept": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(SEND_TIMEOUT_MS),
  });
  const answer = await response.json().catch(() => ({}));
  return { status: response.status, ...answer };
}

// ---- scrolling: the newest stays in view unless the person has scrolled away ----

const end = byId("end");
const latest = byId("latest");
let isAtEnd = true;

new IntersectionObserver(([entry]) => {
  isAtEnd = entry.isIntersecting;
  latest.hidden = isAtEnd;
}, { rootMargin: "0px 0px 160px 0px" }).observe(end);

function showEnd() {
  scrollTo({ top: document.documentElement.scrollHeight });
}

function keepingPlace(change) {
  const stays = isAtEnd;
  change();
  if (stays) showEnd();
}

latest.addEventListener("click", (event) => {
  event.preventDefault();
  showEnd();
  box.focus();
});

// ---- the conversation ----

function turnSection(turn) {
  let section = log.querySelector(`[data-turn="${CSS.escape(turn)}"]`);
  if (section) return section;
  section = document.createElement("section");
  section.className = "turn";
  section.dataset.turn = turn;
  // Ids of turns grow with time; what has no turn yet stays last.
  const later = [...log.children].find((other) => !other.dataset.turn || other.dataset.turn > turn);
  log.insertBefore(section, later ?? null);
  byId("welcome")?.remove();
  return section;
}

function parsed(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html.trim();  // cleaned by the server
  return holder.content;
}

function addCopyButtons(root) {
  for (const head of root.querySelectorAll(".code-head")) {
    if (head.querySelector(".copy")) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = texts.copy;
    head.append(button);
  }
}

function placeSaid({ id, turn, author, html }) {
  if (id > lastSeen) lastSeen = id;
  if (byId(`m-${id}`)) return;
  const section = turnSection(turn);
  const article = parsed(html).firstElementChild;
  addCopyButtons(article);
  keepingPlace(() => {
    const own = author === "user" && section.querySelector(".user:not([data-message])");
    if (own) {
      own.replaceWith(article);
    } else if (author === "user") {
      section.prepend(article);
    } else {
      section.querySelector(".draft")?.remove();
      section.append(article);
    }
    showWaiting();
  });
}

function placeDraft({ turn, html }) {
  const section = turnSection(turn);
  if (section.querySelector(".assistant[data-message], .notice")) return;
  keepingPlace(() => {
    let draft = section.querySelector(".draft");
    if (!draft) {
      draft = copyOf("draft");
      section.append(draft);
    }
    patch(draft.querySelector(".body"), parsed(html));
  });
}

// Only what changed is replaced, so that a selection in what is already written survives.
function patch(body, fresh) {
  const blocks = [...fresh.children];
  addCopyButtons(fresh);
  blocks.forEach((block, index) => {
    const old = body.children[index];
    if (!old) body.append(block);
    else if (!old.isEqualNode(block)) old.replaceWith(block);
  });
  while (body.children.length > blocks.length) body.lastElementChild.remove();
}

function showWaiting() {
  for (const section of log.querySelectorAll("[data-turn]")) {
    const isOpen = waiting.includes(section.dataset.turn);
    const dots = section.querySelector(".thinking");
    if (isOpen && !dots) section.append(copyOf("thinking"));
    if (!isOpen) dots?.remove();
    if (!isOpen && !section.querySelector(".said:not(.draft)")) section.remove();
    if (!isOpen) section.querySelector(".draft")?.remove();
  }
  stopButton.hidden = waiting.length === 0;
}

// ---- what the server tells ----

let source = null;
let heardAt = Date.now();

function listen() {
  source?.close();
  heardAt = Date.now();
  source = new EventSource(`/chat/events?after=${encodeURIComponent(lastSeen)}`);
  const on = (name, act) => source.addEventListener(name, (event) => {
    heardAt = Date.now();
    act(JSON.parse(event.data));
  });
  source.addEventListener("open", () => {
    heardAt = Date.now();
    say("");
    flush();
  });
  source.addEventListener("error", () => {
    say(texts.offline, true);
    // A browser gives up after an answer that is no event stream, from a proxy without a server behind it, say.
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
  });
  on("said", (said) => {
    // The answer to our own request says which message this is; it may come later than this event.
    if (said.author === "user" && outbox.length && !log.querySelector(`[data-turn="${CSS.escape(said.turn)}"]`)) held.push(said);
    else placeSaid(said);
    say("");
  });
  on("draft", placeDraft);
  on("waiting", ({ turns }) => {
    const isNew = turns.length && !waiting.length;
    const isDone = !turns.length && waiting.length;
    waiting = turns;
    keepingPlace(showWaiting);
    if (isNew) say(texts.answering);
    if (isDone) say("");
  });
  on("away", () => say(texts.away, true));
  on("beat", () => { if (statusLine.classList.contains("warn") && !outbox.length) say(""); });
}

// A connection can die without a word (a laptop that slept): the server is never silent for so long.
setInterval(() => { if (Date.now() - heardAt > SILENCE_MS) listen(); }, 5000);
addEventListener("online", listen);
addEventListener("offline", () => say(texts.offline, true));

// ---- what the person sends ----

function remember() {
  // Text only: files are too large to keep here. The tab's own storage, gone with the tab.
  const kept = outbox.filter((entry) => !entry.files.length).map(({ id, text }) => ({ id, text }));
  try {
    if (kept.length) sessionStorage.setItem(UNSENT, JSON.stringify(kept));
    else sessionStorage.removeItem(UNSENT);
  } catch { /* storage may be forbidden: then a reload forgets what is unsent */ }
}

function show(entry) {
  entry.element = document.createElement("section");
  entry.element.className = "turn";
  const article = copyOf("pending");
  const names = entry.files.map((file) => file.name).join(", ");
  article.querySelector(".body").textContent = [entry.text, names].filter(Boolean).join("\n");
  article.querySelector(".again").addEventListener("click", () => { entry.isRefused = false; flush(); });
  entry.element.append(article);
  log.append(entry.element);
  byId("welcome")?.remove();
  showEnd();
}

function showFate(entry, fate, { isUnsent = false, canResend = false } = {}) {
  const article = entry.element.querySelector(".user");
  entry.element.hidden = false;
  article.classList.toggle("unsent", isUnsent);
  article.querySelector(".fate span").textContent = fate;
  article.querySelector(".again").hidden = !canResend;
}

function send(text, chosen = []) {
  const entry = { id: newId(), text, files: chosen, element: null, isSending: false, isRefused: false };
  outbox.push(entry);
  show(entry);
  remember();
  flush();
}

let isFlushing = false;
let pauseMs = 1000;

// One at a time and in order; the same id in every attempt, so that a message that arrived already is no second one.
async function flush() {
  if (isFlushing) return;
  isFlushing = true;
  try {
    for (let entry = next(); entry; entry = next()) {
      if (!await attempt(entry)) {
        setTimeout(flush, pauseMs);
        pauseMs = Math.min(pauseMs * 2, 15000);
        return;
      }
      pauseMs = 1000;
    }
  } finally {
    isFlushing = false;
  }
}

function next() {
  return outbox.find((entry) => !entry.isRefused);
}

async function attempt(entry) {
  const late = setTimeout(() => showFate(entry, texts.sending), 600);
  let answer = null;
  try {
    answer = await post("/chat/messages", { id: entry.id, text: entry.text, files: entry.files });
  } catch { /* no connection: the same as a server that is away */ }
  clearTimeout(late);
  if (!answer || answer.status >= 500 || answer.status === 429) {
    showFate(entry, texts.unsent, { isUnsent: true, canResend: true });
    return false;
  }
  if (answer.status >= 400) {
    entry.isRefused = true;
    showFate(entry, answer.title || texts.failed, { isUnsent: true, canResend: true });
    remember();
    return true;
  }
  outbox.splice(outbox.indexOf(entry), 1);
  remember();
  arrived(entry, answer);
  return true;
}

function arrived(entry, { verdict, turn }) {
  keepingPlace(() => {
    if (verdict === "ignored") {
      entry.element.remove();
    } else {
      showFate(entry, "");
      adopt(entry, turn);
    }
  });
  while (held.length && !outbox.some((other) => !other.isRefused)) placeSaid(held.shift());
  showWaiting();
}

// The message shown so far becomes that of its turn, which the event stream may have shown already.
function adopt(entry, turn) {
  const article = entry.element.querySelector(".user");
  article.classList.remove("pending");
  if (!turn) return;
  const known = log.querySelector(`[data-turn="${CSS.escape(turn)}"]`);
  if (known) {
    if (!known.querySelector(".user")) known.prepend(article);
    entry.element.remove();
    return;
  }
  entry.element.remove();
  turnSection(turn).append(article);
}

composer.addEventListener("submit", (event) => {
  event.preventDefault();
  if (event.submitter === stopButton) return stop();
  const text = box.value;
  if (!text.trim() && !files.length) return;
  send(text, files);
  box.value = "";
  files = [];
  showFiles();
  grow();
  box.focus();
});

byId("new").addEventListener("submit", (event) => {
  event.preventDefault();
  send("/new");
  box.focus();
});

async function stop() {
  say(texts.stopping);
  try {
    await post("/chat/stop", {});
  } catch {
    say(texts.offline, true);
  }
  box.focus();
}

box.addEventListener("keydown", (event) => {
  // An input method's own Enter (Chinese, Japanese) chooses a word and sends nothing.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  if (matchMedia("(pointer: coarse)").matches) return;
  event.preventDefault();
  composer.requestSubmit(sendButton);
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !stopButton.hidden && !event.isComposing) stop();
});

function grow() {
  sendButton.setAttribute("aria-disabled", String(!box.value.trim() && !files.length));
  if (CSS.supports("field-sizing", "content")) return;
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight}px`;
}

box.addEventListener("input", grow);

// ---- files ----

const filePicker = byId("file");
byId("add-file").addEventListener("click", () => filePicker.click());
filePicker.addEventListener("change", () => { take(filePicker.files); filePicker.value = ""; });
box.addEventListener("paste", (event) => {
  if (!event.clipboardData.files.length) return;
  event.preventDefault();
  take(event.clipboardData.files);
});

async function take(chosen) {
  for (const file of chosen) {
    const total = files.reduce((sum, other) => sum + other.size, file.size);
    if (total > fileLimit) {
      say(texts.file_too_large.replace("{name}", file.name).replace("{limit}", Math.floor(fileLimit / 1e6)), true);
      continue;
    }
    files.push({ name: file.name, type: file.type, size: file.size, data: await base64(file) });
  }
  showFiles();
  grow();
  box.focus();
}

function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

function showFiles() {
  const list = byId("files");
  list.hidden = !files.length;
  list.replaceChildren(...files.map((file) => {
    const item = document.createElement("li");
    const name = document.createElement("span");
    name.textContent = file.name;
    const remove = document.createElement("button");
    remove.type = "button";
    remove.setAttribute("aria-label", texts.remove_file.replace("{name}", file.name));
    remove.append(icon("close"));
    remove.addEventListener("click", () => { files = files.filter((other) => other !== file); showFiles(); grow(); box.focus(); });
    item.append(name, remove);
    return item;
  }));
}

function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

// ---- buttons of answers, thumbs and copying ----

log.addEventListener("submit", (event) => {
  if (!event.target.closest(".choices")) return;
  event.preventDefault();
  send(event.submitter.value);
  box.focus();
});

// A picture has no height before it is there: what follows must not slide out of view.
log.addEventListener("load", (event) => { if (event.target.tagName === "IMG" && isAtEnd) showEnd(); }, true);

log.addEventListener("submit", async (event) => {
  const form = event.target.closest(".rating");
  if (!form) return;
  event.preventDefault();
  const pressed = event.submitter;
  const buttons = [...form.querySelectorAll("button")];
  const before = buttons.map((button) => button.getAttribute("aria-pressed"));
  for (const button of buttons) button.setAttribute("aria-pressed", String(button === pressed));
  try {
    const answer = await post("/chat/feedback", { turn: form.elements.turn.value, value: pressed.value });
    if (answer.status >= 400) throw new Error(answer.title);
    say(texts.thanks);
  } catch {
    buttons.forEach((button, index) => button.setAttribute("aria-pressed", before[index]));
    say(texts.offline, true);
  }
});

log.addEventListener("click", async (event) => {
  const button = event.target.closest(".copy");
  if (!button) return;
  await copy(button.closest(".code").querySelector("code"));
  button.textContent = texts.copied;
  setTimeout(() => { button.textContent = texts.copy; }, 2000);
});

async function copy(code) {
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch {
    // No clipboard outside HTTPS: select it, so that the person can copy by hand.
    getSelection().selectAllChildren(code);
    document.execCommand("copy");
  }
}

// ---- begin ----

byId("add-file").hidden = fileLimit === 0;
addCopyButtons(log);
grow();
showEnd();
try {
  for (const { id, text } of JSON.parse(sessionStorage.getItem(UNSENT) ?? "[]")) {
    const entry = { id, text, files: [], element: null, isSending: false, isRefused: false };
    outbox.push(entry);
    show(entry);
    // It may have arrived before the reload and stand above already: shown when the server says that it did not.
    entry.element.hidden = true;
  }
} catch { /* nothing kept */ }
listen();
if (!matchMedia("(pointer: coarse)").matches) box.focus();
