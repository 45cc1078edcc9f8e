// A film, unpacked: its crash states in order, and what each importer makes of each.
import { data } from './model.js';
import { word } from './dom.js';

// [what, how many, ...] as one entry for each page.
const unroll = (runs) => {
    const list = [];
    for (let i = 0; i < runs.length; i += 2) {
        for (let k = 0; k < runs[i + 1]; k++) {
            list.push(runs[i]);
        }
    }
    return list;
};

export const isNear = (of) => /^\d+ \((acknowledged|in flight)\)$/.test(of);

export const belongings = [
    { key: 'both', letter: '·', name: 'both', help: 'the same in both snapshots' },
    { key: 'old', letter: 'o', name: 'old', help: 'as acknowledged' },
    { key: 'new', letter: 'n', name: 'new', help: 'as the commit in flight has it' },
    { key: 'older', letter: 'p', name: 'older', help: 'of an earlier snapshot' },
    { key: 'none', letter: '!', name: 'none', help: 'of no snapshot' },
    { key: 'absent', letter: '–', name: 'absent', help: 'the image does not have it' },
    { key: 'any', letter: '', name: 'does not count', help: 'SQLite does not define its content' },
];

export const belonging = (of) =>
    belongings.find(
        (b) =>
            b.key ===
            (of === 'both' || of === 'none' || of === 'absent'
                ? of
                : of.endsWith('(acknowledged)')
                  ? 'old'
                  : of.endsWith('(in flight)')
                    ? 'new'
                    : of.endsWith('(older)')
                      ? 'older'
                      : 'any'),
    );

export function openFilm(film) {
    const frames = film.frames.map(([point, cut, near, ...looks], index) => ({
        index,
        point,
        cut,
        near: film.near[near],
        looks: looks.map((i) => film.looks[i]),
        name: cut > 0 || film.choices?.[index] ? `${point}+${cut || film.choices[index]}` : String(point),
        loss: film.losses?.[index] ?? [],
    }));
    const same = new Map(); // frames by crash point: cuts stand side by side
    for (const frame of frames) {
        same.set(frame.point, [...(same.get(frame.point) ?? []), frame]);
    }
    for (const list of same.values()) {
        list.forEach((frame, i) => {
            frame.from = frame.point - 0.5 + i / list.length;
            frame.to = frame.point - 0.5 + (i + 1) / list.length;
        });
    }
    return { ...film, frames };
}

// The snapshot maps of a frame, as lists by database of texts.
const texts = (film, number) =>
    film.maps[number].map((runs) => unroll(runs).map((code) => film.texts[code >> 1]));

// Every page of the image: {database, page, role, of, wrong, told}; `told` are those that explain lists.
export function pagesOf(film, frame, look) {
    if (look.m === undefined) {
        return [];
    }
    const [old, now] = [texts(film, frame.near.old), texts(film, frame.near.new)];
    return film.maps[look.m].flatMap((runs, database) => {
        const roles = unroll(film.rolemaps[look.r][database]);
        return unroll(runs).map((code, i) => ({
            database: film.databases[database],
            page: i + 1,
            of: film.texts[code >> 1],
            role: film.roles[roles[i]],
            wrong: code % 2 === 1,
            told: code % 2 === 1 || isNear(old[database][i] ?? '') || isNear(now[database][i] ?? ''),
        }));
    });
}

export function snapshotsOf(film, frame) {
    const { acked, begun } = frame.near;
    const alone = `${acked} (acknowledged)`; // what the image's pages are said to be of, too
    const pages = (number) =>
        texts(film, number).flatMap((list, database) =>
            list.map((of, i) => ({
                database: film.databases[database],
                page: i + 1,
                role: '',
                wrong: false,
                of: of === 'both' && begun === acked ? alone : of,
            })),
        );
    const both = [{ title: `Snapshot ${acked}, acknowledged`, pages: pages(frame.near.old) }];
    if (begun !== acked) {
        both.push({ title: `Snapshot ${begun}, in flight`, pages: pages(frame.near.new) });
    }
    return both;
}

// A name as --importer takes it, and the command that tells a state's story.
export function explain(state, importer) {
    const item = importer.replaceAll(',', '\\,');
    const who = importer === 'abandon' ? '' : ` --importer ${word(item)}`;
    return `midcommit explain ${word(state)}${who}${data.identity.explain}`;
}
