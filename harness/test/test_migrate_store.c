/* test_migrate_store.c: LMDB on both sides of `midcommit migrate`: reading v1 request by request,
 * the v2 store's layout, damaged environments, and the sweep. */
#include "harness/test/migrating.h"

#include "harness/migrate/source.h"

/* A store with everything in it: main, a chunk of main beyond its size, a stale journal, journal
 * chunks without metadata beside an shm, a key of an odd length, and keys of other owners around
 * them. */
typedef struct fixture {
    mc_arena arena;
    mc_kvstore store;   /* all v1 pairs */
    mc_kvstore remains; /* those that a sweep leaves */
} fixture;

static const char *const others[] = {"\x07zz", "\x08", "\x08\x01", "\x08\x02\x00", "zz"};
enum { OTHERS = sizeof others / sizeof others[0] };
static const size_t other_sizes[OTHERS] = {3, 1, 2, 3, 2};

static fixture make_fixture(void)
{
    fixture f = {.arena = {.limit_bytes = (size_t)8 << 20}};
    static const uint8_t some[50] = {0, 1, 2};
    static const uint8_t odd[5] = {8, 1, 1, 0, 9};
    make_db(in_folder("main.db"), 4096);
    put_file(&f.remains, &f.arena, MC_V1_MAIN, in_folder("main.db"));
    assert_true(mc_kvstore_put(&f.remains, odd, sizeof odd, some, 1));
    assert_true(mc_kvstore_copy(&f.store, &f.remains));
    put_chunk(&f.store, MC_V1_MAIN, 1000, some, sizeof some);
    put_metadata(&f.store, &f.arena, MC_V1_JOURNAL, sizeof some);
    put_chunk(&f.store, MC_V1_JOURNAL, 0, some, sizeof some);
    put_chunk(&f.store, MC_V1_JOURNAL, 70000, some, 0);
    put_chunk(&f.store, MC_V1_WAL, 3, some, sizeof some);
    put_metadata(&f.store, &f.arena, MC_V1_SHM, 0);
    return f;
}

enum { ORPHAN_KEYS = 6, ORPHAN_BYTES = 8 + 50 + 14 + 8 + 50 + 8 + 8 + 50 + 14 };

static void free_fixture(fixture *f)
{
    mc_kvstore_free(&f->store);
    mc_kvstore_free(&f->remains);
    mc_arena_free(&f->arena);
}

static void save_with_others(const mc_kvstore *store, const char *dir)
{
    save_lmdb(store, dir);
    lmdb l = lmdb_begin(dir, true);
    for (int i = 0; i < OTHERS; i++) {
        lmdb_put(&l, others[i], other_sizes[i], "other", 5);
    }
    lmdb_end(&l);
}

/* ---- reading ---- */

typedef struct listing {
    uint32_t pairs;
    uint32_t next;
    uint64_t requests;
    uint8_t key[8];
} listing;

static mc_status list_numbered(void *context, mc_bytes after, uint32_t limit, mc_pair *pair,
                               uint32_t *count, mc_error *error)
{
    (void)error;
    static uint8_t keys[512][8];
    listing *l = context;
    l->requests++;
    assert_int_equal(after.size, l->next == 0 ? 0 : 8);
    if (l->next > 0) {
        assert_memory_equal(after.data, keys[l->next - 1], 8); /* from where the last one ended */
    }
    *count = 0;
    while (*count < limit && l->next < l->pairs) {
        mc_v1_chunk_key(keys[l->next], MC_V1_MAIN, l->next);
        pair[(*count)++] = (mc_pair){keys[l->next], keys[l->next], 8, 8};
        l->next++;
    }
    return MC_OK;
}

static void test_reader_asks_for_no_key_twice(void **state)
{
    /* Promise: requests of 128 keys, each from where the one before ended, and as few as that
     * takes. */
    (void)state;
    static const uint32_t sizes[] = {0, 1, 127, 128, 129, 255, 256, 500};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        listing l = {.pairs = sizes[i]};
        mc_arena arena = {.limit_bytes = 1 << 20};
        mc_store store = {0};
        uint64_t requests;
        mc_error error;
        assert_int_equal(
            mc_source_read_v1(list_numbered, &l, "numbered", &arena, &store, &requests, &error),
            MC_OK);
        assert_int_equal(store.count, sizes[i]);
        assert_int_equal(requests, sizes[i] / 128 + 1);
        assert_int_equal(l.requests, requests);
        for (uint32_t k = 0; k < sizes[i]; k++) {
            assert_int_equal(mc_bytes_get_be32(store.pair[k].key + 4), k);
            assert_memory_equal(store.pair[k].value, store.pair[k].key, 8);
        }
        mc_arena_free(&arena);
    }
}

