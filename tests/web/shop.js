// What customers do, by the command line and the sandbox provider.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

export class Shop {
  constructor(site) {
    this.site = site;
  }

  async baton(...args) {
    const { stdout } = await execute(this.site.baton, ['--server', this.site.server, '-o', 'json', ...args]);
    return JSON.parse(stdout);
  }

  // Items of a case's own, so that cases do not meet.
  async item(id, stock) {
    await this.baton('items', 'create', id, '--price', '500', '--stock', String(stock));
  }

  async faults(...rules) {
    const url = this.site.provider + '/_sandbox/faults';
    await fetch(url, { method: 'DELETE' });
    for (const rule of rules) {
      const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(rule) });
      if (!answer.ok) throw new Error('no fault: ' + (await answer.text()));
    }
  }

  // A paid order that is not placed yet.
  async paid(item) {
    const { order } = await this.baton('orders', 'create', '--line', `${item}=1`);
    const number = order.name.replace('orders/', '');
    const answer = await fetch(this.site.provider + '/_sandbox/pay', {
      method: 'POST', headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ merchant_uid: number, amount: 500, currency: 'KRW' }),
    });
    return { number, payment: (await answer.json()).response.imp_uid };
  }

  // Places a paid order: its number and its saga.
  async place(item) {
    return this.order(await this.paid(item));
  }

  async order({ number, payment }) {
    const { progress } = await this.baton('orders', 'place', '--order', number, '--payment', payment, '--no-wait');
    return { number, saga: progress.saga };
  }

  // A saga's state as people say it.
  async state(name) {
    const { saga } = await this.baton('sagas', 'get', name);
    return saga.state.replace('SAGA_STATE_', '');
  }

  async until(what, condition) {
    for (let tries = 0; tries < 600; tries += 1) {
      if (await condition()) return;
      await new Promise((resolve) => { setTimeout(resolve, 100); });
    }
    throw new Error('waited too long for ' + what);
  }

  reaches(name, state) {
    return this.until(`${name} to be ${state}`, async () => (await this.state(name)) === state);
  }

  // An order whose refund was tried in vain, and then refused for good.
  async stuck(ask, item) {
    await this.faults({ fault: 'cancel_refused' });
    const placed = await this.place(item);
    await this.until('the refund to be tried', async () => {
      const filter = `key = "${placed.number}" AND step = payment.taken AND attempt >= 1 AND wait = backoff`;
      return (await this.baton('sagas', 'list', '--filter', filter)).sagas.length === 1;
    });
    await ask('stuck ' + placed.saga);
    await this.reaches(placed.saga, 'STUCK');
    return placed;
  }
}
