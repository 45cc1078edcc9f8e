// Inside one commit: the operations by file, the crash states below them, and one state opened.
import { axisBottom } from 'd3-axis';
import { scaleLinear } from 'd3-scale';
import { select } from 'd3-selection';
import { verdictOf, verdicts } from './model.js';
import { belonging, belongings, explain, pagesOf, snapshotsOf } from './film.js';
import { command, details, h, table } from './dom.js';

const lane = 26;
const strip = 30;
const tall = { clean: 0.35, stale: 0.6, loud: 0.85, silent: 1, blocked: 0.5, refused: 0.25 };
const svgNode = (name) => document.createElementNS('http://www.w3.org/2000/svg', name);

// What an operation looks like in its lane: a path around (0, 0), `w` wide at most.
function shape(kind, size, w) {
    const half = Math.max(Math.min(w * 0.42, 7), 1);
    const high = size >= 512 ? 8 : 4;
    switch (kind) {
        case 'write':
            return `M${-half},${-high}h${2 * half}v${2 * high}h${-2 * half}z`;
        case 'sync':
        case 'journal sync':
            return 'M-1.5,-12h3v24h-3z';
        case 'truncate':
            return 'M-5,-5h10l-5,10z';
        case 'delete':
            return 'M-5,-3.5L-3.5,-5L0,-1.5L3.5,-5L5,-3.5L1.5,0L5,3.5L3.5,5L0,1.5L-3.5,5L-5,3.5L-1.5,0z';
        case 'create':
            return 'M-1.5,-6h3v4.5h4.5v3h-4.5v4.5h-3v-4.5h-4.5v-3h4.5z';
        default:
            return `M0,-6L${half + 2},0L0,6L${-half - 2},0z`;
    }
}
const klass = (kind) =>
    kind.includes('sync')
        ? 'sync'
        : ['write', 'truncate', 'delete', 'create'].includes(kind)
          ? kind
          : 'other';

function drawLanes(svg, film, x, step) {
    const marks = film.ops.map((op, i) => ({
        kind: op[0],
        lane: op[1],
        offset: op[2],
        size: op[3],
        text: op[4],
        index: film.first + i,
    }));
    const bottom = 24 + film.lanes.length * lane;
    svg.selectAll('line.lane')
        .data(film.lanes)
        .join('line')
        .attr('class', 'lane')
        .attr('x1', x(film.first - 0.5))
        .attr('x2', x(film.end + 0.5))
        .attr('y1', (_, i) => 24 + (i + 0.5) * lane)
        .attr('y2', (_, i) => 24 + (i + 0.5) * lane);
    const barriers = marks.filter((m) => m.kind.includes('sync'));
    svg.selectAll('line.barrier')
        .data(barriers)
        .join('line')
        .attr('class', 'barrier')
        .attr('x1', (m) => x(m.index + 0.5))
        .attr('x2', (m) => x(m.index + 0.5))
        .attr('y1', 20)
        .attr('y2', bottom);
    const ops = svg
        .selectAll('path.op')
        .data(marks.filter((m) => m.lane >= 0))
        .join('path')
        .attr('class', (m) => `op op-${klass(m.kind)}`)
        .attr('d', (m) => shape(m.kind, m.size, step))
        .attr('transform', (m) => `translate(${x(m.index + 0.5)},${24 + (m.lane + 0.5) * lane})`);
    ops.append('title').text((m) => `${m.index}  ${m.text}`);
    const acks = svg
        .selectAll('g.mark')
        .data(marks.filter((m) => m.lane < 0))
        .join('g')
        .attr('class', (m) => `mark ${m.kind}`);
    acks.append('line')
        .attr('x1', (m) => x(m.index + 0.5))
        .attr('x2', (m) => x(m.index + 0.5))
        .attr('y1', 14)
        .attr('y2', bottom);
    acks.append('text')
        .attr('y', 10)
        .attr('x', (m) => x(m.index + 0.5))
        .attr('text-anchor', (m) => (m.kind === 'acked' || x(m.index) > x.range()[1] - 90 ? 'end' : 'start'))
        .text((m) => `commit ${m.offset} ${m.kind === 'acked' ? 'acknowledged' : 'begun'}`);
    return bottom;
}

