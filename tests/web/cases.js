// What operators do with the page, one function a case. None waits for a fixed time; each can fail.

import assert from 'node:assert/strict';

const link = (path, query) => path + '?' + new URLSearchParams(query);
const badge = (page) => page.locator('h1 .badge');
const mark = (page) => page.evaluate(() => { window.marked = true; });
const stillHere = async (page) => assert.ok(await page.evaluate(() => window.marked), 'the page was not loaded anew');
const text = (page, selector) => page.locator(selector).innerText();

async function until(what, condition) {
  for (let tries = 0; tries < 600; tries += 1) {
    if (await condition()) return;
    await new Promise((resolve) => { setTimeout(resolve, 100); });
  }
  throw new Error('waited too long for ' + what);
}

// The lookups of one shop fail, so that a saga waits in the middle of its way.
const away = { fault: 'status', value: 503, operation: 'lookup' };

const find = async ({ open, shot, shop }) => {
  await shop.item('find', 10);
  const { number, saga } = await shop.place('find');
  await shop.reaches(saga, 'COMPLETED');
  const page = await open();
  await page.goto('/sagas');
  await page.getByLabel('Filter', { exact: true }).fill(`key = "${number}"`);
  await page.getByRole('button', { name: 'Find' }).click();
  await page.waitForURL(/filter=/);
  assert.equal(await page.locator('[data-row]').count(), 1);
  assert.match(await text(page, '.count'), /^1 match/);
  await shot(page, 'find');
  // Everything that was asked is in the address.
  const again = await open();
  await again.goto(page.url());
  assert.equal(await again.locator('[data-row]').count(), 1);
  await again.locator('[data-row] a').click();
  assert.equal(await text(again, 'h1 .subject'), number);
  assert.match(await text(again, '#head'), new RegExp(saga));
  assert.equal(await badge(again).innerText(), 'completed');
  assert.match(await text(again, '#why'), /stock\.reserve was done by stock/);
  await shot(again, 'completed');
  // A flaw is shown where it is.
  await page.getByLabel('Filter', { exact: true }).fill('state = stuck AND reasn = X');
  await page.keyboard.press('Enter');
  await page.locator('.caret').waitFor();
  assert.equal(await text(page, '.caret mark'), 'reasn');
  const [line, caret] = (await text(page, '.caret')).split('\n');
  assert.equal(caret.indexOf('^'), line.indexOf('reasn'));
  assert.match(await text(page, '#filter-flaw'), /nearest field is reason/);
  assert.equal(await page.getByLabel('Filter', { exact: true }).inputValue(), 'state = stuck AND reasn = X');
  await shot(page, 'flaw');
};

const live = async ({ open, shot, shop }) => {
  await shop.item('live', 10);
  await shop.faults(away);
  const { saga } = await shop.place('live');
  const page = await open();
  await page.goto('/' + saga);
  await mark(page);
  await page.locator('#head', { hasText: /attempt [2-9]/ }).waitFor();
  assert.equal(await badge(page).innerText(), 'running');
  await shot(page, 'live-waits');
  await shop.faults();
  await page.locator('h1 .badge.completed').waitFor();
  await stillHere(page);
  await until('its journal to be followed', async () => /order\.confirm/.test(await text(page, '#journal')));
  await shot(page, 'live-done');
};

