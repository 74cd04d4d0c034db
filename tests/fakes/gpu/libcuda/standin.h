/* What the parts of the stand-in driver share. Everything below is called with the lock held unless it says otherwise. */
#ifndef STANDIN_H
#define STANDIN_H
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

enum {
    OK = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_INITIALIZED = 3, NO_DEVICE = 100, INVALID_DEVICE = 101,
    INVALID_IMAGE = 200, INVALID_CONTEXT = 201, NO_BINARY_FOR_GPU = 209, FILE_NOT_FOUND = 301, INVALID_HANDLE = 400,
    NOT_FOUND = 500, NOT_READY = 600, ILLEGAL_ADDRESS = 700, CONTEXT_IS_DESTROYED = 709, LAUNCH_FAILED = 719,
    NOT_SUPPORTED = 801
};

typedef uint64_t address;
typedef struct Context { int alive, dead; } Context; /* dead: the code that every call answers from now on */
typedef struct Stream Stream;
typedef struct Event { Stream *stream; unsigned flags; uint64_t asked, done; double at_ms; } Event;
typedef struct Operation {
    enum { COPY, FILL, KERNEL, STEP, RECORD, WAIT } kind;
    struct Operation *next;
    address to, from;          /* COPY, FILL; sizes in bytes */
    size_t bytes;
    unsigned value, width;     /* FILL: a pattern of 1, 2 or 4 bytes */
    void *owned;               /* freed with the operation */
    void (*kernel)(const unsigned *, const unsigned *, void **);
    unsigned grid[3], block[3];
    void **arguments;          /* KERNEL: into owned */
    int (*step)(void *);
    void *user;
    Event *event;              /* RECORD, WAIT */
    uint64_t ticket;
} Operation;

/* calls.c */
extern pthread_mutex_t lock;
extern pthread_cond_t changed;
void add(const char *counter, int64_t by);
int enter(const char *call, int needs_context); /* takes the lock; a code other than OK has given it back */
int leave(int code);                            /* gives the lock back */
void say(const char *format, ...);
double now_ms(void);
#define ENTER(call, needs_context) do { int c_ = enter(call, needs_context); if (c_) return c_; } while (0)

/* device.c */
extern int initialised;
Context *current(void);
void kill_context(int code);
void revive(void);

/* memory.c */
int check_range(address start, size_t bytes);
int is_pinned(address start);
int zones_are_whole(void);
void reset_memory(void);

/* stream.c */
int is_stream(void *handle);
int is_event(void *handle);
void drain_all(void);
void submit(Stream *stream, Operation operation); /* the null stream runs it at once, after all others */
int drain(Stream *stream, int wait);
#endif
