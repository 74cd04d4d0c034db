/* One device, its primary context, and a stack of contexts for every thread. */
#include "standin.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH = 64, CONTEXTS = 64 };
int initialised;
static Context primary, made[CONTEXTS];
static int retained, contexts;
static __thread struct { Context *stack[DEPTH]; int depth; } mine;
static pthread_key_t at_exit;

static void thread_ends(void *unused) {
    (void)unused;
    pthread_mutex_lock(&lock);
    int left = 0;
    for (int i = 0; i < mine.depth; i++) left += mine.stack[i]->alive;
    if (left) add("threads_ended_pushed", 1);
    pthread_mutex_unlock(&lock);
}

Context *current(void) { return mine.depth ? mine.stack[mine.depth - 1] : NULL; }

void kill_context(int code) {
    Context *context = current();
    if (!context) context = &primary;
    if (!context->dead) context->dead = code;
}

void revive(void) {
    primary.dead = 0;
    for (int i = 0; i < contexts; i++) made[i].dead = 0;
}

int cuInit(unsigned flags) {
    ENTER("cuInit", -1);
    if (flags) return leave(INVALID_VALUE);
    if (!initialised) pthread_key_create(&at_exit, thread_ends);
    initialised = 1;
    return leave(OK);
}

int cuDriverGetVersion(int *version) { *version = 12060; return OK; }
int cuDeviceGetCount(int *count) { ENTER("cuDeviceGetCount", 0); *count = 1; return leave(OK); }

int cuDeviceGet(int *device, int ordinal) {
    ENTER("cuDeviceGet", 0);
    *device = 0;
    return leave(ordinal ? INVALID_DEVICE : OK);
}

int cuDeviceGetName(char *name, int length, int device) {
    ENTER("cuDeviceGetName", 0);
    const char *given = getenv("FACEEDGE_STANDIN_GPU");
    snprintf(name, (size_t)length, "%s", given ? given : "Orin (stand-in)");
    return leave(device ? INVALID_DEVICE : OK);
}

int cuDeviceGetPCIBusId(char *name, int length, int device) {
    ENTER("cuDeviceGetPCIBusId", 0);
    snprintf(name, (size_t)length, "0000:00:00.0");
    return leave(device ? INVALID_DEVICE : OK);
}

static void compute(int *major, int *minor) {
    const char *given = getenv("FACEEDGE_STANDIN_COMPUTE");
    if (!given || sscanf(given, "%d.%d", major, minor) != 2) *major = 8, *minor = 7;
}

int cuDeviceComputeCapability(int *major, int *minor, int device) {
    ENTER("cuDeviceComputeCapability", 0);
    compute(major, minor);
    return leave(device ? INVALID_DEVICE : OK);
}

int cuDeviceGetAttribute(int *value, int attribute, int device) {
    static const int known[][2] = {
        {1, 1024}, {2, 1024}, {3, 1024}, {4, 64}, {5, 2147483647}, {6, 65535}, {7, 65535}, {8, 49152}, {10, 32},
        {13, 918000}, {16, 8}, {18, 1}, {19, 1}, {31, 1}, {33, 0}, {34, 0}, {41, 1},
    };
    ENTER("cuDeviceGetAttribute", 0);
    int major, minor, code = INVALID_VALUE;
    compute(&major, &minor);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i][0] == attribute) *value = known[i][1], code = OK;
    if (attribute == 75) *value = major, code = OK;
    if (attribute == 76) *value = minor, code = OK;
    return leave(device ? INVALID_DEVICE : code);
}

int cuDevicePrimaryCtxRetain(Context **context, int device) {
    ENTER("cuDevicePrimaryCtxRetain", 0);
    if (device) return leave(INVALID_DEVICE);
    if (!retained++) primary.alive = 1, primary.dead = 0;
    add("live_contexts", 1);
    *context = &primary;
    return leave(OK);
}