// A page that renews itself while a button is down takes no click away, and none of its parts takes the focus along.
const pressed = async ({ open, shop }) => {
  await shop.item('pressed', 10);
  const first = await shop.place('pressed');
  await shop.reaches(first.saga, 'COMPLETED');
  const page = await open();
  await page.goto(link('/sagas', { filter: 'item = pressed' }));
  const rows = page.locator('[data-row]');
  await rows.locator('a').hover();
  // What the page asks from now on is answered when the button is down, and then holds one row more.
  let answer;
  const gate = new Promise((opened) => { answer = opened; });
  await page.route(/sagas/, async (route) => { await gate; await route.continue(); });
  const second = await shop.place('pressed');
  const answered = page.waitForResponse(async (it) => (await it.text()).includes(second.number));
  await page.mouse.down();
  answer();
  await answered;
  // Whatever the page does with that answer is done before it gets the next one.
  await page.evaluate(() => fetch(location.href).then((it) => it.text()));
  assert.equal(await rows.count(), 1, 'nothing moves under a button that is down');
  await page.mouse.up();
  await page.waitForURL('**/' + first.saga);
  assert.equal(await text(page, 'h1 .subject'), first.number);

  // Not pressed, the page follows.
  await page.goBack();
  await until('both to be listed', async () => (await rows.count()) === 2);
  await page.unrouteAll({ behavior: 'wait' });

  await shop.faults(away);
  const { saga } = await shop.place('pressed');
  await page.goto('/' + saga);
  const act = page.locator('[data-key=act-pause]');
  const version = () => act.locator('[name=version]').getAttribute('value');
  const before = await version();
  await act.locator('summary').first().focus();
  await until('the page to follow', async () => (await version()) !== before);
  await page.keyboard.press('Space');
  assert.ok(await act.evaluate((it) => it.open), 'the key is heard where the focus was');
  await shop.faults();
};

const stuck = async ({ open, shot, shop, ask }) => {
  await shop.item('rare-1', 0);
  const { number, saga } = await shop.stuck(ask, 'rare-1');
  const page = await open();
  await page.goto('/sagas');
  await page.getByRole('link', { name: 'stuck', exact: true }).click();
  await page.locator('[data-row]', { hasText: number }).locator('a').click();
  assert.equal(await badge(page).innerText(), 'stuck');
  assert.match(await text(page, '#why'), /the undo of payment\.taken/);
  assert.match(await text(page, '#why'), /OUT_OF_STOCK/);
  const offered = await page.locator('.act').evaluateAll((acts) => acts.map((act) => act.dataset.key));
  assert.deepEqual(offered.sort(), ['act-resolve-undone', 'act-retry', 'act-skip']);
  await page.locator('.refused summary').click();
  assert.match(await text(page, 'details.refused'), /cancel UNWINDING|cancel STUCK|cancel/);
  await shot(page, 'stuck');

  const form = page.locator('[data-key=act-retry]');
  await form.locator('summary b').click();
  await form.getByLabel('Who you are', { exact: true }).fill('ada');
  // Without a reason nothing is done, what was typed stays, and the field says what it takes.
  await form.getByRole('button', { name: 'Retry now' }).click();
  await page.locator('.flaw').waitFor();
  assert.match(await text(page, '.flaw'), /1 to 500 characters/);
  assert.equal(await form.getByLabel('Who you are', { exact: true }).inputValue(), 'ada');
  assert.equal(await shop.state(saga), 'STUCK');
  await shot(page, 'stuck-refused');
  await form.locator('.equal summary').click();
  const line = await form.locator('.line').first().innerText();
  assert.match(line, new RegExp(`^baton sagas retry ${saga.replace('sagas/', '')} --version \\d+ --reason WHY`));

  await shop.faults();
  await form.getByLabel('Reason', { exact: true }).fill('refunds work again');
  await form.getByRole('button', { name: 'Retry now' }).click();
  await page.locator('.notice', { hasText: 'Done: retry' }).waitFor();
  await page.locator('h1 .badge.compensated').waitFor();
  assert.match(await text(page, '#why'), /ada/);
  await shot(page, 'stuck-mended');
};

