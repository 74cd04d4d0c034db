/* Copies and fills: ranges are checked when they are asked for, bytes move when the stream runs. */
#include "standin.h"
#include <stdlib.h>
#include <string.h>

static int copy_now(address to, address from, size_t bytes) {
    submit(NULL, (Operation){.kind = COPY, .to = to, .from = from, .bytes = bytes});
    return current()->dead;
}

int cuMemcpyHtoD_v2(address to, const void *from, size_t bytes) {
    ENTER("cuMemcpyHtoD", 1);
    int code = check_range(to, bytes);
    return leave(code ? code : copy_now(to, (address)from, bytes));
}

int cuMemcpyDtoH_v2(void *to, address from, size_t bytes) {
    ENTER("cuMemcpyDtoH", 1);
    int code = check_range(from, bytes);
    return leave(code ? code : copy_now((address)to, from, bytes));
}

int cuMemcpyDtoD_v2(address to, address from, size_t bytes) {
    ENTER("cuMemcpyDtoD", 1);
    if (check_range(to, bytes) || check_range(from, bytes)) return leave(INVALID_VALUE);
    return leave(copy_now(to, from, bytes));
}

/* A copy from pageable memory reads it at once, as CUDA's staging does; one from pinned memory reads it in its turn. */
int cuMemcpyHtoDAsync_v2(address to, const void *from, size_t bytes, Stream *stream) {
    ENTER("cuMemcpyHtoDAsync", 1);
    if (stream && !is_stream(stream)) return leave(INVALID_HANDLE);
    if (check_range(to, bytes)) return leave(INVALID_VALUE);
    Operation o = {.kind = COPY, .to = to, .from = (address)from, .bytes = bytes};
    if (!is_pinned((address)from)) {
        add("pageable_copies", 1);
        o.owned = malloc(bytes ? bytes : 1);
        memcpy(o.owned, from, bytes);
        o.from = (address)o.owned;
    } else if (check_range((address)from, bytes)) return leave(INVALID_VALUE);
    submit(stream, o);
    return leave(OK);
}

int cuMemcpyDtoHAsync_v2(void *to, address from, size_t bytes, Stream *stream) {
    ENTER("cuMemcpyDtoHAsync", 1);
    if (stream && !is_stream(stream)) return leave(INVALID_HANDLE);
    if (check_range(from, bytes)) return leave(INVALID_VALUE);
    int pinned = is_pinned((address)to);
    if (pinned && check_range((address)to, bytes)) return leave(INVALID_VALUE);
    submit(stream, (Operation){.kind = COPY, .to = (address)to, .from = from, .bytes = bytes});
    if (!pinned) {
        add("pageable_copies", 1);
        if (stream) drain(stream, 0); /* nobody promised that the memory stays */
    }
    return leave(current()->dead);
}

int cuMemcpyDtoDAsync_v2(address to, address from, size_t bytes, Stream *stream) {
    ENTER("cuMemcpyDtoDAsync", 1);
    if (stream && !is_stream(stream)) return leave(INVALID_HANDLE);
    if (check_range(to, bytes) || check_range(from, bytes)) return leave(INVALID_VALUE);
    submit(stream, (Operation){.kind = COPY, .to = to, .from = from, .bytes = bytes});
    return leave(OK);
}

static int fill(const char *call, address to, unsigned value, unsigned width, size_t count, Stream *stream) {
    ENTER(call, 1);
    if (stream && !is_stream(stream)) return leave(INVALID_HANDLE);
    if (to % width || check_range(to, count * width)) return leave(INVALID_VALUE);
    submit(stream, (Operation){.kind = FILL, .to = to, .value = value, .width = width, .bytes = count * width});
    return leave(current()->dead);
}

int cuMemsetD8_v2(address to, unsigned char v, size_t n) { return fill("cuMemsetD8", to, v, 1, n, NULL); }
int cuMemsetD16_v2(address to, unsigned short v, size_t n) { return fill("cuMemsetD16", to, v, 2, n, NULL); }
int cuMemsetD32_v2(address to, unsigned v, size_t n) { return fill("cuMemsetD32", to, v, 4, n, NULL); }
int cuMemsetD8Async(address to, unsigned char v, size_t n, Stream *s) { return fill("cuMemsetD8Async", to, v, 1, n, s); }
int cuMemsetD16Async(address to, unsigned short v, size_t n, Stream *s) { return fill("cuMemsetD16Async", to, v, 2, n, s); }
int cuMemsetD32Async(address to, unsigned v, size_t n, Stream *s) { return fill("cuMemsetD32Async", to, v, 4, n, s); }