function drawStrips(svg, film, x, top) {
    const rows = film.importers.map((importer, row) => ({ importer, row }));
    const strips = svg
        .selectAll('g.strip')
        .data(rows)
        .join('g')
        .attr('class', 'strip')
        .attr('data-importer', (r) => r.importer)
        .attr('transform', (r) => `translate(0,${top + r.row * (strip + 8)})`);
    const cells = strips
        .selectAll('g')
        .data((r) =>
            film.frames.map((frame) => ({
                frame,
                row: r.row,
                verdict: verdictOf(frame.looks[r.row].v),
            })),
        )
        .join('g');
    const high = (c) => strip * tall[c.verdict.key];
    const place = (rects) =>
        rects
            .attr('x', (c) => x(c.frame.from))
            .attr('y', (c) => strip - high(c))
            .attr('width', (c) => Math.max(x(c.frame.to) - x(c.frame.from), 0.5))
            .attr('height', high);
    place(cells.append('rect')).attr('class', (c) => `f-${c.verdict.key}`);
    place(cells.filter((c) => c.verdict.key === 'silent' || c.verdict.key === 'loud').append('rect')).attr(
        'fill',
        (c) => `url(#p-${c.verdict.key})`,
    );
    strips
        .append('line')
        .attr('class', 'base')
        .attr('x1', x.range()[0])
        .attr('x2', x.range()[1])
        .attr('y1', strip + 0.5)
        .attr('y2', strip + 0.5);
}

// The picture of a film, all of it in `width` if it is to `fit`; `pick(frame, row)` when a state is clicked.
function picture(film, width, fit, pick) {
    const span = film.end - film.first + 1;
    const step = Math.max(width / span, fit ? 0 : 6);
    const x = scaleLinear([film.first - 0.5, film.end + 0.5], [0, Math.round(step * span)]);
    const svg = select(svgNode('svg'))
        .attr('class', 'timeline')
        .attr('width', x.range()[1])
        .attr('aria-hidden', 'true');
    const cursor = svg.append('rect').attr('class', 'cursor').attr('y', 14);
    const bottom = drawLanes(svg, film, x, step);
    const top = bottom + 10;
    drawStrips(svg, film, x, top);
    const end = top + film.importers.length * (strip + 8);
    const ticks = axisBottom(x)
        .ticks(Math.max(Math.round(x.range()[1] / 90), 2))
        .tickFormat((n) => (Number.isInteger(n) ? n : ''))
        .tickSizeOuter(0);
    svg.append('g').attr('class', 'axis').attr('transform', `translate(0,${end})`).call(ticks);
    svg.attr('height', end + 24);
    cursor.attr('height', end - 14);
    svg.on('click', (event) => {
        const box = svg.node().getBoundingClientRect();
        const at = x.invert(event.clientX - box.left);
        const row = Math.floor((event.clientY - box.top - top) / (strip + 8));
        const frame =
            film.frames.find((f) => at >= f.from && at < f.to) ??
            film.frames[at < film.first ? 0 : film.frames.length - 1];
        pick(frame, row >= 0 && row < film.importers.length ? row : null);
    });
    const show = (frame) => {
        const size = Math.max(x(frame.to) - x(frame.from), 3);
        cursor.attr('x', (x(frame.from) + x(frame.to)) / 2 - size / 2).attr('width', size);
        return (x(frame.from) + x(frame.to)) / 2;
    };
    return { node: svg.node(), show, top };
}

const signs = [
    ['write', 'write'],
    ['sync', 'sync'],
    ['truncate', 'truncate'],
    ['delete', 'delete'],
    ['create', 'create'],
];

// What the marks in the lanes are.
function signLegend(film) {
    const own = new Set(film.ops.filter((op) => op[1] >= 0).map((op) => klass(op[0])));
    const list = [
        ...signs.filter(([kind]) => own.has(kind)),
        ...(own.has('other') ? [['other', 'other requests']] : []),
    ];
    return h(
        'ul',
        { class: 'legend small', 'aria-label': 'Operations' },
        list.map(([kind, text]) => {
            const svg = select(svgNode('svg'))
                .attr('width', 20)
                .attr('height', 20)
                .attr('viewBox', '-10 -10 20 20')
                .attr('aria-hidden', 'true');
            svg.append('path')
                .attr('class', `op-${kind}`)
                .attr('d', shape(kind, 4096, 16));
            return h('li', {}, svg.node(), text);
        }),
    );
}

