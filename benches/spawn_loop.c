/* The floor under every runner: start a program so many times, at most two at once, and do nothing else.
 * usage: spawn_loop COUNT WIDTH PROGRAM [ARG…] */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

extern char **environ;

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: spawn_loop COUNT WIDTH PROGRAM [ARG...]\n");
        return 2;
    }
    long count = atol(argv[1]), width = atol(argv[2]), started = 0, ended = 0;
    while (ended < count) {
        while (started < count && started - ended < width) {
            pid_t pid;
            if (posix_spawn(&pid, argv[3], NULL, NULL, argv + 3, environ) != 0) {
                perror(argv[3]);
                return 1;
            }
            started++;
        }
        int status;
        if (wait(&status) < 0 || status != 0) {
            fprintf(stderr, "a child failed\n");
            return 1;
        }
        ended++;
    }
    return 0;
}
