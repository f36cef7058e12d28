// The storefront's only script. Without it every button is a form and every "why" a page.
const who = JSON.parse(document.body.dataset.who);
const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
const PAUSE = 100, PATIENCE = 5000, PULSE = 2000;
const SAID = { like: "Liked", dislike: "Noted: not for you", view: `Marked as ${document.body.dataset.viewed}`, click: "Click counted" };
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

let toastEnds = 0;
function say(text) {
  const toast = $("#say");
  toast.textContent = text;
  toast.classList.add("on");
  clearTimeout(toastEnds);
  toastEnds = setTimeout(() => toast.classList.remove("on"), 4000);
}

// --- events --------------------------------------------------------------------------------------

async function send(form, kind) {
  const field = (name) => form.elements[name]?.value ?? "";
  const event = { event_id: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`, kind, ...who, item_id: field("item_id") };
  if (kind === "view") event.value = 1;
  if (field("recommendation_id")) event.recommendation_id = field("recommendation_id");
  if (field("surface")) event.surface = field("surface");
  if (Number(field("position")) > 0) event.position = Number(field("position"));
  const answer = await fetch("/v1/events", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ events: [event] }),
  });
  if (!answer.ok) throw new Error(`${answer.status}`);
}

document.addEventListener("submit", async (submitted) => {
  const form = submitted.target, button = submitted.submitter;
  if (!form.matches(".acts")) return;
  submitted.preventDefault();
  const started = performance.now();
  try {
    await send(form, button.value);
  } catch {
    form.requestSubmit ? plain(form, button) : form.submit();
    return;
  }
  button.setAttribute("aria-pressed", "true");
  say(SAID[button.value]);
  await react(started, form.elements.item_id.value, button.value !== "click");
});

// The way without script, which is also the way out when a call fails.
function plain(form, button) {
  const hidden = Object.assign(document.createElement("input"), { type: "hidden", name: "kind", value: button.value });
  form.append(hidden);
  form.submit();
}

// --- rows ----------------------------------------------------------------------------------------

async function fetched(row) {
  const answer = await fetch(row.dataset.source, { headers: { accept: "text/html" } });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(".row");
}

// Ask for Home until it answers differently, then bring the other rows up to date.
async function react(started, item, leaves) {
  const home = $('.row[data-row="home"]');
  if (!home) return;
  while (performance.now() - started < PATIENCE) {
    const fresh = await fetched(home).catch(() => null);
    if (fresh && reacted(home, fresh, item, leaves)) {
      const took = measured(started);
      say(`Home changed ${took} ms later: ${swap(home, fresh)}`);
      await refresh((row) => row.dataset.row !== "home" && row.dataset.row !== "more_like_this");
      return;
    }
    await wait(PAUSE);
  }
  await refresh(() => true);
}

// Chance alone also changes a row (slots are given to it), so a reaction is what an event brings about:
// the item left, a reason names it, or other items' scores moved.
function reacted(old, fresh, item, leaves) {
  const find = (row, id) => $(`.card[data-item="${CSS.escape(id)}"]`, row);
  if (leaves && find(old, item)) return !find(fresh, item);
  if (names(fresh, item) && !names(old, item)) return true;
  return $$(".card:not([data-explore])", fresh).some((card) => {
    const before = Number(find(old, card.dataset.item)?.dataset.score), now = Number(card.dataset.score);
    return Number.isFinite(before) && Math.abs(now - before) > 0.01 * Math.max(Math.abs(now), Math.abs(before));
  });
}

const names = (row, item) => $$(".card", row).some((card) => JSON.parse(card.dataset.because).includes(item));

function measured(started) {
  const took = Math.round(performance.now() - started), reaction = $('[data-fact="reaction"]');
  reaction.textContent = `last reaction: ${took} ms`;
  reaction.hidden = false;
  return took;
}

async function refresh(which) {
  for (const row of $$(".row").filter(which)) {
    const fresh = await fetched(row).catch(() => null);
    if (fresh) swap(row, fresh);
  }
}

const placed = (row) => new Map($$(".card", row).map((card, place) => [card.dataset.item, { card, place, box: card.getBoundingClientRect() }]));

// Put the new row where the old one was: mark what is new or moved, and let it glide there.
function swap(old, fresh) {
  const before = placed(old), scroll = $(".cards", old)?.scrollLeft ?? 0;
  const focus = old.contains(document.activeElement) ? address(document.activeElement) : "";
  old.replaceWith(fresh);
  const cards = $(".cards", fresh);
  if (cards) cards.scrollLeft = scroll;
  const counts = { new: 0, up: 0, down: 0 };
  for (const [item, now] of placed(fresh)) {
    const was = before.get(item);
    const kind = !was ? "new" : now.place < was.place ? "up" : now.place > was.place ? "down" : "";
    if (kind) {
      counts[kind] += 1;
      mark(now.card, kind, was ? Math.abs(was.place - now.place) : 0);
    }
    if (!calm) glide(now, was);
  }
  if (focus) ($(focus, fresh) ?? cards)?.focus({ preventScroll: true });
  const words = [["new", "new"], ["up", "moved up"], ["down", "moved down"]];
  return words.filter(([kind]) => counts[kind]).map(([kind, word]) => `${counts[kind]} ${word}`).join(", ") || `same ${document.body.dataset.nouns}, new reasons`;
}

function address(element) {
  const card = element.closest(".card");
  if (!card) return "";
  const own = element.matches("button") ? `button[value="${element.value}"]` : element.matches(".why") ? ".why" : ".poster";
  return `.card[data-item="${CSS.escape(card.dataset.item)}"] ${own}`;
}

function mark(card, kind, places) {
  const badge = $(".change", card);
  badge.textContent = kind === "new" ? "New" : `${kind === "up" ? "←" : "→"} ${places}`;
  badge.title = kind === "new" ? "New in this row" : `Moved ${kind} by ${places}`;
  badge.dataset.change = kind;
  badge.hidden = false;
}

function glide({ card, box }, was) {
  const from = was ? { transform: `translateX(${was.box.left - box.left}px)` } : { opacity: 0, transform: "scale(.92)" };
  if (was && Math.abs(was.box.left - box.left) < 1) return;
  card.animate([from, { opacity: 1, transform: "none" }], { duration: 480, easing: "cubic-bezier(.2,.8,.2,1)" });
}

// --- why, scrolling, the pulse -------------------------------------------------------------------

document.addEventListener("click", async (clicked) => {
  const scroller = clicked.target.closest("[data-scroll]");
  if (scroller) {
    const cards = $(".cards", scroller.closest(".row"));
    cards?.scrollBy({ left: Number(scroller.dataset.scroll) * cards.clientWidth * 0.8, behavior: calm ? "auto" : "smooth" });
  }
  const dialog = $("#why");
  if (clicked.target === dialog || clicked.target.closest(".close")) dialog.close();
  const link = clicked.target.closest("a.why");
  if (!link || clicked.ctrlKey || clicked.metaKey || clicked.shiftKey) return;
  clicked.preventDefault();
  const answer = await fetch(`${link.href}?panel=1`).catch(() => null);
  if (!answer?.ok) return void (location.href = link.href);
  $(".sheet", dialog).innerHTML = await answer.text();
  dialog.showModal();
  dialog.scrollTop = 0;
});

async function pulse() {
  const answer = await fetch("/pulse").catch(() => null);
  if (!answer?.ok) return;
  const now = await answer.json(), strip = $("#strip"), before = strip.dataset.release;
  $('[data-fact="release"]').textContent = now.says;
  $(".lamp").className = `lamp ${now.release ? "on" : "warm"}`;
  const training = $('[data-fact="training"]');
  training.hidden = !now.training;
  if (now.training) {
    $("progress", training).value = now.training.fraction;
    $("span", training).textContent = now.training.text;
  }
  if (now.release !== before) {
    strip.dataset.release = now.release;
    await refresh(() => true);
    say(`${now.says}: your rows are ranked by it from now on`);
  }
  const home = $('.row[data-row="home"]');
  const step = $('[data-fact="step"]');
  if (home && step) step.textContent = now.steps[home.dataset.step] ?? home.dataset.step;
}

(async function beat() {
  for (;;) {
    await wait(PULSE);
    if (!document.hidden) await pulse();
  }
})();

const clicked = $("#rows")?.dataset.clicked;
if (clicked) {
  const home = $('.row[data-row="home"]');
  if (home && names(home, clicked)) say(`Home took your click in within ${measured(0)} ms`);
  else react(0, clicked, false);
}
