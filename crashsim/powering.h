/* powering.h: the inside of power.h: what is pending at a crash point, as events on inodes. */
#ifndef MIDCOMMIT_CRASHSIM_POWERING_H
#define MIDCOMMIT_CRASHSIM_POWERING_H

#include "crashsim/power.h"

enum { MC_NO_INODE = 0xffffffff };

enum { MC_EVENT_NAME, MC_EVENT_SIZE, MC_EVENT_BYTES }; /* kinds of events */

typedef struct mc_power_event {
    uint8_t kind;
    bool durable;    /* while it is being folded */
    bool ordered;    /* metadata that the profile keeps in order */
    bool there;      /* of ordered metadata: chosen to be */
    bool shrinks;    /* MC_EVENT_SIZE: the file was longer before */
    uint16_t name;   /* MC_EVENT_NAME: the file number whose name changed */
    uint32_t inode;  /* MC_EVENT_NAME: where it leads now, or MC_NO_INODE */
    uint64_t size;   /* MC_EVENT_SIZE: the length now; MC_EVENT_BYTES: where it ends */
    uint64_t before; /* MC_EVENT_BYTES: how long the file was */
    size_t op;       /* index in the trace */
} mc_power_event;

typedef struct mc_power_inode {
    const uint8_t *bytes; /* what is durable of it */
    uint64_t durable_size;
    uint64_t capacity; /* of `bytes`, if they are its own; 0: they are the base's */
    uint64_t size;     /* as programs see it */
} mc_power_inode;

struct mc_power {
    const mc_trace *trace;
    const mc_power_profile *profile;
    size_t point;
    mc_power_event *event;
    size_t event_count;
    size_t event_capacity;
    mc_power_inode *inode;
    uint32_t inode_count;
    uint32_t inode_capacity;
    uint32_t *leads; /* by file number: where the name leads for programs */
    uint32_t *first; /* and on the disk, if nothing pending is there */
    bool *is_shm;    /* by file number: a WAL index */
    bool failed;     /* no memory */
    uint64_t folds;  /* how often something became durable */
    mc_power_choose choose;
    void *context;
    size_t metadata_last; /* the element that made the newest ordered metadata that is there */
};

mc_status mc_power_no_memory(mc_error *error);

/* One answer, of which there are `count`; 0 when there is no choice. */
uint32_t mc_power_ask(const mc_power *p, mc_power_item item, const mc_power_event *about,
                      uint32_t count);

#endif
