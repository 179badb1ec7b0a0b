/* The least that can be done to serve a token: accept, read to the end of a request, write a canned answer.
 *
 *   server SOCKET ANSWER-FILE     serves until it is killed; one process, epoll, any number of connections
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv) {
    static char answer[65536], request[65536];
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    if (argc != 3) return 2;
    int file = open(argv[2], O_RDONLY);
    ssize_t length = read(file, answer, sizeof answer);
    if (length <= 0) return 1;
    umask(077);
    strncpy(name.sun_path, argv[1], sizeof name.sun_path - 1);
    int door = socket(AF_UNIX, SOCK_STREAM, 0), queue = epoll_create1(0);
    if (bind(door, (struct sockaddr *)&name, sizeof name) < 0 || listen(door, 4096) < 0) {
        perror(argv[1]);
        return 1;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.fd = door};
    epoll_ctl(queue, EPOLL_CTL_ADD, door, &event);
    for (;;) {
        if (epoll_wait(queue, &event, 1, -1) != 1) continue;
        int fd = event.data.fd;
        if (fd == door) {
            event.events = EPOLLIN;
            event.data.fd = accept4(door, NULL, NULL, SOCK_CLOEXEC);
            if (event.data.fd >= 0) epoll_ctl(queue, EPOLL_CTL_ADD, event.data.fd, &event);
            continue;
        }
        /* The requests measured are small and come in one piece. */
        if (read(fd, request, sizeof request) <= 0 || write(fd, answer, (size_t)length) != length) close(fd);
    }
}