// A grid of pages; `say` is told of the page under the pointer.
function grid(title, pages, size, say, film) {
    const columns = Math.max(Math.min(Math.floor(say.width / (size + 3)), 16), 4);
    const rows = Math.ceil(pages.length / columns);
    const svg = select(svgNode('svg'))
        .attr('class', 'pages')
        .attr('width', columns * (size + 3))
        .attr('height', Math.max(rows, 1) * (size + 3))
        .attr('aria-hidden', 'true');
    const cells = svg
        .selectAll('g')
        .data(pages)
        .join('g')
        .attr('class', (p) => `page${p.wrong ? ' wrong' : ''}`)
        .attr('data-of', (p) => p.of)
        .attr('data-page', (p) => p.page)
        .attr(
            'transform',
            (_, i) =>
                `translate(${(i % columns) * (size + 3) + 1},${Math.floor(i / columns) * (size + 3) + 1})`,
        );
    cells
        .append('rect')
        .attr('class', (p) => `b-${belonging(p.of).key}`)
        .attr('width', size)
        .attr('height', size)
        .attr('rx', 2);
    if (size >= 14) {
        cells
            .append('text')
            .attr('class', (p) => `on-b-${belonging(p.of).key}`)
            .attr('x', size / 2)
            .attr('y', size / 2)
            .attr('dy', '.35em')
            .text((p) => belonging(p.of).letter);
    }
    const name = (p) =>
        `page ${p.page}${film.databases.length > 1 ? ` of ${p.database}` : ''}` +
        `${p.role ? `, ${p.role}` : ''}: ${p.of}${p.wrong ? ', wrong' : ''}`;
    cells.append('title').text(name);
    cells.on('pointerenter', (_, p) => say(name(p)));
    return h('figure', {}, h('figcaption', {}, title), svg.node());
}

function maps(film, frame, row, width) {
    const look = frame.looks[row];
    const pages = pagesOf(film, frame, look);
    const told = pages.filter((p) => p.told);
    const hint = 'Point at a page to read its role.';
    const caption = h('p', { class: 'hint' }, pages.length > 0 ? hint : '');
    const say = (text) => {
        caption.textContent = text;
    };
    say.width = Math.min(width, 340);
    const several = film.databases.length > 1;
    const head = [
        { text: 'page', number: true },
        { text: 'role' },
        { text: 'belongs to snapshot' },
        ...(several ? [{ text: 'in' }] : []),
        { text: '' },
    ];
    const list = told.map((p) => [
        p.page,
        p.role,
        p.of,
        ...(several ? [p.database] : []),
        p.wrong ? 'wrong' : '',
    ]);
    const image =
        pages.length > 0
            ? grid(`What ${film.importers[row]} makes of it`, pages, 18, say, film)
            : h('p', { class: 'empty' }, `${film.importers[row]} makes no database of this state.`);
    const near = snapshotsOf(film, frame);
    const nearSay = Object.assign((text) => say(text), { width: Math.min(width, 170) });
    return h(
        'div',
        { class: 'maps' },
        image,
        h(
            'div',
            { class: 'near' },
            near.map((s) => grid(s.title, s.pages, 8, nearSay, film)),
        ),
        caption,
        h(
            'ul',
            { class: 'legend small', 'aria-label': 'Pages' },
            belongings.map((b) =>
                h(
                    'li',
                    {},
                    h('span', { class: `key k-${b.key}`, 'aria-hidden': 'true' }, b.letter),
                    h('b', {}, b.name),
                    ` ${b.help}`,
                ),
            ),
        ),
        pages.length === 0
            ? null
            : details(
                  `The pages that differ as a table (${told.length} of ${pages.length})`,
                  table('Pages that differ between the snapshots, or are wrong', head, list, { id: 'pages' }),
              ),
    );
}

function facts(film, frame, row) {
    const look = frame.looks[row];
    const importer = film.importers[row];
    const verdict = verdictOf(look.v);
    const { acked, begun } = frame.near;
    const op = film.ops[frame.point - film.first];
    const name = `${film.task}/${frame.name}`;
    const rows = [
        ['State', h('code', { id: 'state-name' }, name)],
        ['Next operation', op ? op[4] : 'none: the end of what was recorded'],
        ['Commits', `${acked} of ${film.commits} acknowledged${begun > acked ? `, ${begun} in flight` : ''}`],
        ...(frame.loss.length > 0
            ? [
                  [
                      'On the disk then',
                      h(
                          'ul',
                          { class: 'answers', id: 'loss' },
                          frame.loss.map((line) => h('li', {}, line)),
                      ),
                  ],
              ]
            : []),
        ...(look.w > 0
            ? [['Pages', `${look.w} ${look.w === 1 ? 'is' : 'are'} wrong, against snapshot ${look.k}`]]
            : []),
        ...(look.d ? [['First row that differs', look.d]] : []),
        ...(look.o !== undefined
            ? [
                  ['Checks that noticed', look.n || 'none'],
                  ['Checks that said ok', look.o || 'none'],
              ]
            : []),
        [
            'Every importer',
            h(
                'ul',
                { class: 'answers' },
                film.importers.map((who, i) => h('li', {}, `${who}: ${frame.looks[i].v}`)),
            ),
        ],
    ];
    return h(
        'div',
        { class: 'facts' },
        h(
            'p',
            { class: 'verdict' },
            h('span', { class: `key v-${verdict.key}`, 'aria-hidden': 'true' }, verdict.letter),
            `${importer}: `,
            h('b', { id: 'verdict' }, look.v),
        ),
        h(
            'dl',
            {},
            rows.map(([term, value]) => [h('dt', {}, term), h('dd', {}, value)]),
        ),
        command(explain(name, importer), 'the story of this state'),
    );
}

