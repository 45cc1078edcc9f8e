/* pages.h: which page does what. Walks a database image from its header and schema and names each
 * page's role, tolerating any damage: a page that cannot be reached or read keeps what is known. */
#ifndef MIDCOMMIT_CORE_PAGES_H
#define MIDCOMMIT_CORE_PAGES_H

#include "core/image.h"
#include "core/arena.h"
#include "core/result.h"

typedef enum mc_page_role {
    MC_ROLE_UNKNOWN, /* no structure leads to it */
    MC_ROLE_SCHEMA,  /* page 1 and the other pages of sqlite_schema's b-tree */
    MC_ROLE_TABLE_LEAF,
    MC_ROLE_TABLE_INTERIOR,
    MC_ROLE_INDEX_LEAF,
    MC_ROLE_INDEX_INTERIOR,
    MC_ROLE_OVERFLOW,
    MC_ROLE_FREELIST_TRUNK,
    MC_ROLE_FREELIST_LEAF,
    MC_ROLE_POINTER_MAP,
    MC_ROLE_LOCK_BYTE,
    MC_ROLES
} mc_page_role;

/* "table leaf", "freelist trunk", ... */
const char *mc_page_role_name(mc_page_role role);

typedef struct mc_page_info {
    uint8_t role;      /* mc_page_role */
    uint32_t parent;   /* page that points here, for a root the schema page with its row; 0: none */
    const char *owner; /* table or index name, mc_text_utf8 in the arena, at most 1 KiB; or null */
} mc_page_info;

/* Fills info[0 .. page_count - 1]. Fails only without memory. */
mc_status mc_pages_walk(const mc_image *image, mc_arena *arena, mc_page_info *info,
                        mc_error *error);

/* Calls `visit` for every freelist leaf page of the image, in list order, tolerating damage
 * (cycles, numbers out of range end the walk). These are the pages whose content SQLite does not
 * define: a freed page is not journalled when it is used again (btree.c allocateBtreePage, pager.c
 * sqlite3PagerDontWrite). Needs no memory; at most page_count pages are visited. */
void mc_pages_freelist_leaves(const mc_image *image,
                              void (*visit)(void *context, uint32_t page_number), void *context);

#endif
