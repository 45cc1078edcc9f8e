// Elements. Text goes in as text only: nothing from a run is ever markup here.

export function h(name, attributes = {}, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
        if (key.startsWith('on')) {
            element.addEventListener(key.slice(2), value);
        } else if (value !== null && value !== undefined && value !== false) {
            element.setAttribute(key, value === true ? '' : value);
        }
    }
    element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
    return element;
}

export const count = (n) => n.toLocaleString('en-US');

export function share(part, all) {
    if (part === 0 || all === 0) {
        return '0 %';
    }
    const percent = (100 * part) / all;
    if (part === all) {
        return '100 %';
    }
    return percent < 0.1
        ? '< 0.1 %'
        : percent > 99.9
          ? '> 99.9 %'
          : `${percent.toFixed(percent < 10 ? 1 : 0)} %`;
}

// head: [{text, number}], rows: lists of texts, numbers or elements.
export function table(caption, head, rows, attributes = {}) {
    const cell = (value, i) => {
        const column = head[i];
        const text = typeof value === 'number' ? count(value) : value;
        const content = value instanceof Node ? value : String(text ?? '');
        return i === 0
            ? h('th', { scope: 'row', class: column.number ? 'n' : null }, content)
            : h('td', { class: column.number ? 'n' : null }, content);
    };
    return h(
        'div',
        { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption },
        h(
            'table',
            attributes,
            h('caption', {}, caption),
            h(
                'thead',
                {},
                h(
                    'tr',
                    {},
                    head.map((c) => h('th', { scope: 'col', class: c.number ? 'n' : null }, c.text)),
                ),
            ),
            h(
                'tbody',
                {},
                rows.map((row) => h('tr', {}, row.map(cell))),
            ),
        ),
    );
}

export const details = (summary, ...children) => h('details', {}, h('summary', {}, summary), children);

// A command to copy; where the clipboard is closed, it is selected instead.
export function command(text, label) {
    const code = h('code', {}, text);
    const button = h('button', { type: 'button', class: 'copy', 'aria-label': `Copy: ${label}` }, 'Copy');
    button.addEventListener('click', async () => {
        try {
            await navigator.clipboard.writeText(text);
            button.textContent = 'Copied';
        } catch {
            getSelection().selectAllChildren(code);
            button.textContent = 'Selected';
        }
        setTimeout(() => {
            button.textContent = 'Copy';
        }, 1500);
    });
    return h('div', { class: 'command' }, code, button);
}

// One word of a POSIX shell.
export const word = (text) =>
    /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
