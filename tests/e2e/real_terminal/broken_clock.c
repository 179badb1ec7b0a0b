/* Preloaded into brokerctl: a clock that fails for one thread once a file says so. Rust's standard library panics then, which
   makes a real panic in the real program, wherever that thread is. */
#include <stdlib.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
	const char *file = getenv("BROKEN_CLOCK");
	char path[4096];
	const char *thread = getpid() == syscall(SYS_gettid) ? "main" : "other";
	if (file && snprintf(path, sizeof path, "%s.%s", file, thread) < (int)sizeof path && access(path, F_OK) == 0)
		return -1;
	return (int)syscall(SYS_clock_gettime, clock, now);
}
