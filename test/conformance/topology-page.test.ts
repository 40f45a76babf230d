import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buildTopologyPage } from '../../build/topology-page.ts';
import { Feed } from '../../cmd/cnm-shim/topology/feed.ts';
import type { ReportedEndpoint, TopologyReport } from '../../cmd/cnm-shim/topology/report.ts';
import { CHROMIUM, saveScreenshot, startBrowser, type TestBrowser } from '../support/browser.ts';
import { skipIf } from '../support/skip.ts';

/** Milliseconds that a person would not wait for. A busy machine needs most of it. */
const PATIENCE = 20_000;

/** A host with so many containers on so many networks, every 50th of them with a problem. */
function reportOf(containers: number, networks: number): TopologyReport {
  const endpoint = (i: number, network: string): ReportedEndpoint => ({
    key: `${network}/${i}`,
    ...{ title: `app-${i}`, camp: i % 3 === 0 ? 'docker' : 'cni', interface: 'eth0', hostInterface: `veth${i}` },
    ...{ mac: `02:00:00:00:${(i >> 8).toString(16).padStart(2, '0')}:${(i & 255).toString(16).padStart(2, '0')}` },
    addresses: [`10.${i >> 8}.${i & 255}.2/16`],
    ports: i % 10 === 0 ? [`${8000 + i} → 80/tcp`] : [],
    ...(i % 50 === 49 && { problem: `veth${i} is missing` }),
  });
  return {
    host: 'node-1',
    networks: Array.from({ length: networks }, (_, n) => {
      const own = Array.from({ length: containers }, (_, i) => i).filter((i) => i % networks === n);
      const name = `net-${n}`;
      const subnets = [`10.${n}.0.0/16, ${own.length} of 65533 in use`];
      return { name, driver: 'bridge', device: `br-${n}`, subnets, endpoints: own.map((i) => endpoint(i, name)) };
    }),
  };
}

describe('the page of isthmus topology', function () {
  this.timeout(120_000);
  let browser: TestBrowser;
  let html: string;

  before(async function () {
    skipIf(this, existsSync(CHROMIUM) ? undefined : `${CHROMIUM} is missing`);
    html = (await buildTopologyPage()).html;
    browser = await startBrowser('/proc/self/ns/net');
  });
  after(async () => await browser?.[Symbol.asyncDispose]());

  it('contains all that it needs', () => {
    assert.doesNotMatch(html, /(src|href)=(?!"data:)|@import|url\(/);
  });

  for (const { containers, networks } of [
    { containers: 3, networks: 1 },
    { containers: 60, networks: 4 },
    { containers: 1000, networks: 12 },
  ])
    for (const dark of [false, true])
      it(`draws ${containers} containers in ${dark ? 'dark' : 'light'}, and stays usable`, async () => {
        let turn = 0;
        const counters = (): string => {
          turn++;
          const lines = Array.from({ length: containers }, (_, i) => {
            const bytes = i % 4 === 0 ? turn * 1000 * (i + 1) : 0;
            return `veth${i}: ${bytes} 0 0 0 0 0 0 0 ${2 * bytes} 0 0 0 0 0 0 0`;
          });
          return ['', '', ...lines].join('\n');
        };
        using feed = new Feed({ report: async () => reportOf(containers, networks), counters, everyMs: 200 });
        const server = createServer(({ url }, response) => {
          if (url === '/') response.end(html);
          else if (url === '/events') feed.add(response.writeHead(200, { 'content-type': 'text/event-stream' }));
          else response.writeHead(404).end();
        }).listen(0, '127.0.0.1');
        try {
          await once(server, 'listening');
          const { port } = server.address() as AddressInfo;
          const { page, faults } = await browser.open(`http://127.0.0.1:${port}/`, { dark });
          await page.locator('rect.busy').first().waitFor({ timeout: PATIENCE });
          assert.equal(await page.locator('g.node').count(), containers + networks);
          const ground = await page.evaluate('getComputedStyle(document.body).backgroundColor');
          assert.equal(ground, dark ? 'rgb(20, 24, 29)' : 'rgb(255, 255, 255)');
          await saveScreenshot(page, `${containers}-${dark ? 'dark' : 'light'}`);

          const last = `app-${containers - 1}`;
          await page.locator('#find').fill(last);
          assert.equal(await page.locator('#found').textContent(), '1 found');
          await page.locator('#find').press('Enter');
          assert.equal(await page.locator('#details h2').textContent(), last);
          await saveScreenshot(page, `${containers}-${dark ? 'dark' : 'light'}-found`);
          await page.keyboard.press('Escape');
          await page.locator('#find').fill('');

          // Every circle lies inside the drawing, and none of one network over another.
          const overlaps = await page.evaluate(`(() => {
            const all = [...document.querySelectorAll('g.node.endpoint')].map((group) => {
              const [x, y] = group.getAttribute('transform').match(/[\\d.]+/g).map(Number);
              return { x, y, r: group.firstChild.getAttribute('width') / 2 };
            });
            return all.flatMap((a, i) => all.slice(i + 1).filter((b) => Math.hypot(a.x - b.x, a.y - b.y) < a.r + b.r - 0.01)).length;
          })()`);
          assert.equal(overlaps, 0);
          await page.locator('#view').click();
          assert.equal(await page.locator('#list tbody tr').count(), containers);
          await page.getByRole('button', { name: last, exact: true }).click();
          await page.getByRole('button', { name: 'Problems only' }).click();
          assert.equal(await page.locator('#list tbody tr').count(), Math.floor(containers / 50));
          await page.getByRole('button', { name: 'Dark or light' }).click();
          const other = await page.evaluate('getComputedStyle(document.body).backgroundColor');
          assert.notEqual(other, ground);
          assert.deepEqual(faults, []);
          await page.context().close();
        } finally {
          server.closeAllConnections();
          server.close();
        }
      });
});
