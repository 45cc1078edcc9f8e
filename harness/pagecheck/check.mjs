// check.mjs PAGE RUN.json CHROMIUM [OLD-NEW.html POWER.html]: opens the page in a real browser and holds
// what it says against the run's JSON and against `midcommit explain`, whose command it takes from the
// page itself. `midcommit` is found in PATH. The first thing that is wrong ends it with status 1.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import axe from 'axe-core';
import { chromium } from 'playwright-core';

const [file, json, executablePath, second, third] = process.argv.slice(2);
const run = JSON.parse(readFileSync(json, 'utf8'));
const url = `file://${resolve(file)}`;
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
const problems = [];

async function open(address, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    const page = await context.newPage();
    page.on('console', (m) => {
        if (['error', 'warning'].includes(m.type())) problems.push(m.text());
    });
    page.on('pageerror', (e) => problems.push(e.message));
    page.on('request', (r) => {
        if (r.url().split('#')[0] !== address.split('#')[0]) problems.push(`request: ${r.url()}`);
    });
    await page.goto(address);
    await page.waitForSelector('#identity');
    return page;
}

const count = (n) => n.toLocaleString('en-US');
const key = { clean: 'clean', stale: 'stale', silent: 'silent', blocked: 'blocked', refused: 'refused' };
const verdicts = ['clean', 'stale', 'loud', 'silent', 'blocked', 'refused'];

// What the JSON says, by importer.
function sums(filter) {
    const rows = new Map();
    for (const cell of run.cells.filter((c) => !c.power && filter(c))) {
        const row =
            rows.get(cell.importer) ?? Object.fromEntries([['states', 0], ...verdicts.map((v) => [v, 0])]);
        row.states += cell.states;
        row.loud += cell.torn - cell.silent;
        for (const v of Object.keys(key)) row[v] += cell[v];
        rows.set(cell.importer, row);
    }
    return rows;
}

// Sentence, bars and table say what the JSON says.
async function agrees(page, filter) {
    const rows = sums(filter);
    const bars = await page.$$eval('.bars li', (list) =>
        list.map((li) => ({
            importer: li.dataset.importer,
            total: li.querySelector('.total').textContent,
            parts: [...li.querySelectorAll('svg g')].map((g) => [
                g.dataset.verdict,
                Number(g.dataset.count),
                Number(g.querySelector('rect').getAttribute('width')),
            ]),
            width: Number(li.querySelector('svg').getAttribute('width')),
        })),
    );
    assert.deepEqual(
        bars.map((b) => b.importer),
        [...rows.keys()],
    );
    for (const b of bars) {
        const row = rows.get(b.importer);
        assert.equal(b.total, count(row.states));
        assert.deepEqual(
            b.parts.map(([v, n]) => [v, n]),
            verdicts.filter((v) => row[v] > 0).map((v) => [v, row[v]]),
            `bar of ${b.importer}`,
        );
        for (const [v, n, width] of b.parts) {
            assert.ok(Math.abs(width - (b.width * n) / row.states) <= 1.01, `${b.importer}, ${v}: ${width}`);
        }
    }
    const table = await page.$$eval('#numbers tbody tr', (list) =>
        list.map((tr) => [...tr.children].map((td) => td.textContent)),
    );
    assert.deepEqual(
        table,
        [...rows].map(([importer, row]) => [
            importer,
            count(row.states),
            ...verdicts.map((v) => count(row[v])),
        ]),
    );
    const sentence = await page.textContent('#sentence');
    const worst = [...rows]
        .map(([importer, row]) => [row.loud + row.silent, importer, row])
        .reduce((a, b) => (b[0] > a[0] ? b : a));
    if (worst[0] > 0) {
        const said =
            `${worst[1]} tears the database at ${count(worst[0])} of ${count(worst[2].states)} crash ` +
            `states, and ${
                worst[2].silent > 0 ? `no check notices ${count(worst[2].silent)}` : 'checks notice all'
            } of them.`;
        assert.ok(sentence.startsWith(said), `${sentence} | ${said}`);
    } else {
        assert.ok(!sentence.includes('tears'), sentence);
    }
    return sentence;
}

// A story as `explain` prints it.
function story(command) {
    const text = execFileSync('sh', ['-c', command], { encoding: 'utf8' });
    const listed = text.split('\nPages of the image that')[1]?.split('\n\n')[0] ?? '';
    const rows = [
        ...listed.matchAll(
            /^(!!| {2}) +(\d+) {2}(.+?) +(both|none|absent|content does not count|\d+ \([a-z ]+\))(?: in (.*))?$/gm,
        ),
    ];
    const more = /^ +and (\d+) more$/m.exec(listed);
    const answers = text
        .split('What each makes of the same bytes:\n')[1]
        .split('\n\n')[0]
        .split('\n')
        .filter(Boolean);
    return {
        pages: rows.map((m) => [m[2], m[3], m[4], ...(m[5] ? [m[5]] : []), m[1] === '!!' ? 'wrong' : '']),
        count: rows.length + (more ? Number(more[1]) : 0),
        difference: /^First row that differs[^\n]*\n {4}(.*)$/m.exec(text)?.[1],
        noticed: /^Detectors that noticed: (.*)$/m.exec(text)?.[1],
        loss:
            text
                .split('\nWhat is on the disk then:\n')[1]
                ?.split('\n\n')[0]
                .split('\n')
                .map((l) => l.trim()) ?? [],
        answers,
    };
}