// Two operators at the same saga: the second one is told that it moved.
const refusals = async ({ open, shot, shop, site }) => {
  await shop.item('refusals', 10);
  await shop.faults(away);
  const { saga } = await shop.place('refusals');
  const page = await open();
  await page.goto('/' + saga);
  const pause = page.locator('[data-key=act-pause]');
  await pause.locator('summary b').click();
  await pause.getByLabel('Reason', { exact: true }).fill('the provider is down');
  await pause.getByLabel('Who you are', { exact: true }).fill('ada');
  await pause.getByRole('button', { name: 'Pause' }).click();
  await page.locator('h1 .badge.paused').waitFor();
  const form = page.locator('[data-key=act-resume]');
  await form.locator('summary b').click();
  await form.getByLabel('Reason', { exact: true }).fill('it is back');
  // The script remembers who is at the page.
  assert.equal(await form.getByLabel('Who you are', { exact: true }).inputValue(), 'ada');
  assert.ok(await form.getByLabel(/only if it is still at version/).isChecked());
  const id = saga.replace('sagas/', '');
  await shop.baton('sagas', 'resume', id, '--reason', 'faster', '--actor', 'bob');
  await shop.baton('sagas', 'pause', id, '--reason', 'no', '--actor', 'bob');
  await form.getByRole('button', { name: 'Resume' }).click();
  await page.locator('.trouble', { hasText: 'VERSION_MISMATCH' }).waitFor();
  assert.equal(await form.getByLabel('Reason', { exact: true }).inputValue(), 'it is back');
  await shot(page, 'other-version');
  await shop.faults();
  await form.getByRole('button', { name: 'Resume' }).click();
  await page.locator('h1 .badge.completed').waitFor();
  // What is not there, and what another site sends.
  const gone = await page.goto('/sagas/00000000-0000-7000-8000-000000000000');
  assert.equal(gone.status(), 404);
  assert.match(await text(page, '.trouble'), /SAGA_NOT_FOUND/);
  const foreign = await fetch(`${site.page}/sagas/${id}/act`, {
    method: 'POST', redirect: 'manual',
    headers: { origin: 'http://elsewhere.example', 'sec-fetch-site': 'cross-site', 'content-type': 'application/x-www-form-urlencoded' },
    body: 'verb=pause&reason=x&actor=mallory',
  });
  assert.equal(foreign.status, 403);
};

// A hold is seen where it holds something back, and released there.
const held = async ({ open, shot, shop }) => {
  await shop.item('held', 10);
  const paid = await shop.paid('held');
  await shop.baton('holds', 'create', 'participants/payment', '--reason', 'the bank is closed', '--actor', 'mina');
  const { saga } = await shop.order(paid);
  await shop.reaches(saga, 'PAUSED');
  const page = await open();
  await page.goto('/');
  const line = page.locator('.verdict.needs li', { hasText: /participants\/payment held, for .* by mina, 1 sagas paused by it/ });
  await line.waitFor();
  assert.match(await line.innerText(), /the bank is closed/);
  await shot(page, 'overview-held');
  await page.goto('/' + saga);
  assert.match(await text(page, '#acts'), /holds\/participants\/payment keeps it back, held by mina: the bank is closed/);
  const form = page.locator('[data-key=act-release]');
  await form.locator('summary b').click();
  await form.getByLabel('Reason', { exact: true }).fill('it has opened');
  await form.getByLabel('Who you are', { exact: true }).fill('ada');
  await shot(page, 'held');
  await form.getByRole('button', { name: 'Release the hold' }).click();
  await page.locator('.notice').waitFor();
  await shop.reaches(saga, 'COMPLETED');
};

