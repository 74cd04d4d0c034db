/* Modules are shared objects for this machine, kernels their functions host_<name>, run over the whole grid at once.

   extern "C" void host_<kernel>(const unsigned grid[3], const unsigned block[3], void **arguments);
   extern "C" const char host_<kernel>_arguments[];     one letter an argument, as in Python's `struct`: "PPiiif"
*/
#define _GNU_SOURCE
#include "standin.h"
#include <dlfcn.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct Module { void *handle; int alive; } Module;
typedef struct Function {
    Module *module;
    void (*run)(const unsigned *, const unsigned *, void **);
    const char *arguments;
    char name[80];
} Function;
enum { MODULES = 64, FUNCTIONS = 256, ARGUMENTS = 32, EM_CUDA_ = 190, CHUNK = 16 };
static Module modules[MODULES];
static Function functions[FUNCTIONS];
static int module_count, function_count;

static int machine(void) {
    Elf64_Ehdr own;
    FILE *self = fopen("/proc/self/exe", "rb");
    size_t read = self ? fread(&own, sizeof own, 1, self) : 0;
    if (self) fclose(self);
    return read ? own.e_machine : -1;
}

static int check_image(const Elf64_Ehdr *header) {
    if (memcmp(header->e_ident, ELFMAG, SELFMAG)) return INVALID_IMAGE; /* PTX too: the stand-in compiles nothing */
    return header->e_machine == machine() ? OK : NO_BINARY_FOR_GPU;
}

static int open_module(Module **module, const char *path) {
    if (module_count == MODULES) return OUT_OF_MEMORY;
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) { say("%s", dlerror()); return INVALID_IMAGE; }
    *module = &modules[module_count++];
    **module = (Module){handle, 1};
    add("live_modules", 1);
    return OK;
}

int cuModuleLoad(Module **module, const char *path) {
    ENTER("cuModuleLoad", 1);
    Elf64_Ehdr header = {0};
    FILE *file = fopen(path, "rb");
    if (!file) return leave(FILE_NOT_FOUND);
    size_t read = fread(&header, sizeof header, 1, file);
    fclose(file);
    int code = read ? check_image(&header) : INVALID_IMAGE;
    return leave(code ? code : open_module(module, path));
}

/* The size is not given; the table of sections is the end of what a linker writes. */
static int load_bytes(Module **module, const void *image) {
    if (!image) return INVALID_VALUE;
    const Elf64_Ehdr *header = image;
    int code = check_image(header);
    if (code) return code;
    size_t bytes = header->e_shoff + (size_t)header->e_shnum * header->e_shentsize;
    int file = memfd_create("module", 0);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    code = write(file, image, bytes) == (ssize_t)bytes ? open_module(module, path) : INVALID_IMAGE;
    (void)!dup(file); /* the number stays taken: dlopen knows a library by its path */
    return code;
}

int cuModuleLoadData(Module **module, const void *image) {
    ENTER("cuModuleLoadData", 1);
    return leave(load_bytes(module, image));
}

int cuModuleLoadDataEx(Module **module, const void *image, unsigned count, int *options, void **values) {
    ENTER("cuModuleLoadDataEx", 1);
    for (unsigned i = 0; i < count; i++) { /* logs of the compiler, and their sizes: nothing was compiled */
        if (options[i] == 3 || options[i] == 5) *(char *)values[i] = 0;
        if (options[i] == 4 || options[i] == 6) values[i] = NULL;
    }
    return leave(load_bytes(module, image));
}

static int is_module(const Module *m) { return m >= modules && m < modules + module_count && m->alive; }

int cuModuleUnload(Module *module) {
    ENTER("cuModuleUnload", 1);
    if (!is_module(module)) return leave(INVALID_HANDLE);
    drain_all();
    module->alive = 0; /* stays open: its addresses are not given out again */
    add("live_modules", -1);
    return leave(OK);
}

int cuModuleGetFunction(Function **function, Module *module, const char *name) {
    ENTER("cuModuleGetFunction", 1);
    if (!is_module(module)) return leave(INVALID_HANDLE);
    if (function_count == FUNCTIONS) return leave(OUT_OF_MEMORY);
    Function f = {.module = module};
    char symbol[128];
    snprintf(symbol, sizeof symbol, "host_%s", name);
    *(void **)&f.run = dlsym(module->handle, symbol);
    snprintf(symbol, sizeof symbol, "host_%s_arguments", name);
    f.arguments = dlsym(module->handle, symbol);
    snprintf(f.name, sizeof f.name, "%s", name);
    if (!f.run) return leave(NOT_FOUND);
    functions[function_count] = f;
    *function = &functions[function_count++];
    return leave(OK);
}

