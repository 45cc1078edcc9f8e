/* test_migrate.c: what `midcommit migrate` makes of real dumps, of the field's own cases, of files
 * with sidecars, and of input and targets that are not what they should be. The program is run as
 * users run it. */
#include "harness/test/migrating.h"

/* One real dump: its state, what `abandon` says (`reject` says the same where there is no sidecar,
 * and "journal-exists" where there is one), and whether abandon's pages are those of recovery. */
static const struct real_dump {
    const char *name;
    const char *state;
    bool journal;
    const char *abandon_reason;
    bool abandon_is_right;
    int requests; /* pairs / 128 + 1 */
} DUMPS[] = {
    {"big_grow_200_k0009", "hot-journal", true, "null", true, 1},
    {"big_then_close_k0001", "stale-sidecar", true, "null", true, 2},
    {"cachespill_k0018", "stale-sidecar", true, "null", true, 1},
    {"crash_in_recovery_k0136", "stale-sidecar", true, "null", true, 2},
    {"drop_table_k0003", "clean", false, "chunk-count", false, 1},
    {"grow_10_k0001", "clean", false, "null", true, 1},
    {"grow_then_free_k0001", "clean", false, "chunk-count", false, 1},
    {"one_page_k0001", "clean", false, "null", true, 1},
    {"vacuum_journal_k0036", "hot-journal", true, "null", false, 1},
    {"vacuum_k0002", "clean", false, "chunk-count", false, 1},
};
enum { DUMP_COUNT = sizeof DUMPS / sizeof DUMPS[0], SHA256_DIGITS = 64 };

/* What the real VFS recovered the dump to, from its first line. */
static void expected_sha256(const struct real_dump *dump, char out[SHA256_DIGITS + 1])
{
    FILE *file = fopen(corpus(dump->name), "r");
    assert_non_null(file);
    json_t *line = json_loadf(file, JSON_DISABLE_EOF_CHECK, NULL);
    (void)fclose(file);
    const json_t *recovery = json_object_get(json_object_get(line, "meta"), "v1_recovery");
    const char *sha256 = text_at(recovery, "main_image_sha256");
    assert_int_equal(strlen(sha256), SHA256_DIGITS);
    memcpy(out, sha256, SHA256_DIGITS + 1);
    json_decref(line);
}

/* By the machine's sha256sum: no line of ours is between the file and the sum. */
static void sha256_of(const char *path, char out[SHA256_DIGITS + 1])
{
    char command[4700];
    (void)snprintf(command, sizeof command, "sha256sum '%s'", path);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_int_equal(fread(out, 1, SHA256_DIGITS, pipe), SHA256_DIGITS);
    out[SHA256_DIGITS] = '\0';
    (void)pclose(pipe);
}

static void test_real_dumps_recover_to_what_the_real_vfs_recovered(void **state)
{
    /* Promise: `recover` writes, byte by byte, what the real v1 VFS and its SQLite recovered. */
    (void)state;
    for (int i = 0; i < DUMP_COUNT; i++) {
        const struct real_dump *dump = &DUMPS[i];
        ran r;
        migrate(&r, "--from-kv", corpus(dump->name), "--to-file", in_folder("out.db"), "--to-v2",
                in_folder(dump->name), "--json", "-", NULL);
        assert_outcome(&r, "imported", "null", dump->state);
        json_t *object = json_of(&r);
        json_t *input = json_object_get(object, "input");
        assert_int_equal(json_array_size(json_object_get(input, "sidecars")), dump->journal);
        assert_int_equal(number_at(input, "kv_requests"), dump->requests);
        json_decref(object);
        char expected[SHA256_DIGITS + 1];
        char found[SHA256_DIGITS + 1];
        expected_sha256(dump, expected);
        sha256_of(in_folder("out.db"), found);
        assert_string_equal(found, expected);
        assert_v2_holds(in_folder(dump->name), in_folder("out.db"));
    }
}