// The page of a refused form follows its saga as any other does, and takes a refusal for an answer.
const refused = async ({ open, shot, shop }) => {
  await shop.item('refused', 10);
  await shop.faults(away);
  const { saga } = await shop.place('refused');
  const id = saga.replace('sagas/', '');
  await shop.baton('sagas', 'pause', id, '--reason', 'first', '--actor', 'bob');
  const page = await open();
  await page.goto('/' + saga);
  const form = page.locator('[data-key=act-resume]');
  await form.locator('summary b').click();
  await form.getByRole('button', { name: 'Resume' }).click();
  await page.locator('.flaw').first().waitFor();
  await mark(page);
  assert.equal(new URL(page.url()).pathname, '/' + saga);
  let asked = 0;
  page.on('response', (it) => { if (it.request().resourceType() === 'fetch') asked += 1; });
  await shop.baton('sagas', 'resume', id, '--reason', 'second', '--actor', 'bob');
  await page.locator('h1 .badge.running').waitFor();
  await until('three refreshes', () => asked >= 3);
  assert.ok(await page.locator('#lost').isHidden(), 'a refusal is an answer');
  assert.ok(await page.locator('.flaw').first().isVisible(), 'what was refused still says why');
  await stillHere(page);
  await shot(page, 'refused-follows');
  // Whoever is given the address of the form is led to the saga.
  const other = await open();
  await other.goto(`/${saga}/act`);
  assert.equal(new URL(other.url()).pathname, '/' + saga);
  await shop.faults();
  await page.locator('h1 .badge.completed').waitFor();
};

// What an operator skips is nowhere told as done: before, after, in lists and on the overview.
const skipped = async ({ open, shot, shop, ask }) => {
  await shop.item('rare-skip', 0);
  const { number, saga } = await shop.stuck(ask, 'rare-skip');
  const page = await open();
  await page.goto('/');
  await page.locator('.verdict.needs li', { hasText: /stuck at the undo of payment\.taken because of REFUND_REFUSED/ }).first().waitFor();
  assert.match(await page.title(), /^\(\d+\) Overview/);
  await shot(page, 'overview-incident');
  await page.goto('/' + saga);
  assert.match(await text(page, '#why'), /not any more/, 'what the participant said stands beside the reason');
  const form = page.locator('[data-key=act-skip]');
  assert.match(await form.innerText(), /ends compensated without the undo of payment\.taken|without the undo of payment\.taken/);
  await form.locator('summary b').click();
  await form.getByLabel('Reason', { exact: true }).fill('refunded by the bank');
  await form.getByLabel('Who you are', { exact: true }).fill('ada');
  await form.getByRole('button', { name: 'Skip the step' }).click();
  await page.locator('h1 .badge.compensated').waitFor();
  assert.match(await text(page, 'h1'), /without undo of payment\.taken/);
  assert.match(await text(page, '#why'), /with the undo of payment\.taken skipped by ada: refunded by the bank/);
  assert.doesNotMatch(await text(page, '#why'), /everything that was done is undone/);
  assert.equal(await page.locator('.gantt .outcome.skipped').count(), 1);
  await shot(page, 'skipped');
  await page.goto('/sagas?preset=skipped');
  assert.match(await text(page, '#found'), new RegExp(number));
  await page.goto(link('/sagas', { filter: 'skipped = payment.taken' }));
  await page.locator('[data-row]', { hasText: number }).locator('.badge.skipped').waitFor();
  await shot(page, 'skipped-list');
  await page.goto('/');
  await until('it to be counted', async () => { await page.reload(); return Number(await text(page, '.tile.skipped .number')) >= 1; });
  await shop.faults();
};

// Whatever is pasted, on whatever page, leads to what it means.
const paste = async ({ site, open, shot, shop }) => {
  await shop.item('paste', 10);
  const { number, payment } = await shop.paid('paste');
  const { saga } = await shop.order({ number, payment });
  await shop.reaches(saga, 'COMPLETED');
  const id = saga.replace('sagas/', '');
  const page = await open();
  for (const [from, text] of [['/', number], ['/jobs', saga], ['/audit', payment], ['/holds', 'orders/' + number], ['/definitions', id.toUpperCase()]]) {
    await page.goto(from);
    await page.keyboard.press('/');
    const box = from === '/audit' ? page.getByLabel('Find a saga') : page.locator(':focus');
    await box.fill(text);
    await box.press('Enter');
    await page.waitForURL('**/' + saga);
  }
  // In the filter too, and where an id stands in the address.
  await page.goto('/sagas');
  await page.getByLabel('Filter', { exact: true }).fill(number);
  await page.getByLabel('Filter', { exact: true }).press('Enter');
  await page.waitForURL('**/' + saga);
  await page.goto('/sagas/' + number);
  assert.equal(new URL(page.url()).pathname, '/' + saga);
  await page.goto(link('/find', { q: 'paste' }));
  assert.equal(new URL(page.url()).pathname, '/' + saga, 'the only one with that item');
  const none = await page.goto(link('/find', { q: 'no such thing' }));
  assert.equal(none.status(), 404);
  await shot(page, 'find-none');
  // The command line takes the number as well.
  assert.equal(await shop.state(number), 'COMPLETED');
  assert.ok(site.page);
};

