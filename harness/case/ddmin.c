#include "harness/case/ddmin.h"

/* Leaves out the `size` kept items from the one at `from` on; returns how many there were. */
static uint32_t leave_out(bool *keep, uint32_t count, uint32_t from, uint32_t size, uint32_t *end)
{
    uint32_t gone = 0;
    uint32_t i = from;
    for (; i < count && gone < size; i++) {
        gone += keep[i];
        keep[i] = false;
    }
    *end = i;
    return gone;
}

void mc_ddmin(bool *keep, uint32_t count, mc_ddmin_fn holds, void *context)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < count; i++) {
        left += keep[i];
    }
    for (uint32_t size = left; size > 0;) {
        bool smaller = false;
        for (uint32_t at = 0; at < count;) {
            bool before[MC_DDMIN_MAX];
            uint32_t end = at;
            for (uint32_t i = 0; i < count; i++) {
                before[i] = keep[i];
            }
            if (leave_out(keep, count, at, size, &end) == 0) {
                break;
            }
            if (holds(context, keep, count)) {
                smaller = true;
            } else {
                for (uint32_t i = 0; i < count; i++) {
                    keep[i] = before[i];
                }
            }
            at = end;
        }
        size = smaller && size == 1 ? 1 : size / 2;
    }
}

void mc_ddmin_pairs(bool *keep, uint32_t count, mc_ddmin_fn holds, void *context)
{
    for (uint32_t a = 0; a < count; a++) {
        for (uint32_t b = a + 1; keep[a] && b < count; b++) {
            if (!keep[b]) {
                continue;
            }
            keep[a] = false;
            keep[b] = false;
            if (!holds(context, keep, count)) {
                keep[a] = true;
                keep[b] = true;
            }
        }
    }
}
