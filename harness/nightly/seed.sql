-- A database of a few small pages: its crash states are what fuzzers start from that have nothing else.
CREATE TABLE t(a INTEGER PRIMARY KEY, b);
INSERT INTO t VALUES (1, printf('%0400d', 1)), (2, printf('%0400d', 2)), (3, printf('%0400d', 3)),
                     (4, printf('%0400d', 4)), (5, printf('%0400d', 5)), (6, printf('%0400d', 6));
-- @program
UPDATE t SET b = printf('%0400d', a + 100);
