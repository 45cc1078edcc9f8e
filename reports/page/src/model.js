// What the page knows: the document in it, and the reader's choices, which live in the URL.

export const data = JSON.parse(document.getElementById('data').textContent);

export const verdicts = [
    { key: 'clean', letter: 'c', name: 'clean', help: 'exactly what was committed' },
    { key: 'stale', letter: 's', name: 'stale', help: 'acknowledged commits are lost' },
    { key: 'loud', letter: 't', name: 'torn, loud', help: 'equals no commit, and a check notices' },
    { key: 'silent', letter: 'T', name: 'torn, silent', help: 'equals no commit, and no check notices' },
    { key: 'blocked', letter: 'b', name: 'blocked', help: 'refused, though SQLite recovers it' },
    { key: 'refused', letter: 'r', name: 'refused', help: 'refused, and SQLite cannot recover it' },
];

// "torn, silent" and "blocked: journal-exists" as they stand in stories.
export function verdictOf(text) {
    const word = text.split(/[,:]/)[0];
    const key = word === 'torn' ? (text === 'torn, silent' ? 'silent' : 'loud') : word;
    return verdicts.find((v) => v.key === key);
}

export const cells = data.cells.rows.map((row) => {
    const cell = Object.fromEntries(data.cells.keys.map((key, i) => [key, row[i]]));
    cell.sidecars = cell.sidecars ?? 'as-is';
    cell.loud = cell.torn - cell.silent;
    return cell;
});
export const plain = cells.filter((cell) => !cell.power);
export const lost = cells.filter((cell) => cell.power);
export const importers = [...new Set(cells.map((cell) => cell.importer))];

export const axes = [
    { key: 'workload', name: 'Workload', hash: 'w' },
    { key: 'mode', name: 'Journal mode', hash: 'm' },
    { key: 'crash', name: 'Crash model', hash: 'c' },
    { key: 'sync', name: 'Synchronous', hash: 's' },
    { key: 'sidecars', name: 'Sidecars', hash: 'x' },
].map((axis) => ({ ...axis, values: [...new Set(plain.map((cell) => cell[axis.key]))] }));

const asIs = axes.at(-1).values.length > 1 && axes.at(-1).values.includes('as-is');

// What is chosen: filters by axis; the importer looked at; the film and the state in it.
export const state = {};

export function readHash() {
    const hash = new URLSearchParams(location.hash.slice(1));
    for (const axis of axes) {
        const value = hash.get(axis.hash);
        state[axis.key] = axis.values.includes(value) ? value : '';
    }
    // Mistakes with sidecars are looked at when they are asked for: x=all, or one.
    if (asIs && !state.sidecars && hash.get('x') !== 'all') {
        state.sidecars = 'as-is';
    }
    state.importer = importers.includes(hash.get('i')) ? hash.get('i') : '';
    state.film = hash.get('f') ?? '';
    state.at = hash.get('at') ?? '';
}

export function writeHash() {
    const hash = new URLSearchParams();
    for (const axis of axes) {
        if (state[axis.key]) {
            hash.set(axis.hash, state[axis.key]);
        } else if (asIs && axis.key === 'sidecars') {
            hash.set(axis.hash, 'all');
        }
    }
    for (const [key, value] of [
        ['i', state.importer],
        ['f', state.film],
        ['at', state.at],
    ]) {
        if (value) {
            hash.set(key, value);
        }
    }
    history.replaceState(null, '', `#${hash}`);
}

export const matches = (cell, but) =>
    axes.every((axis) => axis.key === but || !state[axis.key] || cell[axis.key] === state[axis.key]);

export function sum(some) {
    const total = { states: 0 };
    for (const verdict of verdicts) {
        total[verdict.key] = some.reduce((n, cell) => n + cell[verdict.key], 0);
    }
    total.states = some.reduce((n, cell) => n + cell.states, 0);
    total.torn = total.loud + total.silent;
    return total;
}

export const sums = (some) =>
    importers
        .map((importer) => ({ importer, ...sum(some.filter((c) => c.importer === importer)) }))
        .filter((row) => row.states > 0);

// The worst importer is looked at unless another was chosen.
export function lookedAt() {
    const rows = sums(plain.filter((cell) => matches(cell)));
    const worst = rows.reduce((a, b) => (b.torn > (a?.torn ?? 0) ? b : a), null);
    const lose = lost.reduce((a, b) => (b.torn > (a?.torn ?? 0) ? b : a), null);
    return state.importer || worst?.importer || rows[0]?.importer || lose?.importer || importers[0];
}

// Which cell a film is of: a build of the v1 VFS belongs to the crash model kv.
export function filmCell(film) {
    const parts = film.task.split('/');
    const [mode, sync, crash] = parts.slice(-3);
    return {
        workload: parts.slice(0, -3).join('/'),
        mode,
        sync,
        sidecars: 'as-is',
        crash: crash.startsWith('power:') ? crash : crash.split(':')[0],
    };
}
