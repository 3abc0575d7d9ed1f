/* The private PostgreSQL of `pgherald dev`. Everything a person could meet here
 * (no server installed, data of another version, a server still running after
 * a crash, a broken data folder) ends in one line that says what to do. */
#include "dev_postgres.h"

#include "clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    OLDEST_MAJOR = 14,
    LEFTOVER_WAIT_MS = 10000,
    STOP_GRACE_MS = 20000,
    SOCKET_NAME_BYTES = 16, /* "/.s.PGSQL.5432" and more digits than needed */
};

static bool path_join(char *out, size_t size, const char *folder, const char *name)
{
    int length = snprintf(out, size, "%s/%s", folder, name);
    return length > 0 && (size_t)length < size;
}

static bool executable_in(const char *folder, const char *name)
{
    char path[PATH_MAX];
    return path_join(path, sizeof path, folder, name) && access(path, X_OK) == 0;
}

/* ---- the server's programs ---- */

/* Major version of the server in folder; 0 when there is none. */
static int server_major(const char *folder)
{
    char program[PATH_MAX], line[128];
    if (!executable_in(folder, "initdb") || !executable_in(folder, "postgres") ||
        !path_join(program, sizeof program, folder, "postgres"))
        return 0;
    dev_first_line((char *const[]){program, (char *)"-V", NULL}, line, sizeof line);
    const char *digits = strpbrk(line, "0123456789"); /* postgres (PostgreSQL) 15.20 (Debian …) */
    return digits ? atoi(digits) : 0;
}

/* Takes folder when its server is the wanted version, or the newest so far. */
static void server_consider(struct dev_postgres *postgres, const char *folder, int wanted)
{
    int major = server_major(folder);
    bool better = wanted ? major == wanted : major >= OLDEST_MAJOR && major > postgres->major;
    if (better && snprintf(postgres->bin, sizeof postgres->bin, "%s", folder) < (int)sizeof postgres->bin)
        postgres->major = major;
}

static bool server_find(struct dev_postgres *postgres, int wanted, char error[DEV_ERROR_BYTES])
{
    char line[PATH_MAX];
    glob_t found = {0};
    glob("/usr/lib/postgresql/*/bin", 0, NULL, &found);
    glob("/usr/pgsql-*/bin", GLOB_APPEND, NULL, &found);
    for (size_t i = 0; i < found.gl_pathc; i++)
        server_consider(postgres, found.gl_pathv[i], wanted);
    globfree(&found);
    if (!postgres->major) {
        dev_first_line((char *const[]){(char *)"pg_config", (char *)"--bindir", NULL}, line, sizeof line);
        server_consider(postgres, line, wanted);
    }
    const char *path = getenv("PATH");
    char *copy = postgres->major || !path ? NULL : strdup(path), *rest = NULL;
    for (char *folder = copy ? strtok_r(copy, ":", &rest) : NULL; folder; folder = strtok_r(NULL, ":", &rest))
        server_consider(postgres, folder, wanted);
    free(copy);
    if (postgres->major)
        return true;
    if (wanted)
        return dev_fail(error,
                        "%s was made by PostgreSQL %d, which is not installed: install it"
                        " (apt-get install postgresql-%d), or start over with rm -rf %s",
                        postgres->data, wanted, wanted, postgres->data);
    return dev_fail(
        error,
        "no PostgreSQL server found (version %d or newer; looked in /usr/lib/postgresql, pg_config"
        " and PATH): apt-get install postgresql, or run deploy/quickstart",
        OLDEST_MAJOR);
}

/* ---- folders ---- */

static int entry_remove(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    remove(path);
    return 0;
}

