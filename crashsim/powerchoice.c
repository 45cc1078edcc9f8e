#include "crashsim/powerchoice.h"

#include <stdio.h>
#include <string.h>

static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";

enum { TIMES_WORTH_IT = 4 };

static void put(mc_choice_text *text, const char *what)
{
    size_t size = strlen(what);
    if (text->used + size + 1 > MC_CHOICE_MAX) {
        text->full = true;
        return;
    }
    memcpy(text->out + text->used, what, size + 1);
    text->used += size;
}

static void flush(mc_choice_text *text)
{
    char one[16];
    char all[32];
    if (text->last < 36) {
        (void)snprintf(one, sizeof one, "%c", digits[text->last]);
    } else {
        (void)snprintf(one, sizeof one, "(%u)", text->last);
    }
    if (text->times >= TIMES_WORTH_IT) {
        (void)snprintf(all, sizeof all, "%sx%u.", one, text->times);
        put(text, all);
        return;
    }
    for (uint32_t i = 0; i < text->times; i++) {
        put(text, one);
    }
}

void mc_choice_add(mc_choice_text *text, uint32_t answer)
{
    if (text->times > 0 && text->last != answer) {
        flush(text);
        text->times = 0;
    }
    text->last = answer;
    text->times++;
}

void mc_choice_end(mc_choice_text *text)
{
    if (text->times > 0) {
        flush(text);
    }
    if (text->full) {
        (void)snprintf(text->out, MC_CHOICE_MAX, "...");
    }
}

static uint32_t number(const char **text)
{
    uint32_t value = 0;
    for (; **text >= '0' && **text <= '9' && value < 1000000; ++*text) {
        value = value * 10 + (uint32_t)(**text - '0');
    }
    return value;
}

uint32_t mc_choice_next(void *context, mc_power_item item, const mc_op *op, uint32_t count)
{
    mc_choice_reader *r = context;
    (void)item;
    (void)op;
    if (r->times == 0 && *r->text == '\0') {
        return count - 1;
    }
    if (r->times == 0) {
        const char *digit = strchr(digits, *r->text);
        if (*r->text == '(') {
            r->text++;
            r->last = number(&r->text);
            r->wrong = r->wrong || *r->text != ')';
        } else {
            r->last = digit != NULL ? (uint32_t)(digit - digits) : 0;
            r->wrong = r->wrong || digit == NULL;
        }
        r->text += *r->text != '\0';
        r->times = 1;
        /* "x" is a digit, too: it counts where a number and a point follow. */
        const char *after = r->text + 1;
        if (*r->text == 'x' && *after >= '0' && *after <= '9') {
            uint32_t times = number(&after);
            if (*after == '.' && times > 0) {
                r->times = times;
                r->text = after + 1;
            }
        }
    }
    r->times--;
    r->wrong = r->wrong || r->last >= count;
    return r->last < count ? r->last : count - 1;
}