static mc_status list_same_again(void *context, mc_bytes after, uint32_t limit, mc_pair *pair,
                                 uint32_t *count, mc_error *error)
{
    listing *l = context;
    l->next = 0;
    (void)after;
    return list_numbered(context, (mc_bytes){NULL, 0}, limit, pair, count, error);
}

static void test_reader_refuses_a_store_that_repeats_itself(void **state)
{
    /* Promise: a store that answers with keys that do not follow is malformed, and reading it ends.
     */
    (void)state;
    listing l = {.pairs = 500};
    mc_arena arena = {.limit_bytes = 1 << 20};
    mc_store store = {0};
    uint64_t requests;
    mc_error error;
    assert_int_equal(
        mc_source_read_v1(list_same_again, &l, "circle", &arena, &store, &requests, &error),
        MC_MALFORMED);
    assert_string_equal(error.reason, "key-order");
    mc_arena_free(&arena);
}

static void test_lmdb_and_dump_are_one(void **state)
{
    /* Promise: a store gives the same result as a dump and as an environment, and no other key
     * counts. */
    (void)state;
    fixture f = make_fixture();
    save_with_others(&f.store, in_folder("v1"));
    save_dump(&f.store, in_folder("kv.jsonl"));
    char *before = lmdb_text(in_folder("v1"));
    ran lmdb_run;
    ran dump_run;
    migrate(&lmdb_run, "--from-lmdb", in_folder("v1"), "--to-file", in_folder("a.db"), "--json",
            "-", NULL);
    migrate(&dump_run, "--from-kv", in_folder("kv.jsonl"), "--json", "-", NULL);
    assert_outcome(&lmdb_run, "imported", "null", "stale-sidecar");
    assert_string_equal(lmdb_run.out, dump_run.out);
    assert_same_file(in_folder("a.db"), in_folder("main.db"));
    json_t *object = json_of(&lmdb_run);
    assert_int_equal(number_at(json_object_get(object, "input"), "orphan_bytes"), ORPHAN_BYTES);
    json_decref(object);
    char *after = lmdb_text(in_folder("v1"));
    assert_string_equal(after, before);
    free(before);
    free(after);
    free_fixture(&f);
}

static void test_lmdb_is_read_in_several_requests(void **state)
{
    /* Promise: a real store of more pairs than one request takes is the same from LMDB. */
    (void)state;
    mc_arena arena = {.limit_bytes = (size_t)8 << 20};
    mc_kvstore store = {0};
    mc_error error;
    const char *dump = corpus("big_then_close_k0001");
    assert_int_equal(mc_dump_read(dump, &arena, &store, &error), MC_OK);
    assert_true(store.count > 128);
    save_with_others(&store, in_folder("v1"));
    ran lmdb_run;
    ran dump_run;
    migrate(&lmdb_run, "--from-lmdb", in_folder("v1"), "--json", "-", NULL);
    migrate(&dump_run, "--from-kv", dump, "--json", "-", NULL);
    assert_outcome(&lmdb_run, "imported", "null", "stale-sidecar");
    assert_string_equal(lmdb_run.out, dump_run.out);
    mc_kvstore_free(&store);
    mc_arena_free(&arena);
}

/* ---- the v2 store ---- */

static void test_v2_layout(void **state)
{
    /* Promise: head, delta chunks of 10,000 bytes and page index lie where the header says, and the
     * chunks in a row are the file that --to-ltx writes. */
    (void)state;
    sqlite3 *db = open_db(in_folder("main.db"));
    sql(db,
        "CREATE TABLE t(a); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<9)"
        "INSERT INTO t SELECT randomblob(4000) FROM n;");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    ran r;
    migrate(&r, "--from-files", in_folder("main.db"), "--to-v2", in_folder("v2"), "--to-ltx",
            in_folder("out.ltx"), "--json", "-", NULL);
    json_t *object = json_of(&r);
    long long pages = number_at(object, "pages");
    json_decref(object);
    bytes ltx = read_bytes(in_folder("out.ltx"));
    size_t chunks = (ltx.size + 9999) / 10000;
    assert_true(chunks >= 3);
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    for (size_t i = 0; i < chunks; i++) {
        (void)fprintf(out, "64656c7461%016x%08zx=", 1, i);
        for (size_t at = i * 10000; at < ltx.size && at < (i + 1) * 10000; at++) {
            (void)fprintf(out, "%02x", ltx.data[at]);
        }
        (void)fputc('\n', out);
    }
    (void)fprintf(out, "68656164=%016x%08llx\n", 1, (unsigned long long)pages);
    for (long long i = 1; i <= pages; i++) {
        (void)fprintf(out, "70616765%08llx=%016x\n", (unsigned long long)i, 1);
    }
    (void)fclose(out);
    char *found = lmdb_text(in_folder("v2"));
    assert_string_equal(found, text);
    free(text);
    free(found);
    free(ltx.data);
}