static void test_real_dumps_under_the_field_policies(void **state)
{
    /* Promise: `reject` and `abandon` answer each real dump as the field's importer did. */
    (void)state;
    for (int i = 0; i < DUMP_COUNT; i++) {
        const struct real_dump *dump = &DUMPS[i];
        bool refuses = strcmp(dump->abandon_reason, "null") != 0;
        ran r;
        migrate(&r, "--from-kv", corpus(dump->name), "--policy", "reject", "--to-file",
                in_folder("rejected.db"), "--json", "-", NULL);
        const char *reason = dump->journal ? "journal-exists" : dump->abandon_reason;
        bool rejects = strcmp(reason, "null") != 0;
        assert_outcome(&r, rejects ? "refused" : "imported", reason, dump->state);
        assert_int_equal(exists(in_folder("rejected.db")), !rejects);
        (void)unlink(in_folder("rejected.db"));

        migrate(&r, "--from-kv", corpus(dump->name), "--policy", "abandon", "--to-file",
                in_folder("abandoned.db"), "--json", "-", NULL);
        assert_outcome(&r, refuses ? "refused" : "imported", dump->abandon_reason, dump->state);
        assert_int_equal(exists(in_folder("abandoned.db")), !refuses);
        if (!refuses) {
            char expected[SHA256_DIGITS + 1];
            char found[SHA256_DIGITS + 1];
            expected_sha256(dump, expected);
            sha256_of(in_folder("abandoned.db"), found);
            assert_int_equal(strcmp(found, expected) == 0, dump->abandon_is_right);
            (void)unlink(in_folder("abandoned.db"));
        }
    }
}

static void test_json_is_as_documented_and_the_same_twice(void **state)
{
    /* Promise: the JSON of one case, byte by byte, and no difference between two runs, but the
     * time. */
    (void)state;
    static const char expected[] =
        "{\n \"schema\": \"midcommit/migrate/1\",\n \"policy\": \"recover\",\n"
        " \"outcome\": \"imported\",\n \"reason\": null,\n \"pages\": 32,\n \"page_size\": 4096,\n"
        " \"size_bytes\": 131072,\n \"input\": {\n  \"state\": \"hot-journal\",\n  \"sidecars\": "
        "[\n"
        "   \"journal\"\n  ],\n  \"orphan_bytes\": 180782,\n  \"kv_requests\": 1\n },\n"
        " \"content_hash\": \"0a1e9b77d4ee562531ab7b82f47b9714\"\n}\n";
    ran r;
    for (int i = 0; i < 2; i++) {
        migrate(&r, "--from-kv", corpus("vacuum_journal_k0036"), "--to-ltx",
                in_folder(i == 0 ? "a.ltx" : "b.ltx"), "--metrics",
                in_folder(i == 0 ? "a.prom" : "b.prom"), "--json", "-", NULL);
        assert_string_equal(r.out, expected);
    }
    assert_same_file(in_folder("a.ltx"), in_folder("b.ltx"));
    for (int i = 0; i < 2; i++) {
        bytes text = read_bytes(in_folder(i == 0 ? "a.prom" : "b.prom"));
        char *line = strstr((char *)text.data, "\nmidcommit_migrate_duration_seconds ");
        assert_non_null(line);
        line[strlen("\nmidcommit_migrate_duration_seconds ")] = '\0';
        write_bytes(in_folder(i == 0 ? "a.cut" : "b.cut"), text.data, text.size);
        free(text.data);
    }
    bytes a = read_bytes(in_folder("a.cut"));
    bytes b = read_bytes(in_folder("b.cut"));
    assert_string_equal(a.data, b.data);
    free(a.data);
    free(b.data);
}

/* ---- the field's own tests, by name ---- */

typedef struct fixture {
    mc_arena arena;
    mc_kvstore store;
} fixture;

