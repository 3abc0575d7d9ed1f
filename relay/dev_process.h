/* The child processes of `pgherald dev`: started as an unprivileged user, in a
 * process group of their own (Ctrl-C is for dev alone, which stops them in
 * order), and told to end by the kernel should dev die first. dev takes its
 * signals here too, in dev_pause(): nothing else of it is interrupted. */
#ifndef PGHERALD_DEV_PROCESS_H
#define PGHERALD_DEV_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { DEV_ERROR_BYTES = 1536 };

/* Fills in error and returns false, so that a caller can return it. */
__attribute__((format(printf, 2, 3))) bool dev_fail(char error[DEV_ERROR_BYTES], const char *format, ...);

struct dev_user {
    char name[64];
    uid_t uid;
    gid_t gid;
    bool change; /* dev is root: children become this user first */
};

struct dev_process {
    const char *name; /* for messages; borrowed */
    pid_t pid;        /* 0: none */
    int status;       /* as of waitpid(), once pid is 0 again */
};

struct dev_program {
    const char *file;
    char *const *argv;
    char *const *envp;
    const char *folder; /* working directory */
    int output;         /* a file descriptor for both outputs; -1: dev's own */
    int death_signal;   /* what the kernel sends when dev dies */
};

/* SIGINT, SIGTERM, SIGHUP and SIGCHLD wait for dev_pause() from now on. */
void dev_signals_hold(void);

/* Waits ms, less when a child ends or a signal says stop. False once it has. */
bool dev_pause(int ms);

/* Whom children run as: dev's own user, or for root the owner of folder, or
 * postgres, or nobody. False: error says what is wrong. */
bool dev_user_choose(struct dev_user *user, const char *folder, char error[DEV_ERROR_BYTES]);

/* access(2) as that user: a folder above path may be closed to it. */
bool dev_user_can(const struct dev_user *user, const char *path, int mode);

bool dev_process_start(struct dev_process *process, const struct dev_user *user,
                       const struct dev_program *program, char error[DEV_ERROR_BYTES]);
bool dev_process_running(struct dev_process *process);

/* Waits for its end. False: still running at deadline_ms, or asked to stop. */
bool dev_process_wait(struct dev_process *process, uint64_t deadline_ms);

/* Sends signal, and SIGKILL to its whole group if that does not end it within grace_ms. */
void dev_process_stop(struct dev_process *process, int signal, uint64_t grace_ms);

/* "ended with status 1", "was ended by signal 9". */
void dev_process_describe(const struct dev_process *process, char *out, size_t size);

/* Runs a program and reads the first line it prints; "" when that fails. */
void dev_first_line(char *const argv[], char *line, size_t size);

#endif
