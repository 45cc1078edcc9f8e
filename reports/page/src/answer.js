// The answer: one sentence, and for each importer one bar of what became of all states.
import { scaleLinear } from 'd3-scale';
import { select } from 'd3-selection';
import { stack } from 'd3-shape';
import { axes, data, matches, plain, state, sums, verdicts } from './model.js';
import { count, details, h, share, table } from './dom.js';

// The same sentence as pagejson.c's, for what the filters leave.
export function sentence(rows) {
    const torn = rows.reduce((a, b) => (b.torn > (a?.torn ?? 0) ? b : a), null);
    const blocked = rows
        .filter((row) => row.torn === 0)
        .reduce((a, b) => (b.blocked > (a?.blocked ?? 0) ? b : a), null);
    const sound = rows.filter((row) => row.torn === 0 && row.blocked === 0).map((row) => row.importer);
    if (!torn && !blocked) {
        return rows.length > 0
            ? 'Nothing was torn, and nothing refused that SQLite recovers.'
            : 'No crash state is of all that.';
    }
    const first = torn
        ? `${torn.importer} tears the database at ${count(torn.torn)} of ${count(torn.states)} crash ` +
          `states, and ${
              torn.silent > 0 ? `no check notices ${count(torn.silent)} of them` : 'checks notice all of them'
          }.`
        : `${blocked.importer} refuses ${count(blocked.blocked)} of ${count(blocked.states)} databases ` +
          'that SQLite recovers.';
    const last =
        sound.length === 0
            ? ''
            : sound.length === 1
              ? ` ${sound[0]} tears and refuses none.`
              : ` ${sound.slice(0, -1).join(', ')} and ${sound.at(-1)} tear and refuse none.`;
    return first + last;
}

export const legend = () =>
    h(
        'ul',
        { class: 'legend', 'aria-label': 'Verdicts' },
        verdicts.map((verdict) =>
            h(
                'li',
                {},
                h('span', { class: `key v-${verdict.key}`, 'aria-hidden': 'true' }, verdict.letter),
                h('b', {}, verdict.name),
                ` ${verdict.help}`,
            ),
        ),
    );

// A stacked bar; `letters` where there is room.
export function bar(row, width, height, letters) {
    const x = scaleLinear([0, row.states || 1], [0, width]);
    const series = stack().keys(verdicts.map((v) => v.key))([row]);
    const svg = select(document.createElementNS('http://www.w3.org/2000/svg', 'svg'))
        .attr('class', 'bar')
        .attr('width', width)
        .attr('height', height)
        .attr('aria-hidden', 'true');
    const parts = svg
        .selectAll('g')
        .data(series.filter((s) => row[s.key] > 0))
        .join('g')
        .attr('data-verdict', (s) => s.key)
        .attr('data-count', (s) => row[s.key]);
    const from = (s) => x(s[0][0]);
    const size = (s) => Math.max(x(s[0][1]) - x(s[0][0]), 1);
    parts
        .append('rect')
        .attr('class', (s) => `f-${s.key}`)
        .attr('x', from)
        .attr('width', size)
        .attr('height', height);
    parts
        .filter((s) => s.key === 'silent' || s.key === 'loud')
        .append('rect')
        .attr('fill', (s) => `url(#p-${s.key})`)
        .attr('x', from)
        .attr('width', size)
        .attr('height', height);
    if (letters) {
        parts
            .filter((s) => size(s) > 18)
            .append('text')
            .attr('class', (s) => `on-${s.key}`)
            .attr('x', (s) => from(s) + 7)
            .attr('y', height / 2)
            .attr('dy', '.36em')
            .text((s) =>
                size(s) > 120
                    ? `${verdicts[s.index].name}  ${share(row[s.key], row.states)}`
                    : verdicts[s.index].letter,
            );
        parts.append('title').text((s) => `${verdicts[s.index].name}: ${count(row[s.key])}`);
    }
    return svg.node();
}

function filters(changed) {
    const shown = axes.filter((axis) => axis.values.length > 1);
    const reset = h(
        'button',
        {
            type: 'button',
            class: 'quiet',
            id: 'reset',
            disabled: !shown.some((axis) => state[axis.key]),
            onclick: () => {
                axes.forEach((axis) => {
                    state[axis.key] = '';
                });
                changed();
            },
        },
        'All states',
    );
    return h(
        'form',
        { class: 'filters', 'aria-label': 'Filters', onsubmit: (e) => e.preventDefault() },
        shown.map((axis) => {
            const choice = h(
                'select',
                {
                    id: `filter-${axis.key}`,
                    onchange: (e) => {
                        state[axis.key] = e.target.value;
                        changed(e.target.id);
                    },
                },
                h('option', { value: '' }, 'all'),
                axis.values.map((value) =>
                    h('option', { value, selected: state[axis.key] === value }, value),
                ),
            );
            return h('label', {}, axis.name, choice);
        }),
        reset,
    );
}