static fixture make_fixture(void)
{
    fixture f = {.arena = {.limit_bytes = (size_t)8 << 20}};
    make_db(in_folder("main.db"), 4096);
    put_file(&f.store, &f.arena, MC_V1_MAIN, in_folder("main.db"));
    return f;
}

static void free_fixture(fixture *f)
{
    mc_kvstore_free(&f->store);
    mc_arena_free(&f->arena);
}

static void migrate_to_v2(ran *r, fixture *f, const char *policy)
{
    save_dump(&f->store, in_folder("kv.jsonl"));
    migrate(r, "--from-kv", in_folder("kv.jsonl"), "--policy", policy, "--to-v2", in_folder("v2"),
            "--metrics", in_folder("m.prom"), "--json", "-", NULL);
}

static void assert_metric(const char *sample)
{
    bytes text = read_bytes(in_folder("m.prom"));
    if (strstr((char *)text.data, sample) == NULL) {
        fail_msg("no \"%s\" in:\n%s", sample, (char *)text.data);
    }
    free(text.data);
}

static void test_migrates(void **state)
{
    /* Promise: a store with a database comes out in v2, under every policy. */
    (void)state;
    static const char *const policies[] = {"reject", "abandon", "recover"};
    for (int i = 0; i < 3; i++) {
        fixture f = make_fixture();
        ran r;
        migrate_to_v2(&r, &f, policies[i]);
        assert_outcome(&r, "imported", "null", "clean");
        assert_v2_holds(in_folder("v2"), in_folder("main.db"));
        assert_metric("\nmidcommit_migrate_successes_total 1\n");
        assert_metric("\nmidcommit_migrate_failures_total{phase=\"validate\"} 0\n");
        remove_tree(in_folder("v2"));
        (void)unlink(in_folder("main.db"));
        free_fixture(&f);
    }
}

static void test_skips_native_v2_state_even_with_v1_left(void **state)
{
    /* Promise: a store that has a head is never written to, whatever v1 holds. */
    (void)state;
    static const uint8_t head[12] = {0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 3};
    lmdb l = lmdb_begin(in_folder("v2"), true);
    lmdb_put(&l, "head", 4, head, sizeof head);
    lmdb_put(&l, "own", 3, "data", 4);
    lmdb_end(&l);
    char *before = lmdb_text(in_folder("v2"));
    fixture f = make_fixture();
    ran r;
    migrate_to_v2(&r, &f, "recover");
    assert_outcome(&r, "skipped", "v2-has-head", "clean");
    char *after = lmdb_text(in_folder("v2"));
    assert_string_equal(after, before);
    assert_metric("\nmidcommit_migrate_skipped_total 1\n");
    assert_metric("\nmidcommit_migrate_successes_total 0\n");
    migrate(&r, "--from-kv", in_folder("kv.jsonl"), "--to-v2", in_folder("v2"), "--to-file",
            in_folder("out.db"), "--json", "-", NULL);
    assert_outcome(&r, "skipped", "v2-has-head", "clean");
    assert_false(exists(in_folder("out.db")));
    free(before);
    free(after);
    free_fixture(&f);
}

static void test_bails_on_an_unreadable_head(void **state)
{
    /* Promise: a head that cannot be read is an error, and nothing is written. */
    (void)state;
    static const uint8_t zero[12] = {0};
    for (int i = 0; i < 2; i++) {
        lmdb l = lmdb_begin(in_folder("v2"), true);
        lmdb_put(&l, "head", 4, i == 0 ? (const void *)"junk" : zero, i == 0 ? 4 : sizeof zero);
        lmdb_end(&l);
        char *before = lmdb_text(in_folder("v2"));
        fixture f = make_fixture();
        ran r;
        migrate_to_v2(&r, &f, "recover");
        assert_error(&r, 3, "v2 head");
        char *after = lmdb_text(in_folder("v2"));
        assert_string_equal(after, before);
        assert_metric("\nmidcommit_migrate_failures_total{phase=\"finalize\"} 1\n");
        migrate(&r, "--from-kv", in_folder("kv.jsonl"), "--to-v2", in_folder("v2"), "--to-file",
                in_folder("out.db"), NULL);
        assert_error(&r, 3, "v2 head");
        assert_false(exists(in_folder("out.db")));
        free(before);
        free(after);
        free_fixture(&f);
    }
}

