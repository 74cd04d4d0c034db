// Frames and crops (uint8, BGR, packed) in; canvases, crops and tensors out. nvcc makes kernels of this, run by
// cuda_preprocess.py. The tests compile the same source with g++ -DFACEEDGE_HOST and compare it with OpenCV.
//
// The arithmetic is that of OpenCV 5 on a CPU, step by step, so that a network sees the same pixels wherever it runs.
// Compile with -fmad=false (g++: -ffp-contract=off): where OpenCV fuses a multiplication and an addition, fmaf says so.

#include <math.h>
#include <stddef.h>
#include <stdint.h>

// A kernel has one parameter, a struct without gaps; `letters` describes it as Python's `struct` does.
#ifdef FACEEDGE_HOST
#include <string.h>

#define BOTH static inline

// The struct, from pointers to its members.
template <class Arguments> static Arguments gathered(const char *letters, void **members) {
    Arguments found;
    char *place = (char *)&found;
    for (int i = 0; letters[i]; ++i) {
        const size_t size = strchr("Pd", letters[i]) ? 8 : 4;
        memcpy(place, members[i], size);
        place += size;
    }
    return found;
}

// host_<kernel> runs the whole grid, one thread after the other.
#define KERNEL(name, Arguments, letters)                                                                      \
    extern "C" {                                                                                              \
    extern const char host_##name##_arguments[] = letters;                                                    \
    extern const int host_##name##_bytes = sizeof(Arguments);                                                 \
    void host_##name(const unsigned grid[3], const unsigned block[3], void **members) {                       \
        const Arguments a = gathered<Arguments>(letters, members);                                            \
        for (unsigned z = 0; z < grid[2] * block[2]; ++z)                                                     \
            for (unsigned y = 0; y < grid[1] * block[1]; ++y)                                                 \
                for (unsigned x = 0; x < grid[0] * block[0]; ++x) name##_at(a, x, y, z);                      \
    }                                                                                                         \
    }
#else
#define BOTH __device__ static inline
#define KERNEL(name, Arguments, letters)                                                           \
    extern "C" __global__ void name(const Arguments a) {                                           \
        name##_at(a, blockIdx.x * blockDim.x + threadIdx.x, blockIdx.y * blockDim.y + threadIdx.y, \
                  blockIdx.z * blockDim.z + threadIdx.z);                                          \
    }
#endif

// Numbers in the order of the network's channels; rgb: that order is red first.
struct Normalisation {
    float mean[3];
    float scale[3];
    int32_t rgb;
};

// Writes one pixel into three planes that lie `plane` values apart.
BOTH void put(const Normalisation &norm, const uint8_t bgr[3], float *out, size_t plane) {
    for (int channel = 0; channel < 3; ++channel) {
        const float value = bgr[norm.rgb ? 2 - channel : channel];
        out[channel * plane] = (value - norm.mean[channel]) * norm.scale[channel];
    }
}

// --- Letterbox: cv2.resize with INTER_LINEAR: weights of 11 bits, the first of the two sums cut to 4 bits fewer.

const int WEIGHT_ONE = 2048;

// Where a target pixel lies between two source pixels, and their weights.
struct Between {
    int first, second, weight_first, weight_second;
};

BOTH Between between(int target, double scale, int side, bool edges_whole) {
    float part = (float)((target + 0.5) * scale - 0.5);  // in doubles, then cut: this decides the last bit of weights
    int first = (int)floorf(part);
    part -= first;
    if (edges_whole && (first < 0 || first >= side - 1)) {
        first = first < 0 ? 0 : side - 1;
        part = 0;
    }
    Between found;
    found.weight_first = (int)rintf((1.f - part) * WEIGHT_ONE);
    found.weight_second = (int)rintf(part * WEIGHT_ONE);
    found.second = first + 1 < side ? first + 1 : side - 1;
    found.first = first < 0 ? 0 : first < side ? first : side - 1;
    return found;
}

BOTH uint8_t resized(const uint8_t *above, const uint8_t *below, Between x, Between y) {
    const int sum_above = above[x.first * 3] * x.weight_first + above[x.second * 3] * x.weight_second;
    const int sum_below = below[x.first * 3] * x.weight_first + below[x.second * 3] * x.weight_second;
    const int first = (y.weight_first * (sum_above >> 4)) >> 16;
    const int second = (y.weight_second * (sum_below >> 4)) >> 16;
    return (uint8_t)((first + second + 2) >> 2);
}

