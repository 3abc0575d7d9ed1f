/* The child processes of `pgherald dev`. A child is named by its pid until it
 * was waited for, so that no signal can reach a stranger. */
#include "dev_process.h"

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static sigset_t held;
static bool stop_asked;

bool dev_fail(char error[DEV_ERROR_BYTES], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error, DEV_ERROR_BYTES, format, args);
    va_end(args);
    return false;
}

void dev_signals_hold(void)
{
    sigemptyset(&held);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGTERM);
    sigaddset(&held, SIGHUP);
    sigaddset(&held, SIGCHLD);
    sigprocmask(SIG_BLOCK, &held, NULL);
    signal(SIGPIPE, SIG_IGN);
}

bool dev_pause(int ms)
{
    struct timespec limit = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    int number = sigtimedwait(&held, NULL, &limit);
    if (number > 0 && number != SIGCHLD)
        stop_asked = true;
    return !stop_asked;
}

/* ---- users ---- */

static bool user_from(struct dev_user *user, const struct passwd *entry, bool change)
{
    if (!entry)
        return false;
    snprintf(user->name, sizeof user->name, "%s", entry->pw_name);
    user->uid = entry->pw_uid;
    user->gid = entry->pw_gid;
    user->change = change;
    return true;
}

bool dev_user_choose(struct dev_user *user, const char *folder, char error[DEV_ERROR_BYTES])
{
    struct stat info;
    bool present = stat(folder, &info) == 0;
    if (geteuid() != 0) {
        if (present && info.st_uid != geteuid())
            return dev_fail(error,
                            "%s belongs to another user: run this as that user (or with sudo), or use --dir",
                            folder);
        return user_from(user, getpwuid(geteuid()), false) ||
               dev_fail(error, "user id %u has no name in /etc/passwd, and PostgreSQL needs one",
                        (unsigned)geteuid());
    }
    if (present && info.st_uid == 0)
        return dev_fail(
            error, "%s belongs to root, and PostgreSQL never runs as root: rm -rf it to start over", folder);
    if (present)
        return user_from(user, getpwuid(info.st_uid), true) ||
               dev_fail(error, "%s belongs to user id %u, who has no name: rm -rf it to start over", folder,
                        (unsigned)info.st_uid);
    return user_from(user, getpwnam("postgres"), true) || user_from(user, getpwnam("nobody"), true) ||
           dev_fail(error, "neither user postgres nor nobody exists, and PostgreSQL never runs as root");
}

static bool user_become(const struct dev_user *user)
{
    if (!user->change)
        return true;
    return setgroups(0, NULL) == 0 && setgid(user->gid) == 0 && setuid(user->uid) == 0 && setuid(0) != 0;
}

bool dev_user_can(const struct dev_user *user, const char *path, int mode)
{
    int status = 1;
    pid_t pid = fork();
    if (pid == 0)
        _exit(user_become(user) && access(path, mode) == 0 ? 0 : 1);
    if (pid > 0)
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            continue;
    return pid > 0 && status == 0;
}

/* ---- processes ---- */

__attribute__((noreturn)) static void child_fail(const char *what, const char *file)
{
    fprintf(stderr, "pgherald dev: cannot %s %s: %s\n", what, file, strerror(errno));
    _exit(127);
}

__attribute__((noreturn)) static void child_run(const struct dev_user *user,
                                                const struct dev_program *program, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    setpgid(0, 0);
    int nothing = open("/dev/null", O_RDONLY);
    if (nothing >= 0)
        dup2(nothing, STDIN_FILENO);
    if (program->output >= 0) {
        dup2(program->output, STDOUT_FILENO);
        dup2(program->output, STDERR_FILENO);
    }
    if (!user_become(user))
        child_fail("become user", user->name);
    /* After the change of user, which clears it. */
    prctl(PR_SET_PDEATHSIG, program->death_signal);
    if (getppid() != parent)
        _exit(1);
    if (chdir(program->folder) != 0)
        child_fail("enter", program->folder);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(program->file, program->argv, program->envp);
    child_fail("run", program->file);
}

bool dev_process_start(struct dev_process *process, const struct dev_user *user,
                       const struct dev_program *program, char error[DEV_ERROR_BYTES])
{
    pid_t parent = getpid();
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        return dev_fail(error, "cannot start %s: %s", process->name, strerror(errno));
    if (pid == 0)
        child_run(user, program, parent);
    process->pid = pid;
    return true;
}

bool dev_process_running(struct dev_process *process)
{
    if (process->pid > 0 && waitpid(process->pid, &process->status, WNOHANG) != 0)
        process->pid = 0;
    return process->pid > 0;
}

bool dev_process_wait(struct dev_process *process, uint64_t deadline_ms)
{
    while (dev_process_running(process)) {
        if (clock_now_ms() >= deadline_ms || !dev_pause(20))
            return false;
    }
    return true;
}

void dev_process_stop(struct dev_process *process, int signal, uint64_t grace_ms)
{
    if (!dev_process_running(process))
        return;
    uint64_t deadline_ms = clock_now_ms() + grace_ms;
    kill(process->pid, signal);
    while (dev_process_running(process)) {
        if (clock_now_ms() >= deadline_ms) {
            kill(-process->pid, SIGKILL);
            kill(process->pid, SIGKILL);
        }
        dev_pause(20);
    }
}

void dev_process_describe(const struct dev_process *process, char *out, size_t size)
{
    if (WIFSIGNALED(process->status))
        snprintf(out, size, "was ended by signal %d", WTERMSIG(process->status));
    else
        snprintf(out, size, "ended with status %d", WEXITSTATUS(process->status));
}

void dev_first_line(char *const argv[], char *line, size_t size)
{
    int ends[2], status;
    line[0] = '\0';
    if (pipe2(ends, O_CLOEXEC) != 0)
        return;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        execvp(argv[0], argv);
        _exit(127);
    }
    close(ends[1]);
    FILE *output = fdopen(ends[0], "r");
    if (output && !fgets(line, (int)size, output))
        line[0] = '\0';
    line[strcspn(line, "\n")] = '\0';
    if (output)
        fclose(output);
    if (pid > 0)
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            continue;
}