const shownPages = (page) =>
    page.$$eval('#pages tbody tr', (list) => list.map((tr) => [...tr.children].map((td) => td.textContent)));
const term = (page, name) =>
    page.$$eval(
        '.facts dt',
        (list, wanted) => list.find((dt) => dt.textContent === wanted)?.nextElementSibling.textContent,
        name,
    );

// The state that is open says what `explain` says of it.
async function tellsTheStory(page) {
    const command = await page.textContent('.facts .command code');
    const importer = await page.textContent('.strip-name.chosen');
    const told = story(command);
    const pages = await shownPages(page);
    assert.deepEqual(pages.slice(0, told.pages.length), told.pages, command);
    assert.equal(pages.length, told.count, command);
    assert.equal(await term(page, 'First row that differs'), told.difference, command);
    assert.equal(await term(page, 'Checks that noticed'), told.noticed, command);
    const loss = await page.$$eval('#loss li', (list) => list.map((li) => li.textContent.trim()));
    assert.deepEqual(
        loss.map((line) => line.slice(0, 90)),
        told.loss.map((line) => line.slice(0, 90)),
        command,
    );
    const verdict = await page.textContent('#verdict');
    const own = told.answers.find((a) => a.trim().startsWith(`${importer} `));
    assert.ok(own?.endsWith(` ${verdict}`), `${command}: ${own} | ${verdict}`);
    const grid = await page.$$eval('.maps > figure .page', (list) =>
        list.map((g) => [g.dataset.page, g.dataset.of]),
    );
    for (const [number, , of] of pages.filter((row) => row.length === 4)) {
        assert.ok(
            grid.some(([n, o]) => n === number && o === of),
            `${command}: page ${number} in the grid`,
        );
    }
    return JSON.stringify(grid);
}

// Stepping with keys and mouse opens states, each of which is as explained.
async function steps(page, task) {
    await page.selectOption('#film', task);
    const seen = new Set();
    await page.focus('#player');
    await page.keyboard.press('Home');
    for (const press of ['', 'PageDown', 'ArrowRight', 'PageDown', 'End', 'ArrowLeft', 'PageUp']) {
        if (press) await page.keyboard.press(press);
        seen.add(await tellsTheStory(page));
    }
    await page.locator('.stage').scrollIntoViewIfNeeded();
    const box = await page.locator('.stage').boundingBox();
    const clicked = [];
    for (const part of [0.15, 0.85]) {
        await page.mouse.click(box.x + box.width * part, box.y + 20);
        clicked.push(await page.textContent('#state-name'));
    }
    assert.notEqual(clicked[0], clicked[1], 'a click opens the state under it');
    await tellsTheStory(page);
    const importer = await page.textContent('.strip-name.chosen');
    await page.keyboard.press('ArrowDown');
    assert.notEqual(
        await page.textContent('.strip-name.chosen'),
        importer,
        'arrow down changes the importer',
    );
    await tellsTheStory(page);
    return seen.size;
}

// A power loss: its promises, its shares, and states of it, with what is there of what was pending.
async function losses(page) {
    const data = await page.evaluate(() => JSON.parse(document.getElementById('data').textContent));
    const rows = await page.$$eval('#promises tbody tr', (list) =>
        list.map((tr) => [...tr.children].map((td) => td.textContent)),
    );
    assert.deepEqual(
        rows.map((r) => [r[0], r[1], r[2], r[3], r[5], r[7]]),
        data.promises.map((p) => [
            p.mode,
            p.sync,
            p.profile,
            p.promised,
            p.kept,
            p.proved ? 'proved' : 'not proved',
        ]),
    );
    assert.equal(await page.locator('#losses tbody tr').count(), data.cells.rows.length);
    const options = await page.$$eval('#film option', (list) => list.map((option) => option.value));
    assert.ok(options.length > 0, 'a power loss has states to show');
    for (const task of options) {
        await page.selectOption('#film', task);
        await page.focus('#player');
        await page.keyboard.press('Home');
        for (let i = 0; i < 4; i++) {
            await tellsTheStory(page);
            assert.ok((await page.locator('#loss li').count()) > 0, task);
            await page.keyboard.press('ArrowRight');
        }
    }
}