const framesTable = (film) =>
    table(
        'Crash states of this commit',
        [{ text: 'state' }, { text: 'next operation' }, ...film.importers.map((text) => ({ text }))],
        film.frames.map((frame) => [
            frame.name,
            film.ops[frame.point - film.first]?.[4] ?? '',
            ...frame.looks.map((look) => look.v),
        ]),
        { id: 'frames' },
    );

// `at`: {frame, row}; `moved(frame, row)` is told of each step.
export function timeline(film, at, width, fit, moved) {
    let { frame, row } = at;
    const room = Math.min(
        150,
        Math.max(...film.importers.map((n) => n.length), ...film.lanes.map((n) => n.length)) * 8 + 24,
    );
    const art = picture(film, width - room - 2, fit, (f, r) => {
        go(f, r ?? row);
        slider.focus({ preventScroll: true });
    });
    const slider = h(
        'div',
        {
            class: 'stage',
            role: 'slider',
            tabindex: '0',
            id: 'player',
            'aria-label': 'Crash state',
            'aria-valuemin': '0',
            'aria-valuemax': String(film.frames.length - 1),
        },
        art.node,
    );
    const names = h(
        'div',
        { class: 'names' },
        film.lanes.map((text, i) => h('span', { class: 'lane-name', 'data-y': 24 + i * lane + 4 }, text)),
        film.importers.map((text, i) =>
            h('span', { class: 'strip-name', title: text, 'data-y': art.top + i * (strip + 8) + 6 }, text),
        ),
    );
    names.style.width = `${room}px`;
    for (const label of names.children) {
        label.style.top = `${label.dataset.y}px`;
    }
    const panel = h('div', { class: 'panel', id: 'panel' });
    const where = h('output', { id: 'where-at' });
    const go = (f, r) => {
        frame = f;
        row = r;
        const x = art.show(f);
        const [left, seen] = [slider.scrollLeft, slider.clientWidth];
        if (x < left + 20 || x > left + seen - 20) {
            slider.scrollLeft = x - seen / 2;
        }
        [...names.querySelectorAll('.strip-name')].forEach((n, i) => n.classList.toggle('chosen', i === r));
        slider.setAttribute('aria-valuenow', String(f.index));
        slider.setAttribute('aria-valuetext', `state ${f.name}, ${film.importers[r]}: ${f.looks[r].v}`);
        where.textContent = `state ${f.index + 1} of ${film.frames.length}`;
        panel.replaceChildren(facts(film, f, r), maps(film, f, r, width));
        moved(f, r);
    };
    const step = (by) =>
        go(film.frames[Math.max(0, Math.min(film.frames.length - 1, frame.index + by))], row);
    const turn = (by) => go(frame, (row + by + film.importers.length) % film.importers.length);
    const jump = (by) => {
        // to the next state whose verdict is another
        let i = frame.index;
        while (film.frames[i + by] && film.frames[i].looks[row].v === film.frames[i + by].looks[row].v) {
            i += by;
        }
        step(i + by - frame.index);
    };
    const keys = {
        ArrowLeft: () => step(-1),
        ArrowRight: () => step(1),
        ArrowUp: () => turn(-1),
        ArrowDown: () => turn(1),
        PageUp: () => jump(-1),
        PageDown: () => jump(1),
        Home: () => step(-1e6),
        End: () => step(1e6),
    };
    slider.addEventListener('keydown', (event) => {
        if (keys[event.key]) {
            event.preventDefault();
            keys[event.key]();
        }
    });
    const button = (text, label, act) =>
        h('button', { type: 'button', 'aria-label': label, onclick: act }, text);
    const node = h(
        'div',
        {},
        h('div', { class: 'player' }, names, slider),
        signLegend(film),
        h(
            'div',
            { class: 'controls' },
            button('◂', 'One state back', () => step(-1)),
            button('▸', 'One state on', () => step(1)),
            button('⇥', 'To the next other verdict', () => jump(1)),
            where,
            h(
                'span',
                { class: 'keys' },
                'Arrow keys: left and right step, up and down change the importer, ' +
                    'Page Up and Down go to the next other verdict.',
            ),
        ),
        panel,
        details('All states of this commit as a table', framesTable(film)),
    );
    return { node, start: () => go(frame, row) };
}