/* One kind of sidecar, with bytes or as metadata alone. */
static void check_abandoned(mc_v1_tag tag, uint64_t size, const char *kind)
{
    static const uint8_t bytes_of_it[100] = {1, 2, 3};
    char sample[100];
    ran r;
    fixture f = make_fixture();
    put_metadata(&f.store, &f.arena, tag, size);
    if (size > 0) {
        put_chunk(&f.store, tag, 0, bytes_of_it, sizeof bytes_of_it);
    }
    migrate_to_v2(&r, &f, "reject");
    (void)snprintf(sample, sizeof sample, "%s-exists", kind);
    assert_outcome(&r, "refused", sample, "stale-sidecar");
    assert_metric("\nmidcommit_migrate_failures_total{phase=\"validate\"} 1\n");
    assert_false(exists(in_folder("v2")));
    migrate_to_v2(&r, &f, "abandon");
    assert_outcome(&r, "imported", "null", "stale-sidecar");
    assert_v2_holds(in_folder("v2"), in_folder("main.db"));
    json_t *object = json_of(&r);
    json_t *input = json_object_get(object, "input");
    json_t *sidecars = json_object_get(input, "sidecars");
    assert_int_equal(json_array_size(sidecars), 1);
    assert_string_equal(json_string_value(json_array_get(sidecars, 0)), kind);
    assert_int_equal(number_at(input, "orphan_bytes"), size > 0 ? 14 + 8 + 100 : 14);
    json_decref(object);
    static const char *const kinds[] = {"journal", "wal", "shm"};
    for (int i = 0; i < 3; i++) {
        (void)snprintf(sample, sizeof sample,
                       "\nmidcommit_migrate_abandoned_sidecars_total{kind=\"%s\"} %d\n", kinds[i],
                       strcmp(kinds[i], kind) == 0);
        assert_metric(sample);
    }
    remove_tree(in_folder("v2"));
    (void)unlink(in_folder("main.db"));
    free_fixture(&f);
}

static void test_abandons_journal_wal_shm(void **state)
{
    /* Promise: `abandon` names each kind of sidecar and imports main; `reject` refuses each by
     * name. */
    (void)state;
    for (uint64_t size = 0; size <= 100; size += 100) {
        check_abandoned(MC_V1_JOURNAL, size, "journal");
        check_abandoned(MC_V1_WAL, size, "wal");
        check_abandoned(MC_V1_SHM, size, "shm");
    }
}

static void test_zero_size(void **state)
{
    /* Promise: a main of size 0 is migrated as a database of no pages. */
    (void)state;
    static const char *const policies[] = {"reject", "abandon", "recover"};
    for (int i = 0; i < 3; i++) {
        fixture f = {.arena = {.limit_bytes = 4096}};
        put_metadata(&f.store, &f.arena, MC_V1_MAIN, 0);
        ran r;
        migrate_to_v2(&r, &f, policies[i]);
        assert_outcome(&r, "imported", "null", "clean");
        json_t *object = json_of(&r);
        assert_int_equal(number_at(object, "pages"), 0);
        json_decref(object);
        write_bytes(in_folder("empty"), "", 0);
        assert_v2_holds(in_folder("v2"), in_folder("empty"));
        remove_tree(in_folder("v2"));
        free_fixture(&f);
    }
}

/* The first bytes of chunk 0 can be changed: they lie in the fixture's arena. */
static uint8_t *first_chunk(fixture *f)
{
    uint8_t key[MC_V1_CHUNK_KEY_BYTES];
    mc_v1_chunk_key(key, MC_V1_MAIN, 0);
    return (uint8_t *)(uintptr_t)mc_kvstore_get(&f->store, key, sizeof key)->value;
}