const chaos = async ({ site, open, shot, shop, ask }) => {
  await shop.item('chaos', 10);
  const paid = await shop.paid('chaos');
  const panel = await open();
  await panel.goto('/chaos');
  await panel.getByRole('button', { name: 'Kill stock' }).click();
  await panel.locator('.targets .dead', { hasText: 'stock' }).waitFor();
  // Of the real shape a process must have gone, and no other one.
  const runs = async (...names) => (await Promise.all(names.map((name) => ask('runs ' + name)))).join(' ');
  if (site.shape === 'real') assert.equal(await runs('order', 'payment', 'stock'), 'true true false');
  const { saga } = await shop.order(paid);
  await panel.locator('[data-row]', { hasText: 'stock.reserve' }).waitFor();
  await shot(panel, 'chaos-killed');
  const page = await open();
  await page.goto('/' + saga);
  await page.locator('#why', { hasText: 'stock could not be asked' }).waitFor();
  assert.equal(await badge(page).innerText(), 'running');
  await mark(page);
  await shot(page, 'chaos-waits');
  await panel.getByRole('button', { name: 'Revive stock' }).click();
  await panel.locator('.targets .alive', { hasText: 'stock' }).waitFor();
  if (site.shape === 'real') assert.equal(await runs('order', 'payment', 'stock'), 'true true true');
  await page.locator('h1 .badge.completed').waitFor();
  await stillHere(page);
  await shot(page, 'chaos-finished');
};

// The same, done to another participant by the command line while somebody looks at the saga; HTTP says so too.
const kill = async ({ site, open, shot, shop }) => {
  await shop.item('kill', 10);
  const paid = await shop.paid('kill');
  const page = await open();
  await shop.baton('chaos', 'kill', 'payment');
  const { targets } = await (await fetch(site.page + '/api/v1/chaosTargets')).json();
  assert.deepEqual(targets.filter((it) => !it.alive).map((it) => it.target), ['payment']);
  const { saga } = await shop.order(paid);
  await page.goto('/' + saga);
  await page.locator('#why', { hasText: 'payment could not be asked' }).waitFor();
  await mark(page);
  await shot(page, 'killed');
  await shop.baton('chaos', 'revive', 'payment');
  await page.locator('h1 .badge.completed').waitFor();
  await stillHere(page);
};

const keyboard = async ({ open, shot, shop }) => {
  await shop.item('keys', 10);
  const first = await shop.place('keys');
  const second = await shop.place('keys');
  await shop.reaches(first.saga, 'COMPLETED');
  await shop.reaches(second.saga, 'COMPLETED');
  const page = await open();
  await page.goto('/sagas');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  await page.keyboard.press('/');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'filter');
  await page.keyboard.type('state = completed AND item = keys');
  await page.keyboard.press('Enter');
  await page.waitForURL(/filter=/);
  for (const key of ['j', 'j']) await page.keyboard.press(key);
  assert.match(await text(page, 'tr.at'), new RegExp(first.number));
  await shot(page, 'keyboard');
  await page.keyboard.press('k');
  assert.match(await text(page, 'tr.at'), new RegExp(second.number));
  await page.keyboard.press('Enter');
  await page.waitForURL(/sagas\/0/);
  assert.equal(await text(page, 'h1 .subject'), second.number);
  await page.keyboard.press('?');
  assert.ok(await page.locator('#help').isVisible());
  await shot(page, 'help');
  await page.keyboard.press('Escape');
  assert.ok(!(await page.locator('#help').isVisible()));
  await page.keyboard.press('g');
  await page.keyboard.press('s');
  await page.waitForURL(/\/sagas$/);
};

