#include "harness/host/tasks.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { JOBS_MAX = 64, READ_BYTES = 65536, PLACE_BYTES = 200 };

/* A child's first byte says what follows: a result, or an error's status, reason and text. */
enum { SAYS_RESULT = 'R', SAYS_ERROR = 'E' };

typedef struct child {
    pid_t pid; /* 0: free */
    int fd;
    uint32_t index;
    char *text;
    size_t size;
    size_t capacity;
} child;

/* Where each child is, in memory that outlives it; null: nobody asked for memory yet. */
static char (*places)[PLACE_BYTES];
static char *own_place;

void mc_tasks_at(const char *place)
{
    if (own_place != NULL) {
        (void)snprintf(own_place, PLACE_BYTES, "%s", place);
    }
}

static bool make_places(void)
{
    if (places == NULL) {
        void *memory = mmap(NULL, sizeof *places * JOBS_MAX, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        places = memory == MAP_FAILED ? NULL : memory;
    }
    return places != NULL;
}

static void send_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            _exit(3); /* the parent is gone */
        }
        data += n;
        size -= (size_t)n;
    }
}

static _Noreturn void be_child(int fd, uint32_t index, mc_task_fn work, void *context)
{
    /* A parent that is killed takes its children along: nothing keeps running unseen. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    mc_error error;
    char *text = work(context, index, &error);
    char kind = text != NULL ? SAYS_RESULT : SAYS_ERROR;
    send_all(fd, &kind, 1);
    if (text != NULL) {
        send_all(fd, text, strlen(text));
    } else {
        char status = (char)('0' + error.status);
        send_all(fd, &status, 1);
        send_all(fd, error.text, strlen(error.text));
    }
    (void)close(fd);
    _exit(0);
}

static mc_status start(child *c, uint32_t slot, uint32_t index, mc_task_fn work, void *context,
                       mc_error *error)
{
    int ends[2];
    if (!make_places() || pipe2(ends, O_CLOEXEC) != 0) {
        return mc_fail(error, MC_IO, "task", "cannot make a pipe: %s", strerror(errno));
    }
    (void)fflush(NULL);
    places[slot][0] = '\0';
    pid_t pid = fork();
    if (pid < 0) {
        (void)close(ends[0]);
        (void)close(ends[1]);
        return mc_fail(error, MC_IO, "task", "cannot start a process: %s", strerror(errno));
    }
    if (pid == 0) {
        (void)close(ends[0]);
        own_place = places[slot];
        be_child(ends[1], index, work, context);
    }
    (void)close(ends[1]);
    *c = (child){.pid = pid, .fd = ends[0], .index = index};
    return MC_OK;
}

/* Reads what there is. Returns false at the end of the child's output. */
static bool hear(child *c, bool *memory)
{
    if (c->capacity - c->size < READ_BYTES + 1) {
        size_t capacity = c->capacity * 2 + READ_BYTES + 1;
        char *more = realloc(c->text, capacity);
        if (more == NULL) {
            *memory = false;
            return false;
        }
        c->text = more;
        c->capacity = capacity;
    }
    ssize_t n = read(c->fd, c->text + c->size, READ_BYTES);
    if (n < 0 && errno == EINTR) {
        return true;
    }
    c->size += n > 0 ? (size_t)n : 0;
    c->text[c->size] = '\0';
    return n > 0;
}

static void bury(child *c, int *status)
{
    (void)close(c->fd);
    while (waitpid(c->pid, status, 0) < 0 && errno == EINTR) {
    }
    c->pid = 0;
}

/* A child has said all: was it well? */
static mc_status finish(child *c, uint32_t slot, mc_task_name_fn name, mc_task_done_fn done,
                        void *context, mc_error *error)
{
    int status = 0;
    bury(c, &status);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || c->size == 0) {
        int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        const char *place = places[slot];
        return mc_fail(error, MC_IO, "task-died", "%s: its process died%s%s",
                       place[0] != '\0' ? place : name(context, c->index),
                       signal != 0 ? " of " : "", signal != 0 ? strsignal(signal) : "");
    }
    if (c->text[0] == SAYS_ERROR) {
        mc_status what = c->size > 1 ? (mc_status)(c->text[1] - '0') : MC_IO;
        what = what > MC_OK && what <= MC_USAGE ? what : MC_IO;
        return mc_fail(error, what, "task", "%s", c->size > 2 ? c->text + 2 : "task failed");
    }
    char *text = strdup(c->text + 1);
    if (text == NULL) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "task: out of memory");
    }
    return done(context, c->index, text, error);
}

static uint32_t next_wanted(uint32_t from, uint32_t count, bool (*wanted)(void *, uint32_t),
                            void *context)
{
    while (from < count && wanted != NULL && !wanted(context, from)) {
        from++;
    }
    return from;
}

static mc_status wait_for_any(child *children, uint32_t jobs, mc_task_name_fn name,
                              mc_task_done_fn done, void *context, mc_error *error)
{
    struct pollfd waits[JOBS_MAX];
    for (uint32_t i = 0; i < jobs; i++) {
        waits[i] =
            (struct pollfd){.fd = children[i].pid != 0 ? children[i].fd : -1, .events = POLLIN};
    }
    if (poll(waits, jobs, -1) < 0 && errno != EINTR) {
        return mc_fail(error, MC_IO, "task", "cannot wait for a process: %s", strerror(errno));
    }
    bool memory = true;
    for (uint32_t i = 0; i < jobs; i++) {
        if (children[i].pid == 0 || (waits[i].revents & (POLLIN | POLLHUP | POLLERR)) == 0) {
            continue;
        }
        if (hear(&children[i], &memory)) {
            continue;
        }
        if (!memory) {
            return mc_fail(error, MC_NO_MEMORY, "no-memory", "task: out of memory");
        }
        mc_status status = finish(&children[i], i, name, done, context, error);
        free(children[i].text);
        children[i].text = NULL;
        if (status != MC_OK) {
            return status;
        }
    }
    return MC_OK;
}

mc_status mc_tasks_run(uint32_t count, uint32_t jobs, bool (*wanted)(void *context, uint32_t index),
                       mc_task_name_fn name, mc_task_fn work, mc_task_done_fn done, void *context,
                       mc_error *error)
{
    assert(jobs > 0);
    jobs = jobs < JOBS_MAX ? jobs : JOBS_MAX;
    child children[JOBS_MAX] = {{0}};
    mc_status status = MC_OK;
    uint32_t next = next_wanted(0, count, wanted, context);
    uint32_t running = 0;
    while (status == MC_OK && (next < count || running > 0)) {
        for (uint32_t i = 0; i < jobs && next < count && status == MC_OK; i++) {
            if (children[i].pid == 0) {
                status = start(&children[i], i, next, work, context, error);
                next = next_wanted(next + 1, count, wanted, context);
            }
        }
        if (status == MC_OK) {
            status = wait_for_any(children, jobs, name, done, context, error);
        }
        running = 0;
        for (uint32_t i = 0; i < jobs; i++) {
            running += children[i].pid != 0;
        }
    }
    for (uint32_t i = 0; i < jobs; i++) {
        if (children[i].pid != 0) {
            int ignored;
            (void)kill(children[i].pid, SIGKILL);
            bury(&children[i], &ignored);
        }
        free(children[i].text);
    }
    return status;
}
