import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { makeTempDir } from './temp.ts';

export const CHROMIUM = '/usr/bin/chromium';

export interface PageOptions {
  readonly dark?: boolean;
  readonly width?: number;
  readonly height?: number;
}

/** Debian's Chromium inside a network namespace. */
export interface TestBrowser extends AsyncDisposable {
  /** Opens a page; `faults` collects what it loads from elsewhere, its errors and what its policy refuses. */
  open(url: string, options?: PageOptions): Promise<{ readonly page: Page; readonly faults: readonly string[] }>;
}

export async function startBrowser(netns: string): Promise<TestBrowser> {
  const dir = makeTempDir();
  const wrapper = join(dir.path, 'chromium');
  writeFileSync(wrapper, `#!/bin/sh\nexec nsenter --net=${netns} ${CHROMIUM} "$@"\n`);
  chmodSync(wrapper, 0o755);
  let browser: Browser;
  try {
    browser = await chromium.launch({
      ...{ executablePath: wrapper, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] },
      env: { ...process.env, HOME: dir.path, XDG_RUNTIME_DIR: dir.path },
    });
  } catch (error) {
    dir[Symbol.dispose]();
    throw error;
  }
  return {
    open: async (url, { dark = false, width = 1200, height = 800 } = {}) => {
      const viewport = { width, height };
      const context = await browser.newContext({ colorScheme: dark ? 'dark' : 'light', viewport });
      const page = await context.newPage();
      const faults: string[] = [];
      page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type())) faults.push(message.text());
      });
      page.on('pageerror', (error) => faults.push(String(error)));
      page.on('request', (request) => {
        if (new URL(request.url()).origin !== new URL(url).origin) faults.push(`loads ${request.url()}`);
      });
      await page.goto(url, { waitUntil: 'domcontentloaded' });
      return { page, faults };
    },
    [Symbol.asyncDispose]: async () => {
      await browser.close();
      dir[Symbol.dispose]();
    },
  };
}

/** Saves the page to the directory that ISTHMUS_TEST_SCREENSHOTS names, if it does, for people to look at. */
export async function saveScreenshot(page: Page, name: string): Promise<void> {
  const directory = process.env.ISTHMUS_TEST_SCREENSHOTS;
  if (directory === undefined) return;
  if (!existsSync(directory)) mkdirSync(directory, { recursive: true });
  await page.screenshot({ path: join(directory, `${name}.png`) });
}