static void test_what_no_head_leads_to_does_not_stay(void **state)
{
    /* Promise: pages and chunks in a store without head are not mixed into the database that is
     * stored. */
    (void)state;
    static const uint8_t page[8] = {'p', 'a', 'g', 'e', 0, 0, 0xff, 0xff};
    lmdb l = lmdb_begin(in_folder("v2"), true);
    lmdb_put(&l, "delta\0\0\0\0\0\0\0\1\0\0\0\7", 17, "left", 4);
    lmdb_put(&l, page, sizeof page, "left", 4);
    lmdb_put(&l, "own", 3, "data", 4);
    lmdb_end(&l);
    make_db(in_folder("main.db"), 4096);
    ran r;
    migrate(&r, "--from-files", in_folder("main.db"), "--to-v2", in_folder("v2"), NULL);
    assert_int_equal(r.status, 0);
    assert_v2_holds(in_folder("v2"), in_folder("main.db"));
    char *text = lmdb_text(in_folder("v2"));
    assert_non_null(strstr(text, "6f776e=64617461\n"));
    free(text);
}

static void test_reading_back_sees_every_damage(void **state)
{
    /* Promise: what mc_v2store_read takes is one whole database; each part missing or changed is
     * named. */
    (void)state;
    static const struct {
        const char *key;
        size_t key_size;
        const char *value; /* null: delete */
        size_t value_size;
    } damages[] = {
        {"head", 4, "\0\0\0\0\0\0\0\1\0\0\0\1", 12},
        {"head", 4, "\0\0\0\0\0\0\0\2\0\0\0\1", 12},
        {"head", 4, "x", 1},
        {"delta\0\0\0\0\0\0\0\1\0\0\0\0", 17, NULL, 0},
        {"delta\0\0\0\0\0\0\0\1\0\0\0\0", 17, "LTX1", 4},
        {"delta\0\0\0\0\0\0\0\1\0\0\0\1", 17, "more", 4},
        {"delta\0\0\0\0\0\0\0\2\0\0\0\0", 17, "more", 4},
        {"page\0\0\0\1", 8, NULL, 0},
        {"page\0\0\0\2", 8, "\0\0\0\0\0\0\0\2", 8},
        {"page\0\1\0\0", 8, "\0\0\0\0\0\0\0\1", 8},
    };
    make_db(in_folder("main.db"), 4096);
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        ran r;
        migrate(&r, "--from-files", in_folder("main.db"), "--to-v2", in_folder("v2"), NULL);
        assert_int_equal(r.status, 0);
        assert_v2_holds(in_folder("v2"), in_folder("main.db"));
        lmdb l = lmdb_begin(in_folder("v2"), true);
        MDB_val key = {damages[i].key_size, (void *)(uintptr_t)damages[i].key};
        if (damages[i].value == NULL) {
            assert_int_equal(mdb_del(l.txn, l.dbi, &key, NULL), 0);
        } else {
            lmdb_put(&l, damages[i].key, damages[i].key_size, damages[i].value,
                     damages[i].value_size);
        }
        lmdb_end(&l);
        mc_arena arena = {.limit_bytes = 1 << 20};
        mc_v2head head;
        mc_ltx ltx;
        mc_error error;
        assert_int_equal(mc_v2store_read(in_folder("v2"), &arena, &head, &ltx, &error),
                         MC_MALFORMED);
        mc_arena_free(&arena);
        remove_tree(in_folder("v2"));
    }
}