void dev_folder_remove(const char *folder)
{
    nftw(folder, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/* Makes folder (or finds it) with that mode; for root it is then owner's. */
static bool folder_make(const char *folder, mode_t mode, const struct dev_user *owner,
                        char error[DEV_ERROR_BYTES])
{
    if (mkdir(folder, mode) != 0 && errno != EEXIST)
        return dev_fail(error, "cannot make %s: %s", folder, strerror(errno));
    if (owner && owner->change && chown(folder, owner->uid, owner->gid) != 0)
        return dev_fail(error, "cannot give %s to user %s: %s", folder, owner->name, strerror(errno));
    if (chmod(folder, mode) != 0)
        return dev_fail(error, "cannot change %s: %s", folder, strerror(errno));
    return true;
}

/* A name for another place of home, the same at every start. */
static unsigned path_hash(const char *path)
{
    unsigned hash = 2166136261u; /* FNV-1a */
    for (; *path; path++)
        hash = (hash ^ (unsigned char)*path) * 16777619u;
    return hash;
}

/* root's checkout is often below /root, which no other user can enter. */
static bool home_move(struct dev_postgres *postgres, char error[DEV_ERROR_BYTES])
{
    static const char shared[] = "/var/lib/pgherald-dev";
    char old[PATH_MAX];
    memcpy(old, postgres->home, sizeof old);
    rmdir(old);
    if (!folder_make(shared, 0755, NULL, error))
        return false;
    snprintf(postgres->home, sizeof postgres->home, "%s/%08x", shared, path_hash(old));
    if (!folder_make(postgres->home, 0755, NULL, error))
        return false;
    if (!dev_user_can(&postgres->user, postgres->home, R_OK | X_OK))
        return dev_fail(error, "user %s can enter neither %s nor %s: use --dir with a folder it can reach",
                        postgres->user.name, old, postgres->home);
    fprintf(stderr, "user %s cannot enter %s: using %s instead\n", postgres->user.name, old, postgres->home);
    return true;
}

/* One dev a home: the lock is on the open folder and goes with the process. */
static bool home_lock(const struct dev_postgres *postgres, char error[DEV_ERROR_BYTES])
{
    int fd = open(postgres->home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return dev_fail(error, "cannot open %s: %s", postgres->home, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        return dev_fail(error,
                        "pgherald dev is already running in %s: stop it first, or use --dir for a second one",
                        postgres->home);
    }
    return true; /* fd stays open until the process ends */
}

bool dev_postgres_open_home(struct dev_postgres *postgres, char error[DEV_ERROR_BYTES])
{
    char real[PATH_MAX];
    postgres->process.name = "PostgreSQL";
    if (mkdir(postgres->home, 0755) == 0)
        chmod(postgres->home, 0755); /* whatever the umask: the server's user must enter */
    else if (errno != EEXIST)
        return dev_fail(error, "cannot make %s: %s; use --dir with a folder you can write to", postgres->home,
                        strerror(errno));
    if (!realpath(postgres->home, real))
        return dev_fail(error, "cannot enter %s: %s", postgres->home, strerror(errno));
    memcpy(postgres->home, real, sizeof real);
    if (!path_join(postgres->data, sizeof postgres->data, postgres->home, "data"))
        return dev_fail(error, "the path %s is too long", postgres->home);
    if (!dev_user_choose(&postgres->user, postgres->data, error))
        return false;
    if (postgres->user.change && !dev_user_can(&postgres->user, postgres->home, R_OK | X_OK) &&
        !home_move(postgres, error))
        return false;
    if (!path_join(postgres->data, sizeof postgres->data, postgres->home, "data") ||
        !path_join(postgres->log, sizeof postgres->log, postgres->home, "postgres.log"))
        return dev_fail(error, "the path %s is too long", postgres->home);
    return home_lock(postgres, error);
}

/* A socket's path has 107 bytes at most, and libpq and the server read some
 * characters of a folder's name in their own way: elsewhere then. */
static bool sockets_make(struct dev_postgres *postgres, char error[DEV_ERROR_BYTES])
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._+-";
    char folder[PATH_MAX];
    bool fits = path_join(folder, sizeof folder, postgres->home, "run") &&
                strlen(folder) + SOCKET_NAME_BYTES < DEV_SOCKETS_BYTES &&
                strspn(folder, plain) == strlen(folder);
    postgres->sockets_temporary = !fits;
    if (!fits)
        snprintf(folder, sizeof folder, "/tmp/pgherald-XXXXXX");
    if (!fits && !mkdtemp(folder))
        return dev_fail(error, "cannot make a folder in /tmp: %s", strerror(errno));
    snprintf(postgres->sockets, sizeof postgres->sockets, "%.*s", (int)sizeof postgres->sockets - 1, folder);
    return folder_make(postgres->sockets, 0700, &postgres->user, error);
}

/* ---- the data ---- */

static char *const server_env[] = {(char *)"PATH=/usr/local/bin:/usr/bin:/bin", (char *)"LC_ALL=C", NULL};

static int log_open_fresh(const struct dev_postgres *postgres)
{
    unlink(postgres->log);
    return open(postgres->log, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
}

/* The last thing the log complains of, without its prefix; "" when it does not. */
static void log_complaint(const struct dev_postgres *postgres, char *out, size_t size)
{
    static const char *const words[] = {"FATAL:  ", "PANIC:  ", "error: ", "pgherald dev: "};
    char line[512];
    FILE *log = fopen(postgres->log, "re");
    out[0] = '\0';
    while (log && fgets(line, sizeof line, log)) {
        line[strcspn(line, "\n")] = '\0';
        for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
            const char *at = strstr(line, words[i]);
            if (at)
                snprintf(out, size, "%s", at + strlen(words[i]));
        }
    }
    if (log)
        fclose(log);
}

/* Major version the data is of; 0: there is no data; -1: something is, but not a cluster. */
static int data_major(const struct dev_postgres *postgres)
{
    char path[PATH_MAX], line[16] = "";
    struct stat info;
    if (stat(postgres->data, &info) != 0)
        return 0;
    FILE *file = path_join(path, sizeof path, postgres->data, "PG_VERSION") ? fopen(path, "re") : NULL;
    if (file && !fgets(line, sizeof line, file))
        line[0] = '\0';
    if (file)
        fclose(file);
    return atoi(line) > 0 ? atoi(line) : -1;
}

/* Makes the cluster beside its place and renames it: it is there completely or not at all. */
static bool data_make(struct dev_postgres *postgres, uint64_t deadline_ms, char error[DEV_ERROR_BYTES])
{
    char program[PATH_MAX], data[PATH_MAX], complaint[512];
    struct dev_process process = {.name = "initdb"};
    if (!path_join(data, sizeof data, postgres->home, "data.new") ||
        !path_join(program, sizeof program, postgres->bin, "initdb"))
        return dev_fail(error, "the path %s is too long", postgres->home);
    dev_folder_remove(data);
    int log = log_open_fresh(postgres);
    if (log < 0)
        return dev_fail(error, "cannot write %s: %s", postgres->log, strerror(errno));
    char *argv[] = {program,
                    (char *)"-D",
                    data,
                    (char *)"--username=postgres",
                    (char *)"--auth=trust", /* who can enter the socket's folder may do everything */
                    (char *)"--encoding=UTF8",
                    (char *)"--locale=C",
                    (char *)"--no-instructions",
                    NULL};
    struct dev_program initdb = {.file = program,
                                 .argv = argv,
                                 .envp = server_env,
                                 .folder = postgres->home,
                                 .output = log,
                                 .death_signal = SIGKILL};
    bool ok = folder_make(data, 0700, &postgres->user, error) &&
              dev_process_start(&process, &postgres->user, &initdb, error);
    close(log);
    if (!ok)
        return false;
    if (!dev_process_wait(&process, deadline_ms)) {
        dev_process_stop(&process, SIGTERM, 2000);
        return dev_fail(error, "initdb did not finish in time");
    }
    if (process.status != 0) {
        log_complaint(postgres, complaint, sizeof complaint);
        return dev_fail(error, "initdb failed: %s (its output is in %s)", complaint, postgres->log);
    }
    if (rename(data, postgres->data) != 0)
        return dev_fail(error, "cannot rename %s: %s", data, strerror(errno));
    postgres->fresh = true;
    return true;
}

bool dev_postgres_prepare(struct dev_postgres *postgres, uint64_t deadline_ms, char error[DEV_ERROR_BYTES])
{
    int major = data_major(postgres);
    if (major < 0)
        return dev_fail(error,
                        "%s is not a PostgreSQL data folder (or a broken one): start over with rm -rf %s",
                        postgres->data, postgres->data);
    if (!server_find(postgres, major, error))
        return false;
    if (major == 0 && !data_make(postgres, deadline_ms, error))
        return false;
    return sockets_make(postgres, error);
}

/* ---- the server ---- */

/* A process that works in data: a server (or one of its backends) of a dev that
 * was killed. 0: none, and then a postmaster.pid there is stale for certain. */
static pid_t data_user(const struct dev_postgres *postgres)
{
    char link[64], folder[PATH_MAX];
    pid_t found = 0;
    DIR *all = opendir("/proc");
    for (struct dirent *entry; all && !found && (entry = readdir(all));) {
        long pid = strtol(entry->d_name, NULL, 10);
        if (pid <= 0)
            continue;
        snprintf(link, sizeof link, "/proc/%ld/cwd", pid);
        ssize_t length = readlink(link, folder, sizeof folder - 1);
        if (length > 0 && strlen(postgres->data) == (size_t)length &&
            memcmp(folder, postgres->data, (size_t)length) == 0)
            found = (pid_t)pid;
    }
    if (all)
        closedir(all);
    return found;
}

static bool leftover_clear(const struct dev_postgres *postgres, uint64_t deadline_ms,
                           char error[DEV_ERROR_BYTES])
{
    static const char *const stale[] = {"/.s.PGSQL.5432", "/.s.PGSQL.5432.lock"};
    char path[PATH_MAX];
    uint64_t limit_ms = clock_now_ms() + LEFTOVER_WAIT_MS;
    limit_ms = limit_ms < deadline_ms ? limit_ms : deadline_ms;
    pid_t pid;
    while ((pid = data_user(postgres)) != 0) {
        if (clock_now_ms() >= limit_ms)
            return dev_fail(
                error, "a PostgreSQL server (process %d) is still running in %s: stop it with kill -INT %d",
                (int)pid, postgres->data, (int)pid);
        if (!dev_pause(100))
            return dev_fail(error, "stopped");
    }
    if (path_join(path, sizeof path, postgres->data, "postmaster.pid"))
        unlink(path);
    for (size_t i = 0; i < sizeof stale / sizeof *stale; i++) {
        if (path_join(path, sizeof path, postgres->sockets, stale[i] + 1))
            unlink(path);
    }
    return true;
}

static bool server_spawn(struct dev_postgres *postgres, char error[DEV_ERROR_BYTES])
{
    char program[PATH_MAX], sockets[DEV_SOCKETS_BYTES + 32];
    if (!path_join(program, sizeof program, postgres->bin, "postgres"))
        return dev_fail(error, "the path %s is too long", postgres->bin);
    snprintf(sockets, sizeof sockets, "unix_socket_directories=%s", postgres->sockets);
    int log = log_open_fresh(postgres);
    if (log < 0)
        return dev_fail(error, "cannot write %s: %s", postgres->log, strerror(errno));
    char *argv[] = {program,
                    (char *)"-D",
                    postgres->data,
                    (char *)"-c",
                    sockets,
                    (char *)"-c",
                    (char *)"port=5432",
                    (char *)"-c",
                    (char *)"listen_addresses=",
                    (char *)"-c",
                    (char *)"cluster_name=pgherald dev",
                    NULL};
    struct dev_program server = {.file = program,
                                 .argv = argv,
                                 .envp = server_env,
                                 .folder = postgres->home,
                                 .output = log,
                                 .death_signal = SIGINT};
    bool ok = dev_process_start(&postgres->process, &postgres->user, &server, error);
    close(log);
    return ok;
}

bool dev_postgres_start(struct dev_postgres *postgres, uint64_t deadline_ms, char error[DEV_ERROR_BYTES])
{
    char conninfo[DEV_CONNINFO_BYTES], complaint[512];
    if (!leftover_clear(postgres, deadline_ms, error) || !server_spawn(postgres, error))
        return false;
    dev_postgres_conninfo(postgres, "postgres", conninfo);
    while (PQping(conninfo) != PQPING_OK) {
        if (!dev_process_running(&postgres->process)) {
            log_complaint(postgres, complaint, sizeof complaint);
            return dev_fail(error, "PostgreSQL did not start: %s (its log is %s). To start over: rm -rf %s",
                            complaint, postgres->log, postgres->data);
        }
        if (clock_now_ms() >= deadline_ms)
            return dev_fail(error, "PostgreSQL took too long to start; its log is %s", postgres->log);
        if (!dev_pause(20))
            return dev_fail(error, "stopped");
    }
    return true;
}

void dev_postgres_stop(struct dev_postgres *postgres)
{
    dev_process_stop(&postgres->process, SIGINT, STOP_GRACE_MS);
    if (postgres->sockets_temporary && postgres->sockets[0])
        dev_folder_remove(postgres->sockets);
}

void dev_postgres_conninfo(const struct dev_postgres *postgres, const char *role,
                           char out[DEV_CONNINFO_BYTES])
{
    snprintf(out, DEV_CONNINFO_BYTES, "host=%s port=5432 user=%s dbname=postgres", postgres->sockets, role);
}

void dev_postgres_psql(const struct dev_postgres *postgres, char out[PATH_MAX + DEV_CONNINFO_BYTES])
{
    const char *path = getenv("PATH");
    char *copy = strdup(path ? path : ""), *rest = NULL;
    bool plain = false;
    for (char *folder = copy ? strtok_r(copy, ":", &rest) : NULL; folder && !plain;
         folder = strtok_r(NULL, ":", &rest))
        plain = executable_in(folder, "psql");
    free(copy);
    snprintf(out, PATH_MAX + DEV_CONNINFO_BYTES, "%s%spsql -h %s -p 5432 -U postgres",
             plain ? "" : postgres->bin, plain ? "" : "/", postgres->sockets);
}
