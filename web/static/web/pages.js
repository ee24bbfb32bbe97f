// Keeps a page true: follows the feed, asks the server for the parts that have changed, and puts in what differs.
// The page says so when it has lost its server. Without this script it works as well, by reloading.
"use strict";

const BEAT_MS = 5000; // how often the page is asked for while a stream tells of changes
const POLL_MS = 2500; // and while none does
const HIDDEN_MS = 60000; // a hidden tab rests; now and then its title is brought up to date
const PATIENCE_MS = 4000; // how long an answer may take
const LOST_MS = 8500; // after so long without an answer the page says so
const AFTER_FAILURE_MS = 1000;
const FAILURES = 3; // or after so many requests in vain
const STREAM_AGAIN_MS = 30000; // a stream that was refused is tried again after so long
const GATHER_MS = 40; // changes that come together are asked for together
const CALM_MS = 1500; // while changes come without such a pause, the page is asked for less and less often
const FIRST_PACE_MS = 100;
const SLOWER = 3;
const SLOWEST_MS = BEAT_MS;

const root = document.documentElement;
const live = {
  etag: document.body.dataset.etag || "",
  truth: 0, // up to when the page is true, by this clock: at first, when it was asked for
  answered: performance.now(), // when the server answered last
  failures: 0, // requests in vain since then
  asking: false,
  askedAt: -Infinity,
  hasNews: false, // something has changed since the page was asked for
  newsAt: -Infinity,
  againAt: -Infinity, // before this the server has nothing newer
  paceMs: 0, // how long to wait between two requests because of news
  timer: 0,
  stream: null,
  streamTriedAt: -Infinity,
  lost: "",
};

// ---- moments, in the reader's own time zone

const clockFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const timeFormat = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const UNITS = [["day", 86400], ["h", 3600], ["min", 60], ["s", 1]];

function span(seconds) {
  const [unit, length] = UNITS.find(([, size]) => seconds >= size) || UNITS[3];
  const count = Math.floor(seconds / length);
  return `${count} ${unit}${unit === "day" && count !== 1 ? "s" : ""}`;
}

function showTime(element) {
  const at = new Date(element.dateTime);
  if (Number.isNaN(at.getTime())) return;
  let text;
  if (element.className === "ago") {
    const seconds = (Date.now() - at) / 1000;
    text = seconds < -1 ? `in ${span(-seconds)}` : `${span(Math.max(0, seconds))} ago`;
  } else {
    text = at.toDateString() === new Date().toDateString() ? timeFormat.format(at) : clockFormat.format(at);
  }
  if (element.textContent !== text) element.textContent = text;
}

function showTimes() {
  document.querySelectorAll("time").forEach(showTime);
  const text = document.getElementById("asof-text");
  if (!text) return;
  const age = span(Math.max(0, (performance.now() - live.truth) / 1000));
  text.textContent = `${age} ago${live.lost ? "" : live.stream?.readyState === 1 ? ", live" : ", by asking"}`;
}

// ---- putting in what differs, and leaving all else alone

function keyOf(node) {
  return node.nodeType === 1 ? node.id || "" : "";
}

function morph(old, fresh) {
  if (old.nodeType !== 1) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  let changed = false;
  for (const name of fresh.getAttributeNames()) {
    const value = fresh.getAttribute(name);
    if (old.getAttribute(name) !== value) {
      old.setAttribute(name, value);
      changed = true;
    }
  }
  for (const name of old.getAttributeNames()) {
    // what a reader has opened stays open
    if (!fresh.hasAttribute(name) && !(name === "open" && old.localName === "details")) old.removeAttribute(name);
  }
  if (old.localName === "time") {
    if (changed) showTime(old);
    return;
  }
  morphChildren(old, fresh);
}

function fits(old, fresh) {
  return old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName && keyOf(old) === keyOf(fresh);
}

function morphChildren(old, fresh) {
  const keyed = new Map();
  for (const child of old.children) if (child.id) keyed.set(child.id, child);
  let place = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const known = keyed.get(keyOf(wanted));
    if (known && known !== place && known.nodeName === wanted.nodeName) {
      // moving what has the focus would take it away, so whatever stands before it goes instead
      if (known.contains(document.activeElement)) while (place && place !== known) place = remove(place);
      else old.insertBefore(known, place);
      morph(known, wanted);
      if (place === known) place = known.nextSibling;
    } else if (place && fits(place, wanted)) {
      morph(place, wanted);
      place = place.nextSibling;
    } else {
      const made = document.importNode(wanted, true);
      if (made.nodeType === 1 && made.id) made.classList.add("is-news");
      old.insertBefore(made, place);
    }
  }
  while (place) place = remove(place);
}