int cuDevicePrimaryCtxRelease_v2(int device) {
    ENTER("cuDevicePrimaryCtxRelease", 0);
    if (device || !retained) return leave(INVALID_CONTEXT);
    drain_all();
    add("live_contexts", -1);
    if (!--retained) primary.alive = 0;
    return leave(OK);
}
int cuDevicePrimaryCtxRelease(int device) { return cuDevicePrimaryCtxRelease_v2(device); }

static int push(Context *context) {
    if (mine.depth == DEPTH || !context || !context->alive) return INVALID_CONTEXT;
    pthread_setspecific(at_exit, &mine);
    mine.stack[mine.depth++] = context;
    return OK;
}

int cuCtxCreate_v2(Context **context, unsigned flags, int device) {
    ENTER("cuCtxCreate", 0);
    (void)flags;
    if (device || contexts == CONTEXTS) return leave(INVALID_DEVICE);
    *context = &made[contexts++];
    **context = (Context){.alive = 1};
    add("live_contexts", 1);
    return leave(push(*context));
}

int cuCtxDetach(Context *context) {
    ENTER("cuCtxDetach", 0);
    if (!context || !context->alive) return leave(INVALID_CONTEXT);
    drain_all();
    context->alive = 0;
    add("live_contexts", -1);
    if (current() == context) mine.depth--;
    return leave(OK);
}

int cuCtxPushCurrent_v2(Context *context) {
    ENTER("cuCtxPushCurrent", 0);
    return leave(push(context));
}

int cuCtxPopCurrent_v2(Context **context) {
    ENTER("cuCtxPopCurrent", 0);
    if (!mine.depth) return leave(INVALID_CONTEXT);
    mine.depth--;
    if (context) *context = mine.stack[mine.depth];
    return leave(OK);
}

int cuCtxGetDevice(int *device) { ENTER("cuCtxGetDevice", 1); *device = 0; return leave(OK); }

int cuCtxGetApiVersion(Context *context, unsigned *version) {
    ENTER("cuCtxGetApiVersion", 0);
    *version = 12060;
    return leave(context && context->alive ? OK : INVALID_CONTEXT);
}

int cuCtxSynchronize(void) {
    ENTER("cuCtxSynchronize", 1);
    add("spinning_waits", 1);
    drain_all();
    return leave(current()->dead);
}

int cuGetErrorString(int code, const char **text) {
    static const struct { int code; const char *text; } known[] = {
        {OK, "no error"}, {INVALID_VALUE, "invalid argument"}, {OUT_OF_MEMORY, "out of memory"},
        {NOT_INITIALIZED, "initialization error"}, {NO_DEVICE, "no CUDA-capable device is detected"},
        {INVALID_DEVICE, "invalid device ordinal"}, {INVALID_IMAGE, "device kernel image is invalid"},
        {INVALID_CONTEXT, "invalid device context"}, {FILE_NOT_FOUND, "file not found"},
        {NO_BINARY_FOR_GPU, "no kernel image is available for execution on the device"},
        {INVALID_HANDLE, "invalid resource handle"}, {NOT_FOUND, "named symbol not found"},
        {NOT_READY, "device not ready"}, {ILLEGAL_ADDRESS, "an illegal memory access was encountered"},
        {CONTEXT_IS_DESTROYED, "context is destroyed"}, {LAUNCH_FAILED, "unspecified launch failure"},
        {NOT_SUPPORTED, "operation not supported (by the stand-in driver)"},
    };
    *text = "unrecognized error code";
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].code == code) *text = known[i].text;
    return OK;
}

/* For tests and the stand-in TensorRT. */
int standin_current(void) { /* 0: this thread has a context that works */
    pthread_mutex_lock(&lock);
    Context *context = current();
    int code = !context ? INVALID_CONTEXT : !context->alive ? CONTEXT_IS_DESTROYED : context->dead;
    return leave(code);
}

int standin_depth(void) { return mine.depth; }
