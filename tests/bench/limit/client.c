/* The least that can be done for a token: connect, ask, print. It checks nothing, and serves as a limit only.
 *
 *   client SOCKET          asks once and prints the token
 *   client SOCKET N        asks N times on one connection, and prints the median and the best of the N in nanoseconds
 *   client SOCKET N new    the same with a new connection for each
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static const char request[] =
    "POST /v1/token HTTP/1.1\r\nhost: brokerd\r\ncontent-type: application/json\r\ncontent-length: 23\r\n\r\n"
    "{\"interaction\":\"never\"}";

static int dial(const char *path) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    strncpy(name.sun_path, path, sizeof name.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&name, sizeof name) < 0) {
        perror(path);
        exit(1);
    }
    return fd;
}

/* Reads one answer whole; returns its length. */
static size_t ask(int fd, char *answer, size_t room) {
    size_t have = 0, want = 0;
    if (write(fd, request, sizeof request - 1) != (ssize_t)(sizeof request - 1)) exit(1);
    while (!want || have < want) {
        ssize_t count = read(fd, answer + have, room - 1 - have);
        if (count <= 0) exit(1);
        have += (size_t)count;
        answer[have] = 0;
        char *end = want ? NULL : strstr(answer, "\r\n\r\n");
        if (end) {
            char *length = strcasestr(answer, "\r\ncontent-length:");
            if (!length) exit(1);
            want = (size_t)(end + 4 - answer) + strtoul(length + 17, NULL, 10);
        }
    }
    return have;
}

static int ascending(const void *one, const void *other) {
    uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;
    return (a > b) - (a < b);
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

int main(int argc, char **argv) {
    static char answer[65536];
    if (argc < 2) return 2;
    if (argc == 2) {
        ask(dial(argv[1]), answer, sizeof answer);
        char *token = strstr(answer, "\"access_token\":\"");
        char *end = token ? strchr(token + 16, '"') : NULL;
        if (!end) return 1;
        *end = '\n';
        return write(1, token + 16, (size_t)(end + 1 - token - 16)) < 0;
    }
    size_t count = strtoul(argv[2], NULL, 10), number;
    int fresh = argc > 3, fd = fresh ? -1 : dial(argv[1]);
    uint64_t *took = calloc(count, sizeof *took);
    if (!took || !count) return 1;
    for (number = 0; number < count; number++) {
        uint64_t start = now();
        if (fresh) fd = dial(argv[1]);
        ask(fd, answer, sizeof answer);
        if (fresh) close(fd);
        took[number] = now() - start;
    }
    qsort(took, count, sizeof *took, ascending);
    printf("%lu %lu\n", (unsigned long)took[count / 2], (unsigned long)took[0]);
    return 0;
}