const noscript = async ({ open, shot, shop }) => {
  await shop.item('plain', 10);
  await shop.faults(away);
  const { number, saga } = await shop.place('plain');
  const page = await open({ javaScriptEnabled: false });
  await page.goto('/sagas');
  await page.getByLabel('Filter', { exact: true }).fill(`key = "${number}"`);
  await page.getByLabel('Filter', { exact: true }).press('Enter');
  await page.locator('[data-row] a').click();
  assert.equal(await text(page, 'h1 .subject'), number);
  for (const [verb, button, state] of [['pause', 'Pause', 'PAUSED'], ['resume', 'Resume', 'COMPLETED']]) {
    const form = page.locator(`[data-key=act-${verb}]`);
    await form.locator('summary b').click();
    await form.getByLabel('Reason', { exact: true }).fill('by hand');
    await form.getByLabel('Who you are', { exact: true }).fill('ada');
    if (verb === 'resume') await shop.faults();
    await form.getByRole('button', { name: button }).click();
    await page.locator('.notice', { hasText: verb }).waitFor();
    await shop.reaches(saga, state);
  }
  await page.goto('/' + saga);
  assert.equal(await badge(page).innerText(), 'completed');
  await shot(page, 'noscript');
};

const everyPage = (saga) => ['/', '/sagas', '/sagas?filter=stat', '/' + saga, '/jobs', '/jobs/new?preset=stuck', '/holds', '/dead-letters',
  '/audit', '/definitions', '/definitions/check', '/definitions/order/1', '/sagas/nope'];

const layout = async ({ open, shot, shop }) => {
  await shop.item('layout', 10);
  await shop.faults(away);
  const { saga } = await shop.place('layout');
  const grounds = {};
  for (const scheme of ['light', 'dark']) {
    for (const width of [400, 1280]) {
      const page = await open({ viewport: { width, height: 900 }, colorScheme: scheme });
      for (const path of everyPage(saga)) {
        await page.goto(path);
        const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        assert.ok(over <= 0, `${path} is ${over} px wider than ${width} px`);
        // What a list is read for is seen without scrolling: its state on a telephone, all of it on a laptop.
        const unseen = await page.evaluate(() => {
          const list = [...document.querySelectorAll('.scroll')].filter((it) => it.querySelector('.list .badge'));
          const end = (it) => it.getBoundingClientRect().right - window.innerWidth;
          return list.map((it) => (window.innerWidth < 640 ? end(it.querySelector('.badge')) : it.scrollWidth - it.clientWidth));
        });
        assert.ok(unseen.every((it) => it <= 0), `${path}: ${unseen} px of a list are not seen at ${width} px`);
        const named = path.replace(/\?.*|sagas\/0.*/g, (it) => (it.startsWith('sagas') ? 'saga' : '')).replaceAll('/', '-') || '-';
        await shot(page, `layout-${scheme}-${width}${named}`);
      }
      grounds[scheme] = await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
      await page.context().close();
    }
  }
  assert.notEqual(grounds.light, grounds.dark);
  // Every field has a name, every table a caption.
  const page = await open();
  for (const path of everyPage(saga)) {
    await page.goto(path);
    const bare = await page.evaluate(() => [
      ...[...document.querySelectorAll('input:not([type=hidden]), select, textarea')].filter((it) => !it.labels.length).map((it) => it.name),
      ...[...document.querySelectorAll('table')].filter((it) => !it.caption).map(() => 'table'),
      ...[...document.querySelectorAll('[id]')].map((it) => it.id).filter((id, at, all) => all.indexOf(id) !== at).map((id) => 'twice: ' + id),
    ]);
    assert.deepEqual(bare, [], path);
  }
  await shop.faults();
};