int cuFuncGetAttribute(int *value, int attribute, Function *function) {
    ENTER("cuFuncGetAttribute", 1);
    if (function < functions || function >= functions + function_count) return leave(INVALID_HANDLE);
    *value = attribute == 0 ? 1024 : 0;
    return leave(attribute > 9 ? INVALID_VALUE : OK);
}

int cuFuncSetCacheConfig(Function *function, int config) {
    ENTER("cuFuncSetCacheConfig", 1);
    (void)config;
    return leave(function < functions || function >= functions + function_count ? INVALID_HANDLE : OK);
}

static size_t size_of(char letter) {
    return strchr("PqQd", letter) ? 8 : strchr("iIf", letter) ? 4 : strchr("hH", letter) ? 2 : 1;
}

/* Copies the arguments and points at each: from a packed buffer (naturally aligned), or one by one. */
static int unpack(const Function *f, Operation *o, void **each, const char *packed, size_t bytes) {
    if (!f->arguments || strlen(f->arguments) > ARGUMENTS) {
        say("%s: no host_%s_arguments beside it, or more than %d", f->name, f->name, ARGUMENTS);
        return INVALID_VALUE;
    }
    size_t count = strlen(f->arguments), offset = 0, largest = 1;
    o->owned = calloc(1, ARGUMENTS * (sizeof(void *) + CHUNK));
    o->arguments = o->owned;
    char *values = (char *)o->owned + ARGUMENTS * sizeof(void *);
    for (size_t i = 0; i < count; i++) {
        size_t size = size_of(f->arguments[i]);
        largest = size > largest ? size : largest;
        offset = (offset + size - 1) / size * size;
        if (!each && offset + size > bytes) { offset = SIZE_MAX / 2; break; }
        o->arguments[i] = memcpy(values + i * CHUNK, each ? each[i] : packed + offset, size);
        offset += size;
        address *value = o->arguments[i];
        if (f->arguments[i] == 'P' && *value && check_range(*value, 1)) {
            say("%s: argument %zu is no address of the device", f->name, i);
            kill_context(ILLEGAL_ADDRESS); /* the kernel would fault when it runs */
            return ILLEGAL_ADDRESS;
        }
    }
    size_t padded = (offset + largest - 1) / largest * largest; /* where one struct holds them all */
    if (each || offset == bytes || padded == bytes) return OK;
    say("%s takes \"%s\", given were %zu bytes", f->name, f->arguments, bytes);
    return INVALID_VALUE;
}

static int grid_is_allowed(const unsigned *grid, const unsigned *block) {
    for (int i = 0; i < 3; i++) if (!grid[i] || !block[i]) return 0;
    return block[0] * block[1] * block[2] <= 1024 && block[2] <= 64 && grid[1] <= 65535 && grid[2] <= 65535;
}

int cuLaunchKernel(Function *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned shared, Stream *stream, void **each, void **extra) {
    ENTER("cuLaunchKernel", 1);
    if (f < functions || f >= functions + function_count || !is_module(f->module)) return leave(INVALID_HANDLE);
    if (stream && !is_stream(stream)) return leave(INVALID_HANDLE);
    Operation o = {.kind = KERNEL, .kernel = f->run, .grid = {gx, gy, gz}, .block = {bx, by, bz}};
    if (!grid_is_allowed(o.grid, o.block) || shared > 49152) return leave(INVALID_VALUE);
    const char *packed = NULL;
    size_t bytes = 0;
    for (int i = 0; extra && extra[i]; i += 2) { /* 1: the buffer, 2: a pointer to its size, 0: the end */
        if (extra[i] == (void *)1) packed = extra[i + 1];
        if (extra[i] == (void *)2) bytes = *(size_t *)extra[i + 1];
    }
    int code = unpack(f, &o, each, packed, bytes);
    if (code) { free(o.owned); return leave(code); }
    add("kernels", 1);
    submit(stream, o);
    return leave(OK);
}

/* pycuda still says both before it launches; the launch says them again. */
static int told(const char *call, Function *f) {
    ENTER(call, 1);
    return leave(f < functions || f >= functions + function_count ? INVALID_HANDLE : OK);
}
int cuFuncSetBlockShape(Function *f, int x, int y, int z) { (void)x, (void)y, (void)z; return told("cuFuncSetBlockShape", f); }
int cuFuncSetSharedSize(Function *f, unsigned bytes) { (void)bytes; return told("cuFuncSetSharedSize", f); }
