CREATE TABLE main.t(id INTEGER PRIMARY KEY, version INTEGER, data TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 342) INSERT INTO main.t SELECT i, 0, replace(printf('%.*c', 73, 'x'), 'x', printf('%08x', (i * 2654435761 + 0 * 40503) & 4294967295)) FROM n;
-- @program
UPDATE t SET version = 1, data = replace(printf('%.*c', 73, 'x'), 'x', printf('%08x', (id * 2654435761 + 1 * 40503) & 4294967295)) WHERE id % 7 = 0;