const hostile = async ({ open, shot, ask }) => {
  const sagas = (await ask('hostile')).split(' ');
  assert.equal(sagas.length, 10);
  const page = await open();
  const evil = '<img src=x onerror="pwned=1">"\'\u202e';
  const part = encodeURIComponent(evil);
  const long = 'x'.repeat(10_000);
  const pages = ['/sagas', '/sagas?preset=stuck', '/audit', '/jobs', '/dead-letters', '/holds', '/definitions', '/',
    ...sagas.map((saga) => '/' + saga),
    link('/sagas', { filter: evil }), link('/sagas', { filter: long }), link('/sagas', { preset: evil }), link('/sagas', { order_by: evil }),
    link('/sagas', { page_token: evil, trail: evil }), link('/jobs/new', { filter: evil, preset: evil, verb: evil, reason: evil, actor: evil }),
    link('/audit', { subject: evil, actor: evil }), `/sagas/${part}`, `/sagas/${long}`, `/jobs/${part}`, `/dead-letters/${part}`,
    `/definitions/${part}/1`, `/definitions/order/${part}`, `/sagas?did=${part}`, `/${sagas[0]}?did=${part}`];
  for (const path of pages) {
    await page.goto(path);
    await inert(page, path.slice(0, 80));
  }
  await page.goto('/sagas?preset=stuck');
  await shot(page, 'hostile-list');
  const narrow = await open({ viewport: { width: 400, height: 900 } });
  for (const saga of sagas) {
    await narrow.goto('/' + saga);
    assert.ok(await narrow.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), saga);
  }
  await shot(narrow, 'hostile-narrow');
  // One whose definition nobody knows is explained as such, and hides no other.
  await page.goto('/' + sagas[1]);
  assert.match(await text(page, '#why'), /definition/);
  await shot(page, 'hostile-unknown');
  await page.goto('/' + sagas[0]);
  await shot(page, 'hostile-known');
  // What is sent by a form comes back as text too.
  await page.goto('/' + sagas[0]);
  const form = page.locator('.act').first();
  await form.locator('summary b').click();
  await form.getByLabel('Reason', { exact: true }).fill('');
  await form.getByLabel('Who you are', { exact: true }).fill(evil);
  await form.getByRole('button').first().click();
  await page.locator('.flaw').waitFor();
  await inert(page, 'form');
  assert.equal(await page.locator('.act').first().getByLabel('Who you are', { exact: true }).inputValue(), evil);
};

