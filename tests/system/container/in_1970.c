/* The wall clock of a board without a battery: it begins in 1970 at each boot. For LD_PRELOAD: nobody can set the clock
   of a container. Every other clock is the real one. */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *at)
{
    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
        id = CLOCK_BOOTTIME;
    return syscall(SYS_clock_gettime, id, at);
}

int gettimeofday(struct timeval *at, void *zone)
{
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return -1;
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at)
{
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return -1;
    if (at)
        *at = now.tv_sec;
    return now.tv_sec;
}
