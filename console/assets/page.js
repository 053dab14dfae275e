// What a page does by itself. Without this script everything can be read and done; with it, a page follows what happens,
// listens to the keyboard, and remembers who is at it.
'use strict';

const main = document.getElementById('main');
let stream = null;
let failed = 0;
let timer = 0;
let asking = false;
let again = false;

// A part that somebody is writing in, or has written in, is theirs until they are done with it; so is one with a form that was
// refused: it still says why, and holds what was typed.
const busy = (part) =>
  part.querySelector('form [role=alert]') ||
  part.contains(document.activeElement) && document.activeElement.matches('input, select, textarea') ||
  [...part.querySelectorAll('input, textarea, select')].some((field) => field.dataset.typed);

// While a pointer or the space bar is down nothing moves: what comes up on another element than it went down on is no click.
// What the server said meanwhile is taken over right after the click.
const down = new Set();
let after = 0;
let goOn = null;

function press(what) {
  clearTimeout(after);
  after = 0;
  down.add(what);
}

function lift(what) {
  if (!down.delete(what) || down.size) return;
  after = setTimeout(() => { after = 0; goOn?.(); goOn = null; });
}

const still = () => new Promise((go) => { if (down.size || after) goOn = go; else go(); });

addEventListener('pointerdown', ({ pointerId }) => press(pointerId), true);
for (const end of ['pointerup', 'pointercancel']) addEventListener(end, ({ pointerId }) => lift(pointerId), true);
// Some presses end where this page does not hear of it: in a menu, on a scroll bar, in another window.
addEventListener('pointermove', ({ pointerId, buttons }) => { if (!buttons) lift(pointerId); }, true);
addEventListener('blur', () => [...down].forEach(lift));
addEventListener('keydown', ({ key }) => { if (key === ' ') press(key); }, true);
addEventListener('keyup', ({ key }) => lift(key), true);

// The page asks for itself and takes over the parts that live: what is shown has one source, the server.
async function refresh() {
  if (asking) { again = true; return; }
  asking = true;
  try {
    const answer = await fetch(location.href, { headers: { accept: 'text/html' }, cache: 'no-store' });
    const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
    await still();
    if (!fresh.getElementById('main')) {
      if (answer.status >= 500) throw new Error('no answer');
      // Whatever else it says, it was said: somebody is there, and what stands here stays.
      failed = 0;
      document.getElementById('lost').hidden = true;
      schedule();
      return;
    }
    if (fresh.querySelector('link[rel=stylesheet]').getAttribute('href') !== document.querySelector('link[rel=stylesheet]').getAttribute('href')) {
      // Another build answers now; its parts need its style.
      if (![...document.querySelectorAll('[data-live]')].some(busy)) location.reload();
      schedule();
      return;
    }
    const parts = [...document.querySelectorAll('[data-live]')];
    // A page that only says why there is nothing to show does not replace what was.
    if (answer.status >= 500 && parts.some((part) => !fresh.getElementById(part.id))) throw new Error('no answer');
    for (const part of parts) take(part, fresh.getElementById(part.id));
    document.title = fresh.title;
    document.body.dataset.stream = fresh.body.dataset.stream;
    document.body.dataset.refresh = fresh.body.dataset.refresh;
    failed = 0;
  } catch {
    failed += 1;
  } finally {
    asking = false;
  }
  await still();
  document.getElementById('lost').hidden = failed < 2;
  if (again) { again = false; refresh(); } else schedule();
}

// What tells a thing that can have the focus from the others of its part.
const handle = (it) => it.id || it.getAttribute('href') ||
  [it.closest('[data-key]')?.dataset.key, it.tagName, it.matches('button') && it.textContent].join(' ');

