/* Streams are queues that run when somebody waits: who reads a result without waiting reads what was there before. */
#include "standin.h"
#include <stdlib.h>
#include <string.h>

struct Stream { Operation *head, *tail; int running; pthread_t runner; Context *context; };
enum { HANDLES = 4096 };
static void *streams[HANDLES], *events[HANDLES];

static int place(void **handles, void *handle) {
    for (int i = 0; i < HANDLES; i++) if (handles[i] == handle) return i;
    return -1;
}
int is_stream(void *handle) { return handle && place(streams, handle) >= 0; }
int is_event(void *handle) { return handle && place(events, handle) >= 0; }
static int is_stream_or_null(void *handle) { return !handle || is_stream(handle); }

static void fill(Operation *o) {
    for (size_t i = 0; i < o->bytes / o->width; i++) memcpy((char *)o->to + i * o->width, &o->value, o->width);
}

static void wait_for(Event *event, uint64_t ticket);

static int perform(Operation *o) {
    int code = OK;
    switch (o->kind) {
    case COPY: memmove((void *)o->to, (void *)o->from, o->bytes); break;
    case FILL: fill(o); break;
    case KERNEL: o->kernel(o->grid, o->block, o->arguments); break;
    case STEP: /* Python: it may need what another thread holds */
        pthread_mutex_unlock(&lock);
        code = o->step(o->user);
        pthread_mutex_lock(&lock);
        break;
    case RECORD:
        if (is_event(o->event)) o->event->done = o->ticket, o->event->at_ms = now_ms();
        break;
    case WAIT: if (is_event(o->event)) wait_for(o->event, o->ticket); break;
    }
    if (!code && !zones_are_whole()) code = ILLEGAL_ADDRESS;
    return code;
}

static void run_one(Stream *stream) {
    Operation *o = stream->head;
    stream->head = o->next;
    stream->running = 1, stream->runner = pthread_self();
    int code = stream->context->dead && o->kind != RECORD ? OK : perform(o);
    if (code && !stream->context->dead) stream->context->dead = code;
    stream->running = 0;
    pthread_cond_broadcast(&changed);
    free(o->owned);
    free(o);
}

/* 1 when the stream is empty. wait: also for what another thread runs on it; not with the GIL held. */
int drain(Stream *stream, int wait) {
    while (is_stream(stream) && (stream->head || stream->running)) {
        if (!stream->running) run_one(stream);
        else if (!wait || pthread_equal(stream->runner, pthread_self())) return 0;
        else pthread_cond_wait(&changed, &lock);
    }
    return 1;
}

void drain_all(void) {
    for (int i = 0; i < HANDLES; i++) if (streams[i]) drain(streams[i], 0);
}

static void wait_for(Event *event, uint64_t ticket) {
    while (is_event(event) && event->done < ticket && is_stream(event->stream)) {
        Stream *stream = event->stream;
        if (stream->running && pthread_equal(stream->runner, pthread_self())) return;
        if (stream->running) pthread_cond_wait(&changed, &lock);
        else if (stream->head) run_one(stream);
        else return;
    }
}

void submit(Stream *stream, Operation operation) {
    Stream alone = {.context = current()};
    Operation *o = malloc(sizeof *o);
    *o = operation;
    o->next = NULL;
    if (!stream) { drain_all(); alone.head = o; run_one(&alone); return; }
    if (stream->head) stream->tail->next = o; else stream->head = o;
    stream->tail = o;
}

int cuStreamCreate(Stream **stream, unsigned flags) {
    ENTER("cuStreamCreate", 1);
    int i = place(streams, NULL);
    if (flags & ~1u || i < 0) return leave(INVALID_VALUE);
    *stream = calloc(1, sizeof **stream);
    (*stream)->context = current();
    streams[i] = *stream;
    add("live_streams", 1);
    return leave(OK);
}

int cuStreamDestroy_v2(Stream *stream) {
    ENTER("cuStreamDestroy", 1);
    if (!is_stream(stream)) return leave(INVALID_HANDLE);
    drain(stream, 0);
    streams[place(streams, stream)] = NULL; /* never freed: an address names one stream only */
    add("live_streams", -1);
    return leave(OK);
}

