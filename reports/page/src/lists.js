// Below the pictures: promises, power losses, findings, what changed, and who made this.
import { bar } from './answer.js';
import { explain } from './film.js';
import { data, importers, lost, verdictOf } from './model.js';
import { command, count, details, h, share, table } from './dom.js';

export function promises() {
    const rows = data.promises ?? [];
    if (rows.length === 0) {
        return null;
    }
    return h(
        'section',
        { id: 'promises' },
        h('h2', {}, 'What SQLite promises, and what came out'),
        h(
            'p',
            {},
            'After a power loss, by journal mode, synchronous level and kind of disk. “last”: the last ' +
                'acknowledged commit may be lost; “stale”: any since the last sync. Proved: none is undecided.',
        ),
        table(
            'SQLite’s promises',
            [
                'mode',
                'synchronous',
                'profile',
                'promised',
                'worst seen',
                'kept',
                'states',
                'how sure',
                'first state',
            ].map((text) => ({ text, number: text === 'states' })),
            rows.map((r) => [
                r.mode,
                r.sync,
                r.profile,
                r.promised,
                h(
                    'span',
                    { class: 'tag' },
                    h(
                        'span',
                        { class: `key v-${verdictOf(r.worst).key}`, 'aria-hidden': 'true' },
                        verdictOf(r.worst).letter,
                    ),
                    r.worst,
                ),
                h(
                    'span',
                    { class: r.kept === 'NO' ? 'broken' : null },
                    r.kept ?? (r.broken > 0 ? 'NO' : 'yes'),
                ),
                power(r.states),
                r.proved ? 'proved' : 'not proved',
                r.first_case ? h('code', {}, r.first_case) : '',
            ]),
        ),
    );
}

// Numbers of states pass every integer: "1,336", or "about 2^640".
function power(digits) {
    return digits.length <= 9 ? count(Number(digits)) : `about 2^${BigInt(digits).toString(2).length - 1}`;
}

const part = (digits, all) => (BigInt(all) === 0n ? 0 : Number((BigInt(digits) * 1000000n) / BigInt(all)));

export function losses(width, open) {
    if (lost.length === 0) {
        return null;
    }
    const size = Math.max(100, Math.min(width - 560, 320));
    const rows = lost.map((cell) => {
        const own = Object.values(cell.power.verdicts)[0];
        const all = cell.power.total;
        const shares = { states: 1000000, silent: part(own.silent, all) };
        for (const key of ['clean', 'stale', 'blocked', 'refused']) {
            shares[key] = part(own[key], all);
        }
        shares.loud = part(own.torn, all) - shares.silent;
        const open = part(own.undecided, all);
        return [
            cell.workload,
            cell.mode,
            cell.sync,
            cell.power.profile,
            cell.importer,
            h(
                'button',
                {
                    type: 'button',
                    class: 'cell',
                    'aria-label':
                        `Open ${cell.workload}, ${cell.mode}, ${cell.sync}, ` + `${cell.power.profile}`,
                    onclick: () => {
                        open(cell);
                    },
                },
                bar(shares, size, 18, false),
            ),
            share(shares.loud + shares.silent, 1000000),
            open > 0 ? `${share(open, 1000000)} undecided` : 'all decided',
            power(all),
        ];
    });
    return h(
        'section',
        { id: 'losses' },
        h('h2', {}, 'Power loss'),
        h(
            'p',
            {},
            'All states that a disk can hold at each crash point, counted in classes that recovery cannot ' +
                'tell apart. Each bar is the share of all states, and opens some of them.',
        ),
        table(
            'States after a power loss',
            [
                'workload',
                'mode',
                'synchronous',
                'profile',
                'importer',
                'what became of them',
                'torn',
                '',
                'states',
            ].map((text) => ({ text, number: text === 'states' || text === 'torn' })),
            rows,
        ),
    );
}

function finding(f, width) {
    const verdict = verdictOf(f.verdict);
    const who = importers
        .filter((i) => f.signature.endsWith(`/${i}/${f.verdict}`))
        .sort((a, b) => b.length - a.length)[0];
    const tell = explain(
        f.case,
        who ?? (f.signature.includes('/recover differs from sqlite/') ? 'recover' : 'sqlite'),
    );
    return h(
        'li',
        { class: 'finding', 'data-signature': f.signature, 'data-count': f.count },
        h(
            'details',
            {},
            h(
                'summary',
                {},
                h('span', { class: `key v-${verdict.key}`, 'aria-hidden': 'true' }, verdict.letter),
                h('span', { class: 'signature' }, f.signature),
                h('span', { class: 'total' }, `${count(f.count)}${width > 500 ? ' states' : ''}`),
                f.fails ? h('span', { class: 'broken' }, 'fails the run') : null,
                f.known_defect ? h('span', { class: 'known' }, `known defect: ${f.known_defect}`) : null,
            ),
            h('p', {}, 'The first state with it: ', h('code', {}, f.case)),
            command(tell, 'tell its story'),
            command(
                `${tell} --save found.case && midcommit reduce found.case -o small.case`,
                'keep and shrink it',
            ),
            command('midcommit replay small.case', 'judge the case again'),
        ),
    );
}