static void test_refuses_what_is_no_database_of_v1(void **state)
{
    /* Promise: corrupt magic, an unsupported page size, missing chunks and a size over the limit
     * are refused by name, in the phase that the field counts, and leave no store behind. */
    (void)state;
    static const char *const fields[] = {"reject", "abandon"};
    for (int i = 0; i < 2; i++) {
        fixture f = make_fixture();
        ran r;
        first_chunk(&f)[3] ^= 1;
        migrate_to_v2(&r, &f, fields[i]);
        assert_outcome(&r, "refused", "bad-magic", "malformed");
        assert_metric("\nmidcommit_migrate_failures_total{phase=\"validate\"} 1\n");
        migrate_to_v2(&r, &f, "recover");
        assert_outcome(&r, "refused", "bad-magic", "malformed");
        first_chunk(&f)[3] ^= 1;
        first_chunk(&f)[16] = 2; /* page size 512 */
        migrate_to_v2(&r, &f, fields[i]);
        assert_outcome(&r, "refused", "page-size-unsupported", "torn");
        first_chunk(&f)[16] = 0x10;
        put_metadata(&f.store, &f.arena, MC_V1_MAIN, 128 * 1024 * 1024 + 4096);
        migrate_to_v2(&r, &f, fields[i]);
        json_t *object = json_of(&r);
        assert_string_equal(text_at(object, "reason"), "over-size-limit");
        assert_int_equal(r.status, 1);
        json_decref(object);
        assert_metric("\nmidcommit_migrate_failures_total{phase=\"read_v1\"} 1\n");
        assert_false(exists(in_folder("v2")));
        (void)unlink(in_folder("main.db"));
        free_fixture(&f);
    }
}

static void test_missing_chunks(void **state)
{
    /* Promise: the field refuses a store with a missing chunk; `recover` reads zeros there, as the
     * VFS does, and says that what it imports is torn. */
    (void)state;
    fixture f = make_fixture();
    uint8_t key[MC_V1_CHUNK_KEY_BYTES];
    mc_v1_chunk_key(key, MC_V1_MAIN, 2);
    mc_kvstore_delete(&f.store, key, sizeof key);
    ran r;
    migrate_to_v2(&r, &f, "abandon");
    assert_outcome(&r, "refused", "chunk-count", "torn");
    assert_false(exists(in_folder("v2")));
    migrate_to_v2(&r, &f, "recover");
    assert_outcome(&r, "imported", "null", "torn");
    free_fixture(&f);
}

static void test_nothing_there_is_refused(void **state)
{
    /* Promise: a store or a folder that has no main is refused, and nothing is made of it. */
    (void)state;
    fixture f = {.arena = {.limit_bytes = 1 << 16}};
    ran r;
    migrate_to_v2(&r, &f, "recover");
    assert_outcome(&r, "refused", "main-missing", "malformed");
    migrate_to_v2(&r, &f, "abandon");
    assert_outcome(&r, "refused", "main-missing-metadata", "malformed");
    static const uint8_t some[10] = {1};
    put_chunk(&f.store, MC_V1_MAIN, 0, some, sizeof some);
    migrate_to_v2(&r, &f, "recover");
    assert_outcome(&r, "refused", "main-missing", "malformed");
    migrate_to_v2(&r, &f, "abandon");
    assert_outcome(&r, "refused", "main-chunks-without-metadata", "malformed");
    assert_false(exists(in_folder("v2")));
    write_bytes(in_folder("gone.db-journal"), "x", 1);
    migrate(&r, "--from-files", in_folder("gone.db"), "--to-file", in_folder("out.db"), "--json",
            "-", NULL);
    assert_outcome(&r, "refused", "main-missing", "malformed");
    assert_false(exists(in_folder("out.db")));
    free_fixture(&f);
}