static void test_reading_back_wants_chunks_of_one_size(void **state)
{
    /* Promise: a delta in other pieces than 10,000 bytes is not the layout, though its bytes are
     * right. */
    (void)state;
    make_db(in_folder("main.db"), 4096);
    ran r;
    migrate(&r, "--from-files", in_folder("main.db"), "--to-v2", in_folder("v2"), "--to-ltx",
            in_folder("out.ltx"), NULL);
    assert_int_equal(r.status, 0);
    bytes ltx = read_bytes(in_folder("out.ltx"));
    assert_true(ltx.size > 100 && ltx.size < MC_V2_CHUNK_BYTES);
    lmdb l = lmdb_begin(in_folder("v2"), true);
    lmdb_put(&l, "delta\0\0\0\0\0\0\0\1\0\0\0\0", 17, ltx.data, 100);
    lmdb_put(&l, "delta\0\0\0\0\0\0\0\1\0\0\0\1", 17, ltx.data + 100, ltx.size - 100);
    lmdb_end(&l);
    mc_arena arena = {.limit_bytes = 1 << 20};
    mc_v2head head;
    mc_ltx out;
    mc_error error;
    assert_int_equal(mc_v2store_read(in_folder("v2"), &arena, &head, &out, &error), MC_MALFORMED);
    mc_arena_free(&arena);
    free(ltx.data);
}

static void test_reading_back_wants_the_delta_of_the_head(void **state)
{
    /* Promise: a delta that says another txid than the key it lies under is not taken. */
    (void)state;
    make_db(in_folder("main.db"), 4096);
    ran r;
    migrate(&r, "--from-files", in_folder("main.db"), "--to-v2", in_folder("v2"), "--to-ltx",
            in_folder("out.ltx"), NULL);
    assert_int_equal(r.status, 0);
    bytes ltx = read_bytes(in_folder("out.ltx"));
    uint32_t pages = mc_bytes_get_be32(ltx.data + 12);
    lmdb l = lmdb_begin(in_folder("v2"), true);
    assert_int_equal(mdb_drop(l.txn, l.dbi, 0), 0);
    uint8_t head[12] = {0, 0, 0, 0, 0, 0, 0, 2};
    mc_bytes_put_be32(head + 8, pages);
    lmdb_put(&l, "head", 4, head, sizeof head);
    lmdb_put(&l, "delta\0\0\0\0\0\0\0\2\0\0\0\0", 17, ltx.data, ltx.size);
    for (uint32_t i = 1; i <= pages; i++) {
        uint8_t key[8] = "page";
        mc_bytes_put_be32(key + 4, i);
        lmdb_put(&l, key, sizeof key, head, 8);
    }
    lmdb_end(&l);
    mc_arena arena = {.limit_bytes = 1 << 20};
    mc_v2head found;
    mc_ltx out;
    mc_error error;
    assert_int_equal(mc_v2store_read(in_folder("v2"), &arena, &found, &out, &error), MC_MALFORMED);
    assert_string_equal(error.reason, "v2-store");
    mc_arena_free(&arena);
    free(ltx.data);
}

static void test_the_writer_looks_for_a_head_itself(void **state)
{
    /* Promise: a head that came between the look and the transaction is not written over. */
    (void)state;
    make_db(in_folder("main.db"), 4096);
    ran r;
    migrate(&r, "--from-files", in_folder("main.db"), "--to-v2", in_folder("v2"), NULL);
    assert_int_equal(r.status, 0);
    char *before = lmdb_text(in_folder("v2"));
    bool skipped = false;
    mc_error error;
    mc_bytes other = {(const uint8_t *)"other", 5};
    assert_int_equal(mc_v2store_import(in_folder("v2"), other, 1, &skipped, &error), MC_OK);
    assert_true(skipped);
    char *after = lmdb_text(in_folder("v2"));
    assert_string_equal(after, before);
    free(before);
    free(after);
}

/* ---- damaged environments ---- */

static void check_damaged(const char *what)
{
    ran r;
    migrate(&r, "--from-lmdb", in_folder("bad"), "--to-file", in_folder("out.db"), NULL);
    if (r.status != 3 || count_lines(r.err) != 1) {
        fail_msg("%s: as a source: status %d, \"%s\"", what, r.status, r.err);
    }
    migrate(&r, "--from-files", in_folder("main.db"), "--to-v2", in_folder("bad"), NULL);
    if (r.status != 3 || count_lines(r.err) != 1) {
        fail_msg("%s: as a target: status %d, \"%s\"", what, r.status, r.err);
    }
}