export function findings(width) {
    const shown = 12;
    const order = (f) =>
        f.fails
            ? 0
            : f.known_defect
              ? 1
              : { silent: 2, loud: 3, stale: 4, blocked: 5, refused: 6, clean: 7 }[verdictOf(f.verdict).key];
    const sorted = data.findings
        .map((f, i) => [order(f), -f.count, i, f])
        .sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2])
        .map((row) => row[3]);
    const list = h(
        'ol',
        { class: 'findings' },
        sorted.slice(0, shown).map((f) => finding(f, width)),
    );
    const more =
        sorted.length > shown
            ? h(
                  'button',
                  {
                      type: 'button',
                      class: 'quiet',
                      onclick: () => {
                          list.append(...sorted.slice(shown).map((f) => finding(f, width)));
                          more.remove();
                      },
                  },
                  `Show all ${count(sorted.length)}`,
              )
            : null;
    return h(
        'section',
        { id: 'findings' },
        h('h2', {}, 'Findings'),
        h(
            'p',
            {},
            sorted.length === 0
                ? 'There are none.'
                : 'One for each signature: journal mode, crash model, ' +
                      'operation at the crash, first wrong page, importer, verdict. Each opens to its commands.',
        ),
        list,
        more,
    );
}

export function compared() {
    const c = data.compared;
    if (!c) {
        return null;
    }
    const found = (list, id, title) =>
        list.length === 0
            ? null
            : h(
                  'div',
                  { id },
                  h('h3', {}, `${title}: ${count(list.length)}`),
                  table(
                      title,
                      [{ text: 'signature' }, { text: 'states', number: true }, { text: 'first state' }],
                      list.map((f) => [f.signature, f.count, h('code', {}, f.case)]),
                  ),
              );
    const changes = (list, key, id, title) =>
        list.length === 0
            ? null
            : h(
                  'div',
                  { id },
                  h('h3', {}, `${title}: ${count(list.length)}`),
                  table(
                      title,
                      [
                          { text: key },
                          ...(key === 'cell' ? [{ text: 'number' }] : []),
                          { text: 'before', number: true },
                          { text: 'now', number: true },
                          { text: 'change', number: true },
                      ],
                      list.map((x) => [
                          x[key],
                          ...(key === 'cell' ? [x.what] : []),
                          x.old,
                          x.new,
                          `${x.new > x.old ? '+' : '−'}${count(Math.abs(x.new - x.old))}`,
                      ]),
                  ),
              );
    const names = (list, title) =>
        list.length === 0
            ? null
            : h(
                  'div',
                  {},
                  h('h3', {}, `${title}: ${count(list.length)}`),
                  h(
                      'ul',
                      {},
                      list.map((name) => h('li', {}, name)),
                  ),
              );
    const parts = [
        found(c.findings.appeared, 'appeared', 'Findings that appeared'),
        found(c.findings.disappeared, 'disappeared', 'Findings that disappeared'),
        changes(c.findings.changed, 'signature', 'changed-findings', 'Findings of more or fewer states'),
        names(c.cells.appeared, 'Cells that appeared'),
        names(c.cells.disappeared, 'Cells that disappeared'),
        changes(c.cells.changed, 'cell', 'changed-cells', 'Numbers that changed'),
    ].filter(Boolean);
    return h(
        'section',
        { id: 'compared' },
        h('h2', {}, 'Since the run before'),
        h(
            'p',
            {},
            `SQLite ${c.old.sqlite}, seed ${c.old.seed}, to SQLite ${c.new.sqlite}, seed ${c.new.seed}.`,
        ),
        parts.length === 0 ? h('p', {}, 'No finding and no number changed.') : parts,
    );
}

export function identity() {
    const id = data.identity;
    const met = data.recover_against_sqlite;
    const cut = data.cells.rows.length > 0 && data.limits === null;
    const rows = [
        ['SQLite', id.source ? `${id.sqlite}, ${id.source}` : id.sqlite],
        ['midcommit', id.midcommit],
        ['Seed', String(id.seed)],
        [
            'Options',
            id.options === null
                ? 'not kept in this file'
                : id.options.length === 0
                  ? 'none: the default run'
                  : h('code', {}, id.options.map(([k, v]) => (v ? `--${k} ${v}` : `--${k}`)).join(' ')),
        ],
        ...(data.sqlite3_program ? [['sqlite3 program', data.sqlite3_program]] : []),
        ...(data.control
            ? [['SQLite itself', data.control]]
            : [
                  [
                      'recover beside SQLite',
                      `compared on ${count(met.compared)} distinct states, ` +
                          `${count(met.disagreements)} differences`,
                  ],
              ]),
        [
            'Left out',
            [
                data.limits ||
                    (cut ? 'Not known: this file does not say.' : 'Nothing was skipped or cut short.'),
                ...(data.films_left > 0
                    ? [` ${data.films_left} timelines, so that this page stays small.`]
                    : []),
                ...(data.programs_left ? [' Programs and libraries are not in the timelines.'] : []),
            ],
        ],
        ['Made', [data.timing.time, data.timing.host].filter(Boolean).join(', on ')],
        [
            'Took',
            data.timing.seconds === undefined
                ? 'not kept in this file'
                : `${data.timing.seconds} s, ${count(data.timing.states_per_second ?? 0)} states a second`,
        ],
    ];
    return h(
        'section',
        { id: 'identity' },
        h('h2', {}, 'This run'),
        h(
            'dl',
            {},
            rows.map(([term, value]) => [h('dt', {}, term), h('dd', {}, value)]),
        ),
        details(
            'How to read this page',
            h(
                'p',
                {},
                'A crash state is what a disk holds when a process or machine ' +
                    'dies at one moment. An importer makes a database of it. Clean: what was committed. Stale: an ' +
                    'older commit. Torn: no commit; silent, when no check notices. Blocked: it refuses what SQLite ' +
                    'recovers. Refused: SQLite cannot recover it either.',
            ),
        ),
    );
}
