// The storefront's only script. Without it every button is a form and every "why" a page.
const who = JSON.parse(document.body.dataset.who);
const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
const PAUSE = 100, PATIENCE = 5000, PULSE = 2000;
const SAID = { like: "Liked", dislike: "Noted: not for you", follow: "Followed", hide: "Noted: nothing of theirs any more", view: document.body.dataset.viewed.replace(/^./, (first) => first.toUpperCase()) };
const pressed = new Map(); // item -> the kinds of events sent of it from this page
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

// What happened, in the strip; on a phone it takes the place of what the strip says otherwise.
let spoken = 0;
function say(text) {
  const strip = $("#strip");
  if (!strip) return;
  $("#say").textContent = text;
  strip.classList.add("talking");
  clearTimeout(spoken);
  spoken = setTimeout(() => strip.classList.remove("talking"), 5000); // the words stay for who listens
}

// --- events --------------------------------------------------------------------------------------

async function send(form, kind) {
  const field = (name) => form.elements[name]?.value ?? "";
  const event = { event_id: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`, kind, ...who, item_id: field("item_id") };
  if (kind === "view") event.value = 1;
  else if (field("creator_id")) event.properties = { creator_id: field("creator_id") };
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
  } catch (failed) {
    if (failed instanceof TypeError) return say("Not sent: the site does not answer. Try again.");
    return plain(form, button);
  }
  const item = form.elements.item_id.value, other = { like: "dislike", dislike: "like" }[button.value];
  pressed.set(item, [...(pressed.get(item) ?? []).filter((kind) => kind !== other), button.value]);
  $(`[value="${other}"]`, form)?.removeAttribute("aria-pressed"), button.setAttribute("aria-pressed", "true"); // one word stands
  for (const words of $$("[data-when]")) words.hidden = words.dataset.when === "before";
  say(SAID[button.value]);
  await react(started, item, !form.elements.creator_id, SAID[button.value]);
});

// The way without script, which is also the way out when a call fails.
function plain(form, button) {
  const hidden = Object.assign(document.createElement("input"), { type: "hidden", name: "kind", value: button.value });
  form.append(hidden);
  form.submit();
}

// --- rows ----------------------------------------------------------------------------------------

async function fetched(row) {
  const rows = $$(".row"), above = rows.slice(0, rows.indexOf(row)).flatMap((each) => $$(".card", each)); // no item twice
  const address = row.dataset.source + above.map((card) => `&above=${encodeURIComponent(card.dataset.item)}`).join("");
  const answer = await fetch(address, { headers: { accept: "text/html" } });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(".row");
}

// Ask for Home until it answers differently, then bring the other rows up to date.
async function react(started, item, leaves, said = "Your click counted") {
  const home = $('.row[data-row="home"]');
  if (!home) return;
  while (performance.now() - started < PATIENCE) {
    const fresh = await fetched(home).catch(() => null);
    if (fresh && reacted(home, fresh, item, leaves)) {
      const took = measured(started);
      say(`${said}. Home changed in ${took} ms: ${swap(home, fresh)}`);
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
  const held = grip(old);
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
  for (const [item, kinds] of pressed)
    for (const kind of kinds) $(`.card[data-item="${CSS.escape(item)}"] button[value="${kind}"]`, fresh)?.setAttribute("aria-pressed", "true");
  if (held) regrip(fresh, held);
  const told = [[counts.new, "new"], [counts.up + counts.down, "moved"]];
  return told.filter(([count]) => count).map((each) => each.join(" ")).join(", ") || `same ${document.body.dataset.nouns}, new reasons`;
}

// Where the keyboard is in a row (`keys`: it, not a pointer), and the same place in the row after it: the card, or who took its place.
function grip(row) {
  const element = document.activeElement;
  if (!row.contains(element)) return null;
  const card = element.closest(".card");
  if (!card) return { place: -1, own: element.matches("h2 a") ? "h2 a" : ".cards" };
  const own = element.matches("button") ? `button[value="${element.value}"]` : element.matches(".why") ? ".why" : ".poster";
  return { keys: element.matches(":focus-visible"), item: card.dataset.item, place: $$(".card", row).indexOf(card), own };
}

function regrip(row, { keys, item, place, own }) {
  const cards = $$(".card", row);
  const card = place < 0 ? row : cards.find((each) => each.dataset.item === item) ?? cards[Math.min(place, cards.length - 1)];
  ((card && $(own, card)) ?? $(".cards", row))?.focus({ preventScroll: true });
  if (keys && card && card !== row) card.scrollIntoView({ block: "nearest", inline: "nearest", behavior: "instant" });
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
  const sheet = $(".sheet", dialog);
  sheet.innerHTML = '<div class="why-head"><h2 id="why-title">Looking it up …</h2><button type="button" class="close" aria-label="Close">✕</button></div>';
  dialog.showModal();
  const answer = await fetch(`${link.href}?panel=1`).catch(() => null);
  if (!dialog.open) return;
  if (!answer?.ok) return void (location.href = link.href);
  sheet.innerHTML = await answer.text();
  dialog.scrollTop = 0;
});

// What hangs from the top closes with Escape, or by a click elsewhere.
const hanging = () => $('details[name="top"][open]');
document.addEventListener("click", (clicked) => hanging()?.contains(clicked.target) || hanging()?.removeAttribute("open"));
document.addEventListener("keydown", (key) => {
  const open = key.key === "Escape" && hanging();
  if (open) $("summary", open).focus(), open.removeAttribute("open");
});

async function pulse() {
  const strip = $("#strip"), answer = strip && (await fetch("/pulse").catch(() => null));
  if (!answer?.ok) return;
  const now = await answer.json(), before = strip.dataset.release;
  tell("release", now.says);
  tell("name", now.release ? `Release ${now.release}` : "");
  $(".lamp", strip).className = `lamp ${now.lamp}`;
  $(".verdict", strip).hidden = !now.release && !now.verdict.length;
  $('[data-fact="verdict"]').replaceChildren(...now.verdict.map((each) => Object.assign(document.createElement("li"), { textContent: each })));
  const training = $('[data-fact="training"]');
  training.hidden = !now.training;
  $("progress", training).value = now.training?.fraction ?? 0;
  $("span", training).textContent = now.training?.text ?? "";
  if (now.release !== before) {
    strip.dataset.release = now.release;
    await refresh(() => true);
    say("A new release is live: your rows are ranked by it from now on");
  }
  const home = $('.row[data-row="home"]');
  if (home) tell("step", now.steps[home.dataset.step] ?? "");
}

// A fact of the strip that has nothing to say is not there.
function tell(name, text) {
  const fact = $(`[data-fact="${name}"]`);
  if (fact.textContent !== text) fact.textContent = text;
  fact.hidden = !text;
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
