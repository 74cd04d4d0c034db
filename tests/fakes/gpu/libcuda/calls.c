/* Counters, injected failures, and the way into every call: lock, count, fail if told so, context there and alive. */
#include "standin.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
enum { NAMES = 512 };
static struct { char name[48]; int64_t count; int fail, after, times; } table[NAMES];

/* Versions of one call (cuMemAlloc, cuMemAlloc_v2) count as one. */
static void base_name(char *to, const char *name) {
    snprintf(to, 48, "%s", name);
    size_t length = strlen(to);
    if (length > 3 && to[length - 3] == '_' && to[length - 2] == 'v') to[length - 3] = 0;
}

static int row(const char *name) {
    char base[48];
    base_name(base, name);
    for (int i = 0; i < NAMES; i++) {
        if (!table[i].name[0]) { strcpy(table[i].name, base); return i; }
        if (!strcmp(table[i].name, base)) return i;
    }
    abort();
}

void add(const char *counter, int64_t by) { table[row(counter)].count += by; }

void say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("[stand-in driver] ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

/* FACEEDGE_STANDIN_CUDA_FAIL=cuInit:100,cuMemAlloc:2 makes calls of child processes fail, every time. */
static void read_environment(void) {
    static int done;
    const char *given = getenv("FACEEDGE_STANDIN_CUDA_FAIL");
    if (done++ || !given) return;
    char *copy = strdup(given), *rest = copy, *item;
    while ((item = strsep(&rest, ","))) {
        char *colon = strchr(item, ':');
        if (!colon) continue;
        *colon = 0;
        int i = row(item);
        table[i].fail = atoi(colon + 1);
        table[i].times = -1;
    }
    free(copy);
}

static int injected(int i) {
    if (!table[i].fail) return OK;
    if (table[i].after > 0) { table[i].after--; return OK; }
    int code = table[i].fail;
    if (table[i].times > 0 && !--table[i].times) table[i].fail = 0;
    if (code >= 700 && code < 720) kill_context(code); /* such faults stay: the context is lost */
    return code;
}

static int state_of(int needs_context) {
    if (!initialised) return NOT_INITIALIZED;
    if (!needs_context) return OK;
    Context *context = current();
    if (!context) { add("without_context", 1); return INVALID_CONTEXT; }
    if (!context->alive) return CONTEXT_IS_DESTROYED;
    return context->dead;
}

int enter(const char *call, int needs_context) {
    pthread_mutex_lock(&lock);
    read_environment();
    int i = row(call);
    table[i].count++;
    int code = injected(i);
    if (!code && needs_context >= 0) code = state_of(needs_context);
    return code ? leave(code) : OK;
}

int leave(int code) {
    pthread_mutex_unlock(&lock);
    return code;
}

/* For tests, through ctypes. */
void standin_fail(const char *call, int code, int after, int times) {
    pthread_mutex_lock(&lock);
    int i = row(call);
    table[i].fail = code, table[i].after = after, table[i].times = times;
    pthread_mutex_unlock(&lock);
}

int64_t standin_count(const char *name) {
    pthread_mutex_lock(&lock);
    int64_t count = table[row(name)].count;
    pthread_mutex_unlock(&lock);
    return count;
}

/* Counters back to 0 (not the `live_` ones), failures forgotten, a lost context alive again, memory as at the start. */
void standin_reset(void) {
    pthread_mutex_lock(&lock);
    drain_all();
    for (int i = 0; i < NAMES; i++) {
        table[i].fail = table[i].after = table[i].times = 0;
        if (strncmp(table[i].name, "live_", 5)) table[i].count = 0;
    }
    revive();
    reset_memory();
    pthread_mutex_unlock(&lock);
}
