#include "harness/validate/gate.h"

#include <assert.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAGE = 4096 };

static int open_gate(void)
{
    struct uffdio_api api = {.api = UFFD_API};
    int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
    if (fd >= 0 && ioctl(fd, UFFDIO_API, &api) != 0) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

bool mc_gate_works(void)
{
    int fd = open_gate();
    if (fd < 0) {
        return false;
    }
    (void)close(fd);
    return sysconf(_SC_PAGESIZE) == PAGE;
}

/* The kernel wants a page: the write stands in front of it now. */
static void *kill_at_the_gate(void *context)
{
    struct uffd_msg message;
    int fd = *(int *)context;
    while (read(fd, &message, sizeof message) != (ssize_t)sizeof message ||
           message.event != UFFD_EVENT_PAGEFAULT) {
    }
    (void)kill(getpid(), SIGKILL);
    return NULL;
}

const void *mc_gate_put(const void *data, size_t size, uint64_t offset, uint32_t cut)
{
    static int fd; /* the thread reads it as long as the process lives */
    pthread_t thread;
    size_t lead = (size_t)(offset % PAGE);
    size_t gate = lead + cut;
    assert(gate % PAGE == 0 && cut < size);
    size_t all = (lead + size + PAGE - 1) / PAGE * PAGE;
    uint8_t *memory = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return NULL;
    }
    (void)madvise(memory, all, MADV_NOHUGEPAGE);
    fd = open_gate();
    struct uffdio_register region = {
        .range = {.start = (uintptr_t)(memory + gate), .len = all - gate},
        .mode = UFFDIO_REGISTER_MODE_MISSING};
    if (fd < 0 || ioctl(fd, UFFDIO_REGISTER, &region) != 0 ||
        pthread_create(&thread, NULL, kill_at_the_gate, &fd) != 0) {
        return NULL;
    }
    memcpy(memory + lead, data, cut);
    return memory + lead;
}