static void test_damaged_environments_are_an_error(void **state)
{
    /* Promise: an environment that is cut short or spoilt ends in one line of error, though LMDB
     * itself would end the process. */
    (void)state;
    (void)setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* what LMDB held is lost (lmdbenv.h) */
    fixture f = make_fixture();
    save_lmdb(&f.store, in_folder("v1"));
    bytes whole = read_bytes(in_folder("v1/data.mdb"));
    assert_int_equal(mkdir(in_folder("bad"), 0700), 0);
    /* LMDB's two meta pages and none of what they lead to, at most: of a cut further back only that
     * is noticed which is read. */
    static const size_t cuts[] = {1, 4095, 4096, 8191, 8192};
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        write_bytes(in_folder("bad/data.mdb"), whole.data, cuts[i]);
        check_damaged("cut");
    }
    for (size_t at = 8192; at < whole.size; at++) {
        whole.data[at] = 0xff;
    }
    write_bytes(in_folder("bad/data.mdb"), whole.data, whole.size);
    check_damaged("spoilt");
    memset(whole.data, 0, whole.size);
    write_bytes(in_folder("bad/data.mdb"), whole.data, whole.size);
    check_damaged("zeros");
    assert_int_equal(count_names("out.db"), 0);
    free(whole.data);
    free_fixture(&f);
}

