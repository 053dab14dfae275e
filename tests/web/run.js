// Runs one case: `node run.js CASE`, with the site in the environment. Talks to whoever started it by lines: one that begins
// with @ asks for something and waits for the answer.

import { createInterface } from 'node:readline';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { cases } from './cases.js';
import { Shop } from './shop.js';

const site = {
  shape: process.env.CONSOLE_SHAPE,
  page: process.env.CONSOLE_PAGE,
  server: process.env.CONSOLE_SERVER,
  provider: process.env.CONSOLE_PROVIDER,
  baton: process.env.CONSOLE_BIN,
  shots: process.env.CONSOLE_SHOTS,
};
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];

const answers = createInterface({ input: process.stdin });
const waiting = [];
answers.on('line', (line) => waiting.shift()?.(line));
const ask = (line) => new Promise((resolve) => { waiting.push(resolve); console.log('@' + line); });

// Everything that must not happen on any page, noted as it happens.
function watch(context, noted) {
  context.on('dialog', (dialog) => { noted.push('dialog: ' + dialog.message()); dialog.dismiss(); });
  context.on('weberror', (error) => noted.push('error: ' + error.error().message));
  context.on('console', (message) => {
    // A page that tells of a refusal has its status, and the browser says so.
    const expected = /Failed to load resource: the server responded with a status of (4\d\d|501|503)/;
    if (['error', 'warning'].includes(message.type()) && !expected.test(message.text())) noted.push('console: ' + message.text());
  });
  context.on('request', (request) => { if (!request.url().startsWith(site.page)) noted.push('asked elsewhere: ' + request.url()); });
  return context.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) => console.error('CSP: ' + event.violatedDirective + ' ' + event.blockedURI));
  });
}

const name = process.argv[2];
const run = cases[name];
if (!run) throw new Error('no case ' + name);
mkdirSync(site.shots, { recursive: true });
const profile = mkdtempSync(join(tmpdir(), 'baton-browser-'));
const noted = [];
let browser;
try {
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS, env: { ...process.env, HOME: profile } });
  const open = async (options = {}) => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, baseURL: site.page, ...options });
    context.setDefaultTimeout(60_000);
    await watch(context, noted);
    const page = await context.newPage();
    return page;
  };
  const shot = (page, what) => page.screenshot({ path: join(site.shots, `${site.shape}-${what}.png`), fullPage: true });
  await run({ site, open, shot, ask, noted, shop: new Shop(site) });
  if (noted.length) throw new Error('the browser noted:\n  ' + noted.join('\n  '));
  console.log('ok');
} catch (error) {
  console.error(error.stack || error);
  process.exitCode = 1;
} finally {
  await browser?.close();
  rmSync(profile, { recursive: true, force: true });
  answers.close();
  process.stdin.destroy();
}