function take(part, fresh) {
  if (!fresh || busy(part) || part.outerHTML === fresh.outerHTML) return;
  const open = new Map([...part.querySelectorAll('details[data-key]')].map((it) => [it.dataset.key, it.open]));
  const row = part.querySelector('tr.at [data-open]')?.getAttribute('href');
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  const key = focused && handle(focused);
  const scrolled = [...part.querySelectorAll('.scroll')].map((it) => it.scrollLeft);
  const adopted = document.importNode(fresh, true);
  for (const it of adopted.querySelectorAll('details[data-key]')) if (open.has(it.dataset.key)) it.open = open.get(it.dataset.key);
  part.replaceWith(adopted);
  adopted.querySelectorAll('.scroll').forEach((it, index) => { it.scrollLeft = scrolled[index] || 0; });
  if (row) [...adopted.querySelectorAll('[data-row]')].find((it) => it.querySelector('[data-open]')?.getAttribute('href') === row)?.classList.add('at');
  dress(adopted);
  if (key) [...adopted.querySelectorAll('[id], a[href], summary, button')].find((it) => handle(it) === key)?.focus({ preventScroll: true });
}

function schedule() {
  clearTimeout(timer);
  const pause = Number(document.body.dataset.refresh);
  if (pause) timer = setTimeout(() => (document.hidden ? schedule() : refresh()), pause * Math.min(1 + failed, 8));
  listen();
}

// Where the page says so, it hears at once that something moved, and asks then.
function listen() {
  const address = document.body.dataset.stream;
  if (!address || stream) return;
  stream = new EventSource(address);
  stream.addEventListener('moved', refresh);
  stream.addEventListener('ended', () => { stream.close(); stream = null; refresh(); });
}

// Copy buttons, and what is remembered of who is at the page.
function dress(part) {
  for (const it of part.querySelectorAll('[data-copy]')) {
    if (it.querySelector('.copy') || !navigator.clipboard) continue;
    const text = it.dataset.copy || it.textContent;
    const button = document.createElement('button');
    Object.assign(button, { type: 'button', className: 'copy', textContent: 'copy' });
    button.setAttribute('aria-label', it.dataset.copy ? 'Copy ' + text.slice(0, 80) : 'Copy this line');
    button.addEventListener('click', async () => {
      try { await navigator.clipboard.writeText(text); button.textContent = 'copied'; } catch { button.textContent = 'not allowed'; }
      setTimeout(() => { button.textContent = 'copy'; }, 1500);
    });
    it.append(button);
  }
  for (const field of part.querySelectorAll('[data-remember]')) if (!field.value) field.value = remembered(field) || '';
}

function remembered(field, value) {
  try {
    const key = 'baton.' + field.dataset.remember;
    return value === undefined ? localStorage.getItem(key) : localStorage.setItem(key, value);
  } catch { return null; }
}

document.addEventListener('input', ({ target }) => {
  if (target.closest('[data-live]')) target.dataset.typed = 'yes';
  if (target.dataset.remember) remembered(target, target.value);
});
// What is asked once is not asked twice by a second click; the request id would see to it too.
document.addEventListener('submit', ({ target }) => {
  if (target.method === 'post') setTimeout(() => target.querySelectorAll('button').forEach((it) => { it.disabled = true; }));
});
addEventListener('pageshow', (event) => { if (event.persisted) location.reload(); });

// Keys.
function move(step) {
  const rows = [...document.querySelectorAll('[data-row]')];
  if (!rows.length) return;
  const at = rows.findIndex((it) => it.classList.contains('at'));
  const next = rows[Math.max(0, Math.min(rows.length - 1, at < 0 ? 0 : at + step))];
  rows.forEach((it) => it.classList.toggle('at', it === next));
  next.querySelector('[data-open]')?.focus({ preventScroll: true });
  next.scrollIntoView({ block: 'nearest' });
}

let went = 0;
document.addEventListener('keydown', (event) => {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (target.matches('input, select, textarea')) { if (key === 'Escape') target.blur(); return; }
  const going = Date.now() - went < 1000;
  const act = {
    '/': () => (document.querySelector('[data-filter]') || document.getElementById('seek')).focus(),
    j: () => move(1),
    k: () => move(-1),
    '?': () => document.getElementById('help').showModal(),
    g: () => { went = Date.now(); },
    o: () => going && location.assign('/'),
    s: () => going && location.assign('/sagas'),
  }[key];
  if (!act) return;
  event.preventDefault();
  act();
});

// The answer to a form stands at an address that takes no question. The page goes by the one that does, and so does whoever
// copies it or loads the page anew.
if (document.body.dataset.address) history.replaceState(null, '', document.body.dataset.address);
dress(document);
if (main.querySelector('[aria-invalid]')) main.querySelector('[aria-invalid]').focus();
schedule();
