import { select } from 'd3-selection';
import { answer, matrix } from './answer.js';
import { compared, findings, identity, losses, promises } from './lists.js';
import { data, filmCell, lookedAt, matches, plain, readHash, state, verdictOf, writeHash } from './model.js';
import { openFilm } from './film.js';
import { timeline } from './timeline.js';
import { h } from './dom.js';

// Second marks for colours: strokes over what is torn.
function patterns() {
    const svg = select(document.createElementNS('http://www.w3.org/2000/svg', 'svg'))
        .attr('width', 0)
        .attr('height', 0)
        .attr('aria-hidden', 'true')
        .attr('class', 'hidden');
    for (const [id, path] of [
        ['loud', 'M0,6L6,0'],
        ['silent', 'M0,0L6,6M0,6L6,0'],
    ]) {
        svg.append('pattern')
            .attr('id', `p-${id}`)
            .attr('width', 6)
            .attr('height', 6)
            .attr('patternUnits', 'userSpaceOnUse')
            .append('path')
            .attr('d', path)
            .attr('class', 'weave');
    }
    return svg.node();
}

const page = document.getElementById('page');
const shownFilms = () => data.films.filter((film) => matches(filmCell(film)));

// The film that was chosen, else that with the most silently torn states of the importer looked at; rather
// a whole transaction, and rather one of files with a journal.
function chosenFilm(importer) {
    const films = shownFilms();
    const torn = (film) => {
        const row = film.importers.indexOf(importer);
        const silent =
            row < 0 ? 0 : film.frames.filter((f) => film.looks[f[3 + row]].v === 'torn, silent').length;
        return silent > 0
            ? silent +
                  (film.whole ? 4000 : 0) +
                  (film.lanes[0] === 'store' ? 0 : 2000) +
                  (film.lanes.includes('main.db-journal') ? 1000 : 0)
            : 0;
    };
    return (
        films.find((film) => film.task === state.film) ??
        films.reduce((a, b) => (a && torn(a) >= torn(b) ? a : b), null)
    );
}

// Where a film opens: at the chosen state, else at the first of its worst.
function opened(film, importer) {
    const row = Math.max(film.importers.indexOf(importer), 0);
    const rank = (f) =>
        ['silent', 'loud', 'stale', 'blocked', 'refused', 'clean'].indexOf(verdictOf(f.looks[row].v).key);
    const frame =
        film.frames.find((f) => f.name === state.at) ??
        film.frames.reduce((a, b) => (rank(b) < rank(a) ? b : a));
    return { frame, row };
}

function inside(importer, width) {
    const films = shownFilms();
    const found = chosenFilm(importer);
    if (!found) {
        return data.films.length > 0 || plain.length === 0
            ? null
            : h(
                  'section',
                  { id: 'inside' },
                  h('h2', {}, 'Inside one commit'),
                  h(
                      'p',
                      {},
                      'This page was made from a file that has no timelines: they need what ' +
                          'run --results writes.',
                  ),
              );
    }
    const film = openFilm(found);
    const view = timeline(film, opened(film, importer), width, paper > 0, (frame, row) => {
        state.film = film.task;
        state.at = frame.name;
        if (film.importers[row] !== lookedAt()) {
            state.importer = film.importers[row];
        }
        writeHash();
    });
    const choice = h(
        'select',
        {
            id: 'film',
            onchange: (e) => {
                state.film = e.target.value;
                state.at = '';
                draw('film');
            },
        },
        films.map((f) => h('option', { value: f.task, selected: f === found }, f.task)),
    );
    const sql = film.statements.map(([, text]) => text).at(-1);
    const node = h(
        'section',
        { id: 'inside' },
        h('h2', {}, 'Inside one commit'),
        h(
            'p',
            {},
            'The operations of one transaction from left to right, one lane for each file, and below them ' +
                'what each importer makes of a crash at that point. The taller and darker, the worse.',
        ),
        h('div', { class: 'filters' }, h('label', {}, 'Commit of', choice)),
        sql ? h('pre', { class: 'sql' }, sql) : null,
        film.choices
            ? h(
                  'p',
                  { class: 'hint' },
                  'A power loss leaves too many states to show in a row: these are ' +
                      'the first of each finding, each with what is there of the writes that were pending.',
              )
            : null,
        film.whole
            ? null
            : h(
                  'p',
                  { class: 'hint' },
                  `Shown are elements ${film.first} to ${film.end}, the part ` +
                      'around the worst state; the transaction is longer.',
              ),
        view.node,
    );
    return { node, start: view.start };
}

let started = false;
let paper = 0; // while the page is printed, the width that fits a sheet

// Everything anew: data of one run are few enough.
function draw(focus) {
    const space = getComputedStyle(page);
    const width =
        paper ||
        Math.min(page.clientWidth - parseFloat(space.paddingLeft) - parseFloat(space.paddingRight), 1180);
    const importer = lookedAt();
    const scene = inside(importer, width);
    const scroll = scrollY;
    const open = (cell) => {
        const task = data.films.find((film) => {
            const own = filmCell(film);
            return ['workload', 'mode', 'sync', 'crash'].every((key) => own[key] === cell[key]);
        });
        state.film = task?.task ?? state.film;
        state.at = '';
        draw();
        document.getElementById('inside')?.scrollIntoView();
        document.getElementById('player')?.focus({ preventScroll: true });
    };
    const choose = (name) => {
        state.importer = name;
        state.at = '';
        draw();
    };
    page.replaceChildren(
        ...[
            patterns(),
            h('header', {}, h('p', { class: 'brand' }, 'midcommit'), h('p', {}, 'crash-consistency report')),
            answer(width, draw),
            compared(),
            matrix(width, importer, open, choose),
            scene?.node ?? scene,
            promises(),
            losses(width, open),
            findings(width),
            identity(),
        ].filter(Boolean),
    );
    if (started) {
        scrollTo(0, scroll);
        writeHash();
    }
    scene?.start?.();
    started = true;
    if (typeof focus === 'string') {
        document.getElementById(focus)?.focus({ preventScroll: true });
    }
}

readHash();
draw();
addEventListener('hashchange', () => {
    readHash();
    draw();
});
addEventListener('beforeprint', () => {
    paper = 680;
    draw();
});
addEventListener('afterprint', () => {
    paper = 0;
    draw();
});
let last = page.clientWidth;
addEventListener('resize', () => {
    if (page.clientWidth !== last && !paper) {
        last = page.clientWidth;
        draw();
    }
});