function remove(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

function put(name, html) {
  const part = document.querySelector(`[data-part="${CSS.escape(name)}"]`);
  if (!part) return;
  const fresh = document.createElement("div");
  fresh.innerHTML = html;
  const focused = document.activeElement;
  const key = part.contains(focused) ? focused.closest("[id]")?.id : "";
  morphChildren(part, fresh);
  part.querySelectorAll("time").forEach(showTime);
  if (key && !document.contains(focused)) refocus(key, part);
}

function refocus(key, part) {
  const where = document.getElementById(key)?.querySelector("a, button") || part.querySelector("a.line") || part;
  if (where === part) part.tabIndex = -1;
  where.focus({ preventScroll: true });
}

// ---- asking

function schedule(ms) {
  clearTimeout(live.timer);
  live.timer = setTimeout(ask, ms);
}

function rest() {
  if (document.hidden) return HIDDEN_MS;
  return live.stream?.readyState === 1 ? BEAT_MS : POLL_MS;
}

function untilNews() {
  return Math.max(GATHER_MS, Math.max(live.askedAt + live.paceMs, live.againAt) - performance.now());
}

function news() {
  const now = performance.now();
  if (now - live.newsAt > CALM_MS) live.paceMs = 0;
  live.newsAt = now;
  if (!live.hasNews && !live.asking) schedule(untilNews());
  live.hasNews = true;
}

async function ask() {
  if (live.asking) return;
  const because = live.hasNews;
  live.asking = true;
  live.hasNews = false;
  live.askedAt = performance.now();
  let next = AFTER_FAILURE_MS;
  try {
    next = await answerOf(await fetch(location.href, {
      headers: { Accept: "application/json", "If-None-Match": live.etag },
      cache: "no-store",
      credentials: "same-origin",
      redirect: "error",
      signal: AbortSignal.timeout(PATIENCE_MS),
    }));
  } catch {
    live.failures += 1;
    judge();
  }
  if (because) live.paceMs = Math.min(SLOWEST_MS, live.paceMs * SLOWER || FIRST_PACE_MS);
  live.asking = false;
  schedule(live.hasNews ? untilNews() : next);
}

async function answerOf(answer) {
  if (answer.status === 401 || answer.status === 404) {
    live.answered = performance.now();
    live.failures = 0;
  }
  if (answer.status === 401) {
    lose("You are logged out: this page is no longer kept up to date.", true);
    return POLL_MS;
  }
  if (answer.status === 404) {
    lose("What this page showed is in the index no more.", false);
    return POLL_MS;
  }
  if (answer.status !== 200 && answer.status !== 304) throw new Error(answer.status);
  const body = answer.status === 200 ? await answer.json() : null;
  live.answered = performance.now();
  live.failures = 0;
  // another process may have an older page, which it does not send
  live.truth = Math.max(live.truth, live.answered - Number(answer.headers.get("X-Age-Ms")));
  if (body) live.etag = answer.headers.get("ETag") || live.etag;
  find();
  if (body) show(body);
  showTimes();
  const again = Number(answer.headers.get("X-Again-Ms"));
  if (again) {
    // this answer is behind the feed, and a newer one is to be had only then
    live.hasNews = true;
    live.againAt = live.answered + again;
  }
  return rest();
}

function show(body) {
  for (const [name, html] of Object.entries(body.parts)) put(name, html);
  document.title = body.title;
  const icon = document.querySelector('link[rel="icon"]');
  const href = icon.href.replace(/icon-\w+\.svg/, `icon-${body.level}.svg`);
  if (icon.href !== href) icon.href = href;
  const announced = document.getElementById("announce");
  if (announced.dataset.says !== body.says) {
    announced.dataset.says = body.says;
    say(body.says);
  }
}

function say(text) {
  document.getElementById("announce").textContent = text;
}

// ---- a page that has lost its server

function judge() {
  if (performance.now() - live.answered >= LOST_MS || live.failures >= FAILURES) lose("", false);
}

function lose(why, offersLogin) {
  const at = clockFormat.format(new Date(Date.now() - (performance.now() - live.truth)));
  const text = `${why || "The server does not answer."} What you see was true at ${at}.`;
  if (live.lost === text) return;
  live.lost = text;
  const banner = document.getElementById("lost");
  banner.textContent = `${text} `;
  if (offersLogin) {
    const link = document.createElement("a");
    link.href = location.href;
    link.textContent = "Log in";
    banner.append(link);
  }
  banner.hidden = false;
  root.classList.add("is-lost");
  root.classList.remove("live");
  document.title = `? ${document.title.replace(/^\? /, "")}`;
  showTimes();
}

function find() {
  if (live.lost) {
    live.lost = "";
    document.getElementById("lost").hidden = true;
    root.classList.remove("is-lost");
    document.title = document.title.replace(/^\? /, "");
  }
  root.classList.toggle("live", true);
}

// ---- the stream of changes

function openStream() {
  if (live.stream || document.hidden || !window.EventSource) return;
  if (performance.now() - live.streamTriedAt < STREAM_AGAIN_MS) return;
  live.streamTriedAt = performance.now();
  const stream = new EventSource("/api/v1/changes");
  live.stream = stream;
  // whatever was missed while no stream was open is in the page that is asked for now
  stream.addEventListener("open", news);
  stream.addEventListener("change", news);
  stream.addEventListener("error", () => {
    if (stream.readyState === EventSource.CLOSED) closeStream();
    schedule(AFTER_FAILURE_MS);
  });
}

function closeStream() {
  live.stream?.close();
  live.stream = null;
}

function tick() {
  openStream();
  if (!document.hidden) {
    judge();
    showTimes();
  }
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    closeStream();
    schedule(HIDDEN_MS);
  } else {
    // nobody has asked while the tab was hidden
    live.answered = performance.now();
    live.streamTriedAt = -Infinity;
    openStream();
    schedule(0);
  }
});
window.addEventListener("pagehide", closeStream);
window.addEventListener("online", () => schedule(0));