const numbers = (rows) =>
    table(
        'States by importer and verdict',
        [
            { text: 'importer' },
            { text: 'states', number: true },
            ...verdicts.map((v) => ({ text: v.name, number: true })),
        ],
        rows.map((row) => [row.importer, row.states, ...verdicts.map((v) => row[v.key])]),
        { id: 'numbers' },
    );

export function answer(width, changed) {
    const some = plain.filter((cell) => matches(cell));
    const rows = sums(some);
    const scope = axes.filter((axis) => axis.values.length > 1).map((axis) => state[axis.key]);
    const chosen = scope.filter((value) => value && value !== 'as-is');
    const text = plain.length > 0 ? sentence(rows) : data.answer;
    const one = some.filter((cell) => cell.importer === some[0].importer);
    const label = Math.min(190, width * 0.3);
    const narrow = width < 620;
    const barWidth = narrow ? width : width - label - 90;
    return h(
        'section',
        { id: 'answer' },
        h(
            'h1',
            {},
            chosen.length > 0 ? h('span', { class: 'scope' }, `${chosen.join(', ')}: `) : null,
            h('span', { id: 'sentence' }, text),
        ),
        plain.length === 0
            ? null
            : [
                  h(
                      'p',
                      { class: 'lead' },
                      `${count(one.reduce((n, c) => n + c.states, 0))} disk states, ` +
                          `${count(one.reduce((n, c) => n + c.crash_points, 0))} crash points, ` +
                          `SQLite ${data.identity.sqlite}. Each bar is what one importer made of them.`,
                  ),
                  filters(changed),
                  h(
                      'ol',
                      { class: `bars${narrow ? ' narrow' : ''}` },
                      rows.map((row) =>
                          h(
                              'li',
                              { 'data-importer': row.importer },
                              h('span', { class: 'who', title: row.importer }, row.importer),
                              bar(row, barWidth, 34, true),
                              h('span', { class: 'total' }, count(row.states)),
                          ),
                      ),
                  ),
                  legend(),
                  details('The same as a table', numbers(rows)),
              ],
    );
}

// Workloads down, modes and crash models across: one bar each, and the way into its timeline.
export function matrix(width, importer, open, choose) {
    const some = plain.filter((cell) => cell.importer === importer && matches(cell));
    const level = new Set(plain.map((c) => c.sync)).size > 2;
    const name = (cell) =>
        [cell.mode, cell.crash, level ? cell.sync : '', cell.sidecars === 'as-is' ? '' : cell.sidecars]
            .filter(Boolean)
            .join(' · ');
    const columns = [...new Set(some.map(name))];
    const workloads = [...new Set(some.map((cell) => cell.workload))];
    if (some.length === 0) {
        return null;
    }
    const room = Math.floor((width - 130) / Math.min(columns.length, 6)) - 24;
    const size = Math.max(60, Math.min(room, 230));
    const body = workloads.map((workload) =>
        h(
            'tr',
            {},
            h('th', { scope: 'row' }, workload),
            columns.map((column) => {
                const cell = some.find((c) => c.workload === workload && name(c) === column);
                if (!cell) {
                    return h('td', { class: 'none' }, '');
                }
                const said = verdicts
                    .filter((v) => cell[v.key] > 0)
                    .map((v) => `${v.name} ${share(cell[v.key], cell.states)}`)
                    .join(', ');
                return h(
                    'td',
                    {},
                    h(
                        'button',
                        {
                            type: 'button',
                            class: 'cell',
                            onclick: () => open(cell),
                            title: said,
                            'aria-label': `${workload}, ${column}: ${said}`,
                        },
                        bar(cell, size, 16, false),
                    ),
                );
            }),
        ),
    );
    return h(
        'section',
        { id: 'where' },
        h('h2', {}, 'Where it happens'),
        h(
            'p',
            {},
            'What became of the states of each workload. A bar opens the timeline of one of its commits.',
        ),
        h(
            'div',
            { class: 'chips', role: 'group', 'aria-label': 'Importer' },
            sums(plain).map((row) =>
                h(
                    'button',
                    {
                        type: 'button',
                        'aria-pressed': String(row.importer === importer),
                        onclick: () => choose(row.importer),
                    },
                    row.importer,
                ),
            ),
        ),
        h(
            'div',
            { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'By workload' },
            h(
                'table',
                { class: 'matrix' },
                h('caption', { class: 'hidden' }, `What ${importer} makes of each workload`),
                h(
                    'thead',
                    {},
                    h(
                        'tr',
                        {},
                        h('th', { scope: 'col' }, 'workload'),
                        columns.map((column) => h('th', { scope: 'col' }, column)),
                    ),
                ),
                h('tbody', {}, body),
            ),
        ),
    );
}