static void test_duplicate_keys_are_no_v1_store(void **state)
{
    /* Promise: a main database with flags, here with several values a key, is not taken for v1. */
    (void)state;
    lmdb l;
    assert_int_equal(mkdir(in_folder("dup"), 0700), 0);
    assert_int_equal(mdb_env_create(&l.env), 0);
    assert_int_equal(mdb_env_open(l.env, in_folder("dup"), 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(l.env, NULL, 0, &l.txn), 0);
    assert_int_equal(mdb_dbi_open(l.txn, NULL, MDB_DUPSORT, &l.dbi), 0);
    lmdb_put(&l, "\x08\x01\x00\x00", 4, "1234567890", 10);
    lmdb_end(&l);
    ran r;
    migrate(&r, "--from-lmdb", in_folder("dup"), NULL);
    assert_error(&r, 3, "flags");
}

/* ---- the sweep ---- */

/* The environment `dir` holds what `store` and the others are. */
static void assert_env_is(const char *dir, const mc_kvstore *store)
{
    save_with_others(store, in_folder("expected"));
    char *expected = lmdb_text(in_folder("expected"));
    char *found = lmdb_text(dir);
    assert_string_equal(found, expected);
    free(expected);
    free(found);
    remove_tree(in_folder("expected"));
}

static void test_sweep_deletes_exactly_the_orphans(void **state)
{
    /* Promise: after a migration --sweep deletes each orphan and no other key, and says how many.
     */
    (void)state;
    fixture f = make_fixture();
    save_with_others(&f.store, in_folder("v1"));
    ran r;
    migrate(&r, "--from-lmdb", in_folder("v1"), "--to-v2", in_folder("v2"), "--json", "-", NULL);
    assert_outcome(&r, "imported", "null", "stale-sidecar");
    assert_env_is(in_folder("v1"), &f.store);
    remove_tree(in_folder("v2"));
    migrate(&r, "--from-lmdb", in_folder("v1"), "--to-v2", in_folder("v2"), "--sweep", "--json",
            "-", NULL);
    assert_outcome(&r, "imported", "null", "stale-sidecar");
    json_t *object = json_of(&r);
    const json_t *swept = json_object_get(object, "swept");
    assert_int_equal(number_at(swept, "keys"), ORPHAN_KEYS);
    assert_int_equal(number_at(swept, "bytes"), ORPHAN_BYTES);
    json_decref(object);
    assert_env_is(in_folder("v1"), &f.remains);
    migrate(&r, "--from-lmdb", in_folder("v1"), "--json", "-", NULL);
    assert_outcome(&r, "imported", "null", "clean");
    free_fixture(&f);
}

static void test_no_sweep_without_a_migration(void **state)
{
    /* Promise: what was refused, failed, or skipped for another database is not swept. */
    (void)state;
    fixture f = make_fixture();
    save_with_others(&f.store, in_folder("v1"));
    ran r;
    migrate(&r, "--from-lmdb", in_folder("v1"), "--policy", "reject", "--to-v2", in_folder("v2"),
            "--sweep", "--json", "-", NULL);
    assert_outcome(&r, "refused", "journal-exists", "stale-sidecar");
    assert_env_is(in_folder("v1"), &f.store);
    migrate(&r, "--from-lmdb", in_folder("v1"), "--to-file", in_folder("none/out"), "--sweep",
            NULL);
    assert_error(&r, 3, "none/out");
    assert_env_is(in_folder("v1"), &f.store);
    migrate(&r, "--from-kv", corpus("one_page_k0001"), "--to-v2", in_folder("v2"), NULL);
    assert_int_equal(r.status, 0);
    migrate(&r, "--from-lmdb", in_folder("v1"), "--to-v2", in_folder("v2"), "--sweep", "--json",
            "-", NULL);
    assert_outcome(&r, "skipped", "v2-has-head", "stale-sidecar");
    assert_env_is(in_folder("v1"), &f.store);
    migrate(&r, "--from-lmdb", in_folder("v1"), "--to-v2", in_folder("v1"), "--sweep", NULL);
    assert_error(&r, 2, "source");
    assert_env_is(in_folder("v1"), &f.store);
    free_fixture(&f);
}

static void test_a_sweep_that_was_missed_is_made_up_for(void **state)
{
    /* Promise: when v2 holds exactly this database already, as after a kill between the two, a
     * skipped migration sweeps. */
    (void)state;
    fixture f = make_fixture();
    save_with_others(&f.store, in_folder("v1"));
    ran r;
    migrate(&r, "--from-lmdb", in_folder("v1"), "--to-v2", in_folder("v2"), NULL);
    assert_int_equal(r.status, 0);
    migrate(&r, "--from-lmdb", in_folder("v1"), "--to-v2", in_folder("v2"), "--sweep", "--json",
            "-", NULL);
    assert_outcome(&r, "skipped", "v2-has-head", "stale-sidecar");
    assert_env_is(in_folder("v1"), &f.remains);
    free_fixture(&f);
}

static void test_sweep_notices_a_changed_store(void **state)
{
    /* Promise: when a v1 pair was put, changed or deleted since it was read, nothing is swept. */
    (void)state;
    for (int change = 0; change < 5; change++) {
        fixture f = make_fixture();
        save_with_others(&f.store, in_folder("v1"));
        mc_source source;
        mc_error error;
        assert_int_equal(
            mc_source_open(&source, MC_SOURCE_LMDB, in_folder("v1"), (uint64_t)1 << 24, &error),
            MC_OK);
        static const uint8_t late[8] = {8, 1, 1, 3, 0, 0, 0, 9};
        static const uint8_t shorter[2] = {0, 1};
        uint8_t last[MC_V1_CHUNK_KEY_BYTES];
        uint8_t key[MC_V1_METADATA_KEY_BYTES];
        mc_v1_metadata_key(key, MC_V1_JOURNAL);
        if (change == 0) {
            assert_true(mc_kvstore_put(&f.store, late, sizeof late, late, 4));
        } else if (change == 1) {
            put_metadata(&f.store, &f.arena, MC_V1_JOURNAL, 51);
        } else if (change == 2) {
            mc_kvstore_delete(&f.store, key, sizeof key);
        } else if (change == 3) {
            mc_v1_chunk_key(last, MC_V1_WAL, 3);
            mc_kvstore_delete(&f.store, last, sizeof last);
        } else {
            put_chunk(&f.store, MC_V1_WAL, 3, shorter, 2);
        }
        remove_tree(in_folder("v1"));
        save_with_others(&f.store, in_folder("v1"));
        size_t keys;
        uint64_t size;
        assert_int_equal(mc_source_sweep(&source, &keys, &size, &error), MC_IO);
        assert_string_equal(error.reason, "changed");
        mc_source_close(&source);
        assert_env_is(in_folder("v1"), &f.store);
        remove_tree(in_folder("v1"));
        free_fixture(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reader_asks_for_no_key_twice),
        cmocka_unit_test(test_reader_refuses_a_store_that_repeats_itself),
        IN_FOLDER(test_lmdb_and_dump_are_one),
        IN_FOLDER(test_lmdb_is_read_in_several_requests),
        IN_FOLDER(test_v2_layout),
        IN_FOLDER(test_what_no_head_leads_to_does_not_stay),
        IN_FOLDER(test_reading_back_sees_every_damage),
        IN_FOLDER(test_reading_back_wants_chunks_of_one_size),
        IN_FOLDER(test_reading_back_wants_the_delta_of_the_head),
        IN_FOLDER(test_the_writer_looks_for_a_head_itself),
        IN_FOLDER(test_damaged_environments_are_an_error),
        IN_FOLDER(test_duplicate_keys_are_no_v1_store),
        IN_FOLDER(test_sweep_deletes_exactly_the_orphans),
        IN_FOLDER(test_no_sweep_without_a_migration),
        IN_FOLDER(test_a_sweep_that_was_missed_is_made_up_for),
        IN_FOLDER(test_sweep_notices_a_changed_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