// One frame onto one canvas, (3, canvas_height, canvas_width), black where the level is not. step: source px a level px;
// stride: bytes a row.
struct Letterbox {
    const uint8_t *frame;
    float *out;
    double step_x, step_y;
    int32_t frame_width, frame_height, frame_stride, canvas_width, canvas_height;
    int32_t level_x, level_y, level_width, level_height;
    Normalisation norm;
};

BOTH void letterbox_at(const Letterbox &a, int x, int y, int) {
    if (x >= a.canvas_width || y >= a.canvas_height) return;
    uint8_t bgr[3] = {0, 0, 0};
    const int on_x = x - a.level_x, on_y = y - a.level_y;
    if (on_x >= 0 && on_x < a.level_width && on_y >= 0 && on_y < a.level_height) {
        const Between from_x = between(on_x, a.step_x, a.frame_width, true);
        const Between from_y = between(on_y, a.step_y, a.frame_height, false);
        const uint8_t *above = a.frame + (size_t)from_y.first * a.frame_stride;
        const uint8_t *below = a.frame + (size_t)from_y.second * a.frame_stride;
        for (int channel = 0; channel < 3; ++channel)
            bgr[channel] = resized(above + channel, below + channel, from_x, from_y);
    }
    const size_t plane = (size_t)a.canvas_width * a.canvas_height;
    put(a.norm, bgr, a.out + (size_t)y * a.canvas_width + x, plane);
}

KERNEL(letterbox, Letterbox, "PPddiiiiiiiiiffffffi")

// --- Warp: cv2.warpAffine with INTER_LINEAR | WARP_INVERSE_MAP and a black border: floats, rounded to even at the end.

// Crops (count, height, width, 3) of one frame. matrices: (count, 2, 3), crop px to frame px.
struct Warp {
    const uint8_t *frame;
    const float *matrices;
    uint8_t *out;
    int32_t frame_width, frame_height, frame_stride, width, height, count;
};

BOTH float pixel(const Warp &a, int x, int y, int channel) {
    const bool inside = x >= 0 && x < a.frame_width && y >= 0 && y < a.frame_height;
    return inside ? a.frame[(size_t)y * a.frame_stride + x * 3 + channel] : 0.f;
}

BOTH uint8_t warped(const Warp &a, float x, float y, int channel) {
    const int left = (int)floorf(x), top = (int)floorf(y);
    const float right_part = x - left, low_part = y - top;
    const float top_left = pixel(a, left, top, channel), low_left = pixel(a, left, top + 1, channel);
    const float high = fmaf(right_part, pixel(a, left + 1, top, channel) - top_left, top_left);
    const float low = fmaf(right_part, pixel(a, left + 1, top + 1, channel) - low_left, low_left);
    return (uint8_t)rintf(fmaf(low_part, low - high, high));  // between 0 and 255, as its four sources are
}

BOTH void warp_at(const Warp &a, int x, int y, int crop) {
    if (x >= a.width || y >= a.height || crop >= a.count) return;
    const float *m = a.matrices + crop * 6;
    const float from_x = fmaf(m[0], (float)x, m[1] * y + m[2]);
    const float from_y = fmaf(m[3], (float)x, m[4] * y + m[5]);
    // Written so that what is no number is outside too.
    const bool near = from_x > -1 && from_x < a.frame_width && from_y > -1 && from_y < a.frame_height;
    uint8_t *out = a.out + (((size_t)crop * a.height + y) * a.width + x) * 3;
    for (int channel = 0; channel < 3; ++channel) out[channel] = near ? warped(a, from_x, from_y, channel) : 0;
}

KERNEL(warp, Warp, "PPPiiiiii")

// --- Normalise: crops (count, height, width, 3) to a tensor (count, 3, height, width).

struct Normalise {
    const uint8_t *crops;
    float *out;
    int32_t width, height, count;
    Normalisation norm;
};

BOTH void normalise_at(const Normalise &a, int x, int y, int crop) {
    if (x >= a.width || y >= a.height || crop >= a.count) return;
    const size_t plane = (size_t)a.width * a.height, place = (size_t)y * a.width + x;
    put(a.norm, a.crops + (crop * plane + place) * 3, a.out + crop * 3 * plane + place, plane);
}

KERNEL(normalise, Normalise, "PPiiiffffffi")