/* ---- the log line ---- */

static void test_log_is_one_line_whatever_the_actor_is(void **state)
{
    /* Promise: one line of ASCII JSON a migration, with the actor's id as it was given. */
    (void)state;
    static const char *const actors[][2] = {{"a\"b\\c\nd\x1b[31m", "a\"b\\c\nd\x1b[31m"},
                                            {"\xc3\xa9\xe2\x80\xae", "\xc3\xa9\xe2\x80\xae"},
                                            {"bad \xff utf-8", "bad ? utf-8"},
                                            {"", ""}};
    for (size_t i = 0; i < sizeof actors / sizeof actors[0]; i++) {
        ran r;
        migrate(&r, "--from-kv", corpus("vacuum_journal_k0036"), "--policy", "abandon", "--actor",
                actors[i][0], NULL);
        assert_int_equal(r.status, 0);
        assert_int_equal(count_lines(r.err), 1);
        for (const char *c = r.err; *c != '\0'; c++) {
            assert_true((*c >= ' ' && *c < 0x7f) || (*c == '\n' && c[1] == '\0'));
        }
        json_t *line = json_loads(r.err, 0, NULL);
        assert_string_equal(text_at(line, "actor"), actors[i][1]);
        assert_string_equal(text_at(line, "outcome"), "imported");
        assert_string_equal(text_at(line, "level"), "warn");
        assert_string_equal(json_string_value(json_array_get(json_object_get(line, "sidecars"), 0)),
                            "journal");
        assert_int_equal(number_at(line, "pages_differing"), 3);
        json_decref(line);
        assert_non_null(strstr(r.out, "warning: 3 pages differ"));
    }
    ran r;
    migrate(&r, "--from-kv", in_folder("none"), "--actor", "a1", NULL);
    assert_int_equal(r.status, 3);
    assert_int_equal(count_lines(r.err), 2);
    assert_non_null(strstr(r.err, "\"actor\":\"a1\""));
    assert_non_null(strstr(r.err, "\"outcome\":\"failed\""));
}

static void test_wrong_usage(void **state)
{
    /* Promise: wrong usage is status 2 and one line, and nothing is made. */
    (void)state;
    const char *dump = corpus("one_page_k0001");
    const char *out = in_folder("out.db");
    ran r;
    migrate(&r, NULL);
    assert_error(&r, 2, "--from-files");
    migrate(&r, "--from-kv", dump, "--from-files", dump, NULL);
    assert_error(&r, 2, "needs one of");
    migrate(&r, "--from-kv", "", NULL);
    assert_error(&r, 2, "no name");
    migrate(&r, "--from-kv", dump, "--policy", "sqlite", "--to-file", out, NULL);
    assert_error(&r, 2, "--policy");
    migrate(&r, "--from-kv", dump, "--to-file", out, "--sweep", NULL);
    assert_error(&r, 2, "--sweep");
    migrate(&r, "--from-lmdb", folder, "--sweep", NULL);
    assert_error(&r, 2, "--sweep");
    migrate(&r, "--from-kv", dump, "--to-file", out, "--to-ltx", out, NULL);
    assert_error(&r, 2, "--to-ltx");
    migrate(&r, "--from-kv", dump, "--to-file", "-", NULL);
    assert_error(&r, 2, "--to-file");
    migrate(&r, "--from-kv", dump, "--json", "-", "--metrics", "-", NULL);
    assert_error(&r, 2, "--metrics");
    migrate(&r, "--from-kv", dump, "--limit", "0", NULL);
    assert_error(&r, 2, "--limit");
    migrate(&r, "--from-kv", dump, "--nothing", NULL);
    assert_error(&r, 2, "--nothing");
    migrate(&r, "--from-kv", dump, "extra", NULL);
    assert_error(&r, 2, "extra");
    assert_int_equal(count_names("out.db"), 0);
}