// ---- acknowledging: as the form does, but without leaving the page

document.addEventListener("submit", async (event) => {
  const { target: form, submitter: button } = event;
  if (form.id !== "acknowledge" || !live.etag || !button) return;
  event.preventDefault();
  if (button.ariaBusy === "true") return;
  button.ariaBusy = "true";
  const label = button.firstChild;
  try {
    const body = new URLSearchParams(new FormData(form));
    body.append(button.name, button.value);
    const answer = await fetch(form.action, {
      method: "POST",
      body,
      headers: { Accept: "application/json" },
      redirect: "error",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    if (!answer.ok) throw new Error(answer.status);
    label.nodeValue = "Acknowledged";
    say("Acknowledged.");
    news();
  } catch {
    label.nodeValue = "Not acknowledged: try again";
    say("It could not be acknowledged. Try again.");
  }
  button.ariaBusy = "false";
});

// ---- keys, and copying

function isTyping(target) {
  return target.closest("input, select, textarea, [contenteditable]") !== null;
}

function move(by) {
  const lines = [...document.querySelectorAll("a.line")].filter((line) => line.checkVisibility());
  const here = lines.indexOf(document.activeElement.closest("li, tr")?.querySelector("a.line"));
  const next = lines[here < 0 ? (by > 0 ? 0 : lines.length - 1) : here + by];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const help = document.getElementById("help");
  if (event.key === "Escape" && isTyping(event.target)) event.target.blur();
  if (isTyping(event.target) || help.open) return;
  const act = {
    "/": () => document.getElementById("search")?.select(),
    "?": () => help.showModal(),
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
  }[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("button.copy");
  if (!button) return;
  const label = button.firstChild;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    label.nodeValue = "Copied";
  } catch {
    getSelection().selectAllChildren(button.previousElementSibling);
    label.nodeValue = "Press Ctrl-C";
  }
  setTimeout(() => { label.nodeValue = "Copy"; }, 2000);
});

root.classList.add("js");
showTimes();
if (live.etag) {
  document.getElementById("announce").dataset.says = document.querySelector("h1")?.textContent || "";
  setInterval(tick, 1000);
  tick();
  schedule(rest());
}
