/* Device memory and pinned memory: both are host memory, poisoned, between two fences each, remembered after free. */
#include "standin.h"
#include <stdlib.h>
#include <string.h>

enum { DEVICE = 1, PINNED = 2, FENCE = 4096, KEPT = 64, KEPT_BYTES = 64 << 20 };
typedef struct { address start; size_t bytes; unsigned char *base; int kind, alive; } Block;
static Block *blocks;
static size_t room, used;
static uint64_t total;

static uint64_t total_bytes(void) {
    const char *given = getenv("FACEEDGE_STANDIN_GPU_MEMORY");
    if (!total) total = given ? strtoull(given, NULL, 10) : 7620ull << 20; /* what an 8 GB module shows */
    return total;
}

static uint64_t live_bytes(void) {
    uint64_t sum = 0;
    for (size_t i = 0; i < used; i++) sum += blocks[i].alive ? blocks[i].bytes : 0;
    return sum;
}

static int fence_is_whole(const unsigned char *fence) {
    for (int i = 0; i < FENCE; i++) if (fence[i] != 0xFE) return 0;
    return 1;
}

static int is_whole(const Block *b) { return fence_is_whole(b->base) && fence_is_whole(b->base + FENCE + b->bytes); }

int zones_are_whole(void) {
    for (size_t i = 0; i < used; i++)
        if (blocks[i].alive && !is_whole(&blocks[i])) {
            say("written past the ends of %zu bytes at %#lx", blocks[i].bytes, (unsigned long)blocks[i].start);
            memset(blocks[i].base, 0xFE, FENCE);
            memset(blocks[i].base + FENCE + blocks[i].bytes, 0xFE, FENCE);
            add("overruns", 1);
            return 0;
        }
    return 1;
}

/* Freed blocks stay for a while: their addresses are not given out again, and a stale pointer is known as one. */
static int forget_oldest(void) {
    size_t freed = 0, bytes = 0, oldest = used;
    for (size_t i = 0; i < used; i++) {
        if (blocks[i].alive) continue;
        if (!freed++) oldest = i;
        bytes += blocks[i].bytes;
    }
    if (freed <= KEPT && bytes <= KEPT_BYTES) return 0;
    free(blocks[oldest].base);
    memmove(blocks + oldest, blocks + oldest + 1, (used - oldest - 1) * sizeof *blocks);
    used--;
    return 1;
}

static int take(address *start, size_t bytes, int kind) {
    if (!bytes) return INVALID_VALUE;
    if (live_bytes() + bytes > total_bytes()) return OUT_OF_MEMORY;
    if (used == room) blocks = realloc(blocks, (room = 2 * room + 64) * sizeof *blocks);
    void *base;
    if (posix_memalign(&base, FENCE, bytes + 2 * FENCE)) return OUT_OF_MEMORY;
    memset(base, 0xFE, FENCE);
    memset((char *)base + FENCE, 0xCD, bytes); /* what was never written looks like it */
    memset((char *)base + FENCE + bytes, 0xFE, FENCE);
    *start = (address)base + FENCE;
    blocks[used++] = (Block){*start, bytes, base, kind, 1};
    add(kind == DEVICE ? "live_device" : "live_pinned", 1);
    add(kind == DEVICE ? "live_device_bytes" : "live_pinned_bytes", (int64_t)bytes);
    add("allocations", 1);
    return OK;
}

static int give(address start, int kind) {
    for (size_t i = used; i-- > 0;) { /* the newest first */
        Block *b = &blocks[i];
        if (b->start != start || b->kind != kind || !b->alive) continue;
        if (!is_whole(b)) zones_are_whole(), kill_context(ILLEGAL_ADDRESS);
        b->alive = 0;
        memset((void *)b->start, 0xDD, b->bytes);
        add(kind == DEVICE ? "live_device" : "live_pinned", -1);
        add(kind == DEVICE ? "live_device_bytes" : "live_pinned_bytes", -(int64_t)b->bytes);
        while (forget_oldest()) {}
        return OK;
    }
    add("bad_frees", 1);
    return INVALID_VALUE;
}

static Block *block_of(address start, int alive) {
    for (size_t i = used; i-- > 0;)
        if (blocks[i].alive == alive && start >= blocks[i].start && start < blocks[i].start + blocks[i].bytes)
            return &blocks[i];
    return NULL;
}

/* OK where all the bytes lie in one block that was not freed. */
int check_range(address start, size_t bytes) {
    Block *b = block_of(start, 1);
    if (!b && block_of(start, 0)) add("uses_after_free", 1);
    if (b && start + bytes > b->start + b->bytes) add("out_of_bounds", 1);
    return b && start + bytes <= b->start + b->bytes ? OK : INVALID_VALUE;
}

int is_pinned(address start) {
    Block *b = block_of(start, 1);
    return b && b->kind == PINNED;
}

void reset_memory(void) { total = 0; }

int cuMemAlloc_v2(address *start, size_t bytes) {
    ENTER("cuMemAlloc", 1);
    return leave(take(start, bytes, DEVICE));
}

int cuMemFree_v2(address start) {
    ENTER("cuMemFree", 1);
    drain_all(); /* free waits for the device */
    return leave(give(start, DEVICE));
}

int cuMemHostAlloc(void **start, size_t bytes, unsigned flags) {
    ENTER("cuMemHostAlloc", 1);
    if (flags & ~7u) return leave(INVALID_VALUE);
    return leave(take((address *)start, bytes, PINNED));
}

int cuMemFreeHost(void *start) {
    ENTER("cuMemFreeHost", 1);
    drain_all();
    return leave(give((address)start, PINNED));
}

int cuMemHostGetDevicePointer_v2(address *start, void *host, unsigned flags) {
    ENTER("cuMemHostGetDevicePointer", 1);
    if (flags || !is_pinned((address)host)) return leave(INVALID_VALUE);
    *start = (address)host;
    return leave(OK);
}

int cuMemGetAddressRange_v2(address *start, size_t *bytes, address inside) {
    ENTER("cuMemGetAddressRange", 1);
    Block *b = block_of(inside, 1);
    if (!b) return leave(INVALID_VALUE);
    if (start) *start = b->start;
    if (bytes) *bytes = b->bytes;
    return leave(OK);
}

int cuMemGetInfo_v2(size_t *available, size_t *all) {
    ENTER("cuMemGetInfo", 1);
    *all = total_bytes();
    *available = *all - live_bytes();
    return leave(OK);
}

int cuDeviceTotalMem_v2(size_t *bytes, int device) {
    ENTER("cuDeviceTotalMem", 0);
    *bytes = total_bytes();
    return leave(device ? INVALID_DEVICE : OK);
}

/* For tests and the stand-in TensorRT. */
int standin_check(address start, size_t bytes) {
    pthread_mutex_lock(&lock);
    return leave(check_range(start, bytes));
}

int standin_holds(address start, size_t bytes) { /* the same, and no fault where it does not */
    pthread_mutex_lock(&lock);
    Block *b = block_of(start, 1);
    return leave(b && start + bytes <= b->start + b->bytes);
}

void standin_set_memory(uint64_t bytes) {
    pthread_mutex_lock(&lock);
    total = bytes;
    pthread_mutex_unlock(&lock);
}