int cuStreamSynchronize(Stream *stream) {
    ENTER("cuStreamSynchronize", 1);
    if (!is_stream_or_null(stream)) return leave(INVALID_HANDLE);
    add("spinning_waits", 1);
    if (stream) drain(stream, 1); else drain_all();
    return leave(current()->dead);
}

int cuStreamQuery(Stream *stream) {
    ENTER("cuStreamQuery", 1);
    if (!is_stream_or_null(stream)) return leave(INVALID_HANDLE);
    if (stream && stream->head && !stream->running) run_one(stream); /* time goes by */
    int busy = stream && (stream->head || stream->running);
    return leave(current()->dead ? current()->dead : busy ? NOT_READY : OK);
}

int cuStreamWaitEvent(Stream *stream, Event *event, unsigned flags) {
    ENTER("cuStreamWaitEvent", 1);
    if (!is_stream_or_null(stream) || !is_event(event) || flags) return leave(INVALID_HANDLE);
    submit(stream, (Operation){.kind = WAIT, .event = event, .ticket = event->asked});
    return leave(OK);
}

int cuEventCreate(Event **event, unsigned flags) {
    ENTER("cuEventCreate", 1);
    int i = place(events, NULL);
    if (flags & ~7u || i < 0) return leave(INVALID_VALUE);
    *event = calloc(1, sizeof **event);
    (*event)->flags = flags;
    events[i] = *event;
    add("live_events", 1);
    return leave(OK);
}

int cuEventDestroy_v2(Event *event) {
    ENTER("cuEventDestroy", 1);
    if (!is_event(event)) return leave(INVALID_HANDLE);
    events[place(events, event)] = NULL;
    add("live_events", -1);
    return leave(OK);
}

int cuEventRecord(Event *event, Stream *stream) {
    ENTER("cuEventRecord", 1);
    if (!is_event(event) || !is_stream_or_null(stream)) return leave(INVALID_HANDLE);
    event->stream = stream;
    submit(stream, (Operation){.kind = RECORD, .event = event, .ticket = ++event->asked});
    return leave(OK);
}

int cuEventSynchronize(Event *event) {
    ENTER("cuEventSynchronize", 1);
    if (!is_event(event)) return leave(INVALID_HANDLE);
    if (!(event->flags & 1)) add("spinning_waits", 1); /* made without BLOCKING_SYNC */
    wait_for(event, event->asked);
    return leave(current()->dead);
}

int cuEventQuery(Event *event) {
    ENTER("cuEventQuery", 1);
    if (!is_event(event)) return leave(INVALID_HANDLE);
    Stream *stream = event->stream;
    if (event->done < event->asked && is_stream(stream) && stream->head && !stream->running) run_one(stream);
    return leave(current()->dead ? current()->dead : event->done < event->asked ? NOT_READY : OK);
}

int cuEventElapsedTime(float *ms, Event *from, Event *to) {
    ENTER("cuEventElapsedTime", 1);
    if (!is_event(from) || !is_event(to) || (from->flags | to->flags) & 2) return leave(INVALID_HANDLE);
    if (!from->asked || !to->asked) return leave(INVALID_HANDLE);
    if (from->done < from->asked || to->done < to->asked) return leave(NOT_READY);
    *ms = (float)(to->at_ms - from->at_ms);
    return leave(OK);
}

/* For the stand-in TensorRT: a step that runs in its turn; another result than 0 is a fault of the context. */
int standin_stream(void *handle) {
    pthread_mutex_lock(&lock);
    return leave(is_stream(handle) ? OK : INVALID_HANDLE);
}

int standin_enqueue(Stream *stream, int (*step)(void *), void *user) {
    ENTER("standin_enqueue", 1);
    if (!is_stream(stream)) return leave(INVALID_HANDLE);
    submit(stream, (Operation){.kind = STEP, .step = step, .user = user});
    return leave(OK);
}