static void test_a_size_that_no_memory_holds(void **state)
{
    /* Promise: metadata that names more bytes than may be read is a refusal with its reason, not a
     * failure; and beside an import that does not look at them, the input is malformed. */
    (void)state;
    fixture f = make_fixture();
    ran r;
    put_metadata(&f.store, &f.arena, MC_V1_JOURNAL, (uint64_t)1 << 40);
    migrate_to_v2(&r, &f, "recover");
    assert_outcome(&r, "refused", "too-large", "malformed");
    migrate_to_v2(&r, &f, "abandon");
    assert_outcome(&r, "imported", "null", "malformed");
    remove_tree(in_folder("v2"));
    put_metadata(&f.store, &f.arena, MC_V1_MAIN, (uint64_t)1 << 40);
    migrate_to_v2(&r, &f, "recover");
    assert_outcome(&r, "refused", "too-large", "malformed");
    assert_int_equal(r.status, 1);
    assert_metric("\nmidcommit_migrate_failures_total{phase=\"read_v1\"} 1\n");
    migrate_to_v2(&r, &f, "abandon");
    assert_outcome(&r, "refused", "over-size-limit", "malformed");
    assert_false(exists(in_folder("v2")));
    free_fixture(&f);
}

static void test_keys_that_no_vfs_wrote(void **state)
{
    /* Promise: a chunk key of another length is what the field refused it for; a key that is none
     * of v1's is not looked at, however long it is. */
    (void)state;
    static const char foreign[] =
        "\n{\"k\":\"ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00\",\"v\":\"AA==\"}\n";
    static const char longer[] = "{\"k\":\"080101000000000000\",\"v\":\"AA==\"}\n";
    bytes dump = read_bytes(corpus("one_page_k0001"));
    size_t size = (size_t)dump.size;
    char *text = malloc(size + sizeof foreign + sizeof longer);
    assert_non_null(text);
    memcpy(text, dump.data, size);
    memcpy(text + size, foreign, sizeof foreign);
    memcpy(text + size + sizeof foreign - 1, longer, sizeof longer);
    write_bytes(in_folder("foreign.jsonl"), text, size + sizeof foreign - 1);
    write_bytes(in_folder("longer.jsonl"), text, size + sizeof foreign + sizeof longer - 2);
    free(text);
    free(dump.data);
    ran r;
    migrate(&r, "--from-kv", in_folder("foreign.jsonl"), "--policy", "abandon", "--json", "-",
            NULL);
    assert_outcome(&r, "imported", "null", "clean");
    migrate(&r, "--from-kv", in_folder("longer.jsonl"), "--policy", "abandon", "--json", "-", NULL);
    assert_outcome(&r, "refused", "chunk-key-length", "clean");
    migrate(&r, "--from-kv", in_folder("longer.jsonl"), "--json", "-", NULL);
    assert_outcome(&r, "imported", "null", "clean");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_real_dumps_recover_to_what_the_real_vfs_recovered),
        IN_FOLDER(test_real_dumps_under_the_field_policies),
        IN_FOLDER(test_json_is_as_documented_and_the_same_twice),
        IN_FOLDER(test_migrates),
        IN_FOLDER(test_skips_native_v2_state_even_with_v1_left),
        IN_FOLDER(test_bails_on_an_unreadable_head),
        IN_FOLDER(test_abandons_journal_wal_shm),
        IN_FOLDER(test_zero_size),
        IN_FOLDER(test_refuses_what_is_no_database_of_v1),
        IN_FOLDER(test_missing_chunks),
        IN_FOLDER(test_nothing_there_is_refused),
        IN_FOLDER(test_a_size_that_no_memory_holds),
        IN_FOLDER(test_keys_that_no_vfs_wrote),
        IN_FOLDER(test_log_is_one_line_whatever_the_actor_is),
        IN_FOLDER(test_wrong_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