async function inert(page, where) {
  const found = await page.evaluate(() => {
    const strange = [...document.querySelectorAll('*')].filter((it) =>
      ['IFRAME', 'OBJECT', 'EMBED', 'STYLE', 'BASE'].includes(it.tagName) ||
      [...it.attributes].some(({ name }) => name.startsWith('on') || name === 'style' || name === 'srcdoc'));
    const images = [...document.querySelectorAll('img')].filter((it) => !it.getAttribute('src').startsWith('/assets/'));
    const scripts = [...document.scripts].filter((it) => !it.getAttribute('src')?.startsWith('/assets/'));
    const links = [...document.querySelectorAll('a[href]')].filter((it) => !/^[/#]/.test(it.getAttribute('href')));
    const turned = [...document.querySelectorAll('main bdi')].filter((it) => /[\u202a-\u202e\u2066-\u2069]/.test(it.textContent));
    return { strange: strange.length, images: images.length, scripts: scripts.length, links: links.length, turned: turned.length, pwned: 'pwned' in window };
  });
  assert.deepEqual(found, { strange: 0, images: 0, scripts: 0, links: 0, turned: 0, pwned: false }, where);
}

const bulk = async ({ open, shot, shop }) => {
  await shop.item('bulk', 10);
  await shop.faults(away);
  const placed = [];
  for (let count = 0; count < 5; count += 1) placed.push(await shop.place('bulk'));
  const page = await open();
  await page.goto(link('/sagas', { filter: 'item = bulk', preset: 'in-flight' }));
  await until('all to be listed', async () => { await page.reload(); return (await page.locator('[data-row]').count()) === 5; });
  await page.getByRole('link', { name: /Act on all of these/ }).click();
  await page.getByLabel('Action', { exact: true }).selectOption('cancel');
  await page.getByLabel('Reason', { exact: true }).fill('the campaign was a mistake');
  await page.getByLabel('Who you are', { exact: true }).fill('ada');
  await page.getByRole('button', { name: 'Count first' }).click();
  await page.locator('.counted').waitFor();
  assert.match(await text(page, '.counted'), /^5 sagas match/);
  assert.match(await text(page, '.counted'), /5 would be cancelled: running at payment\.verify/);
  for (const { saga } of placed) assert.equal(await shop.state(saga), 'RUNNING', 'counting changes nothing');
  await shot(page, 'bulk-counted');
  await page.getByRole('button', { name: 'Start the job' }).click();
  await page.waitForURL(/\/jobs\/0/);
  await mark(page);
  await page.locator('h1 .badge', { hasText: 'done' }).waitFor();
  await stillHere(page);
  assert.match(await text(page, '#job'), /5 done, 0 refused/);
  await shot(page, 'bulk-done');
  await shop.faults();
  for (const { saga } of placed) await shop.reaches(saga, 'COMPENSATED');
  // What became of each is said, and followed for as long as it goes on.
  await page.locator('.outcomes li', { hasText: /^5 compensated/ }).waitFor();
  await shot(page, 'bulk-outcomes');
  // The same once more would do nothing, and says so before it is started.
  await page.goto(link('/jobs/new', { filter: 'item = bulk', verb: 'cancel' }));
  await page.getByLabel('Reason', { exact: true }).fill('again');
  await page.getByRole('button', { name: 'Count first' }).click();
  await page.locator('.forecast li.none', { hasText: '5 have ended and are left alone' }).waitFor();
  assert.match(await text(page, '.counted'), /Nothing would be done/);
  await shot(page, 'bulk-nothing');
  await page.goto('/jobs');
  assert.match(await text(page, 'tbody tr'), /cancel/);
  await shot(page, 'jobs');
};

const letters = async ({ open, shot, ask }) => {
  const id = await ask('letter stock');
  const page = await open();
  await page.goto('/dead-letters?state=waiting');
  await mark(page);
  await page.locator('[data-row]', { hasText: 'stock' }).first().waitFor();
  await stillHere(page);
  await shot(page, 'letters');
  await page.locator('[data-row] a').first().click();
  assert.match(await text(page, 'main'), new RegExp(id));
  assert.ok(/ff ?ff/i.test(await text(page, '.hex')));
  const form = page.locator('[data-key=replay]');
  await form.locator('summary b').click();
  await form.getByLabel('Reason', { exact: true }).fill('the build was mended');
  await form.getByLabel('Who you are', { exact: true }).fill('ada');
  await shot(page, 'letter');
  await form.getByRole('button', { name: 'Replay' }).click();
  await page.locator('.notice').waitFor();
  // Nobody can read it, so it is no success: it comes straight back, and says as what.
  await page.locator('h1 .badge', { hasText: 'came back' }).waitFor();
  await shot(page, 'letter-came-back');
  await page.locator('#letter .trouble a').click();
  await until('the letter that came of it', async () => /Replay of/.test(await text(page, '#letter')));
  assert.equal(await badge(page).innerText(), 'waiting');
  assert.equal(await page.locator('[data-key]').first().getAttribute('data-key'), 'drop', 'what cannot be read is not offered for replay first');
};

export const cases = {
  find, live, pressed, stuck, skipped, held, paste, refusals, refused, chaos, kill, keyboard, noscript, layout, hostile, bulk, letters,
};