async function accessible(page, what) {
    // The page's own policy keeps foreign scripts out; the debugger may.
    await page.evaluate(axe.source);
    const result = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
    const serious = result.violations.filter((v) => ['serious', 'critical'].includes(v.impact));
    assert.deepEqual(
        serious.map((v) => `${v.id}: ${v.nodes[0].html.slice(0, 160)} ${v.nodes[0].failureSummary}`),
        [],
        `axe, ${what}`,
    );
}

async function survivesReload(page) {
    await page.selectOption('#filter-mode', 'delete');
    await page.selectOption('#filter-workload', 'inplace');
    const filter = (c) => c.mode === 'delete' && c.workload === 'inplace';
    const sentence = await agrees(page, filter);
    await page.focus('#player');
    await page.keyboard.press('ArrowRight');
    const at = await page.textContent('#state-name');
    await page.reload();
    await page.waitForSelector('#identity');
    assert.equal(await page.inputValue('#filter-mode'), 'delete');
    assert.equal(await page.inputValue('#filter-workload'), 'inplace');
    assert.equal(await page.textContent('#sentence'), sentence);
    assert.equal(await page.textContent('#state-name'), at, 'the open state survives');
    await agrees(page, filter);
    await page.click('#reset');
    await agrees(page, () => true);
}

async function lists(page) {
    const more = page.locator('#findings .quiet');
    if ((await more.count()) > 0) await more.click();
    const found = await page.$$eval('.finding', (list) =>
        list.map((li) => [li.querySelector('.signature').textContent, Number(li.dataset.count)]),
    );
    const expected = run.findings.map((f) => [f.signature, f.count]);
    assert.deepEqual(found.sort(), expected.sort(), 'findings');
    const first = page.locator('.finding').first();
    await first.locator('summary').click();
    const told = story(await first.locator('.command code').first().textContent());
    assert.ok(told.answers.length > 0, 'a finding’s command tells a story');
    await first.locator('.copy').first().click();
    await page.waitForFunction(() =>
        /Copied|Selected/.test(document.querySelector('.finding .copy').textContent),
    );
    const text = await page.textContent('#identity');
    assert.ok(text.includes(run.sqlite) && text.includes('midcommit'), text);
}

const size = statSync(file).size;
assert.ok(size < 2e6, `${size} bytes`);
const paints = [];
for (let i = 0; i < 3; i++) {
    const page = await open(url);
    paints.push(
        await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0].startTime),
    );
    await page.context().close();
}
assert.ok(Math.min(...paints) < 1000, `first paint: ${paints}`);

const page = await open(url);
const answer = await agrees(page, () => true);
assert.equal(
    answer,
    await page.evaluate(() => JSON.parse(document.getElementById('data').textContent).answer),
);
await survivesReload(page);
const tasks = await page.$$eval('#film option', (list) => list.map((option) => option.value));
let maps = 0;
for (const task of tasks) maps += await steps(page, task);
assert.ok(maps > 2 * tasks.length, `${maps} page maps in ${tasks.length} timelines`);
await lists(page);
const hostile = await page.evaluate(() => [
    window.pwned,
    document.images.length,
    document.querySelectorAll('b[x]').length,
]);
assert.deepEqual(hostile, [undefined, 0, 0], 'a name is markup');
assert.ok(
    (await page.textContent('#page')).includes('<img src=x onerror=window.pwned=1>'),
    'a hostile name is text',
);

for (const [what, options] of [
    ['light', {}],
    ['dark', { colorScheme: 'dark' }],
    ['narrow', { viewport: { width: 400, height: 800 } }],
]) {
    const other = await open(url, options);
    await other.$$eval('details', (list) =>
        list.forEach((d) => {
            d.open = true;
        }),
    );
    await accessible(other, what);
    const wide = await other.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= (options.viewport?.width ?? 1280), `${what}: ${wide} pixels wide`);
    await other.context().close();
}

const sheet = await open(url, { viewport: { width: 720, height: 1000 } });
await sheet.emulateMedia({ media: 'print' });
await sheet.evaluate(() => dispatchEvent(new Event('beforeprint')));
assert.ok((await sheet.evaluate(() => document.documentElement.scrollWidth)) <= 720, 'a sheet is too narrow');
await agrees(sheet, () => true);

if (second) {
    const other = await open(`file://${resolve(second)}`);
    const data = await other.evaluate(() => JSON.parse(document.getElementById('data').textContent).compared);
    assert.equal(await other.locator('#appeared tbody tr').count(), data.findings.appeared.length);
    assert.equal(await other.locator('#changed-cells tbody tr').count(), data.cells.changed.length);
    assert.ok(data.findings.appeared.length > 0 && data.cells.changed.length > 0, 'something changed');
    await accessible(other, 'compared');
}
if (third) {
    const other = await open(`file://${resolve(third)}`);
    await losses(other);
    await accessible(other, 'power');
}
await browser.close();
assert.deepEqual(problems, [], 'console and requests');
console.log(
    `page: ${size} bytes, first paint ${Math.round(Math.min(...paints))} ms, ` +
        `${tasks.length} timelines as explained`,
);
