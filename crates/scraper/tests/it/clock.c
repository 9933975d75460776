/* For LD_PRELOAD: the time of day is CLOCK_SKEW seconds off. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    const char *skew = getenv("CLOCK_SKEW");
    if (result == 0 && clock == CLOCK_REALTIME && skew)
        now->tv_sec += atol(skew);
    return result;
}
