#include "usage.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PROCESSES_MAX = 4096 };

struct process {
    int pid, parent;
};

/* Fields of /proc/PID/stat behind the program's name, which may have spaces and parentheses. */
static const char *read_stat(int pid, char *line, size_t size)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    FILE *in = fopen(path, "r");
    if (!in)
        return NULL;
    const char *rest = fgets(line, (int)size, in) ? strrchr(line, ')') : NULL;
    fclose(in);
    return rest ? rest + 1 : NULL;
}

static int list_processes(struct process *out)
{
    int count = 0;
    char line[1024];
    DIR *folder = opendir("/proc");
    for (struct dirent *entry; folder && count < PROCESSES_MAX && (entry = readdir(folder));) {
        int pid = atoi(entry->d_name), parent;
        const char *rest = pid ? read_stat(pid, line, sizeof(line)) : NULL;
        if (rest && sscanf(rest, " %*c %d", &parent) == 1)
            out[count++] = (struct process){.pid = pid, .parent = parent};
    }
    if (folder)
        closedir(folder);
    return count;
}

static double cpu_ticks(int pid)
{
    char line[1024];
    unsigned long user, system, children_user, children_system;
    const char *rest = read_stat(pid, line, sizeof(line));
    if (!rest || sscanf(rest, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %lu %lu", &user, &system,
                        &children_user, &children_system) != 4)
        return 0;
    return (double)(user + system + children_user + children_system);
}

static double memory_kilobytes(int pid)
{
    char path[64], line[256];
    double kilobytes = 0;
    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
    FILE *in = fopen(path, "r");
    while (in && fgets(line, sizeof(line), in))
        if (strncmp(line, "Pss:", 4) == 0)
            kilobytes = strtod(line + 4, NULL);
    if (in)
        fclose(in);
    return kilobytes;
}

static double one(int pid)
{
    return pid > 0;
}

static double sum_tree(const struct process *all, int count, int root, double (*measure)(int))
{
    double sum = measure(root);
    for (int i = 0; i < count; i++)
        if (all[i].parent == root)
            sum += sum_tree(all, count, all[i].pid, measure);
    return sum;
}

static double sum(const int *pids, double (*measure)(int))
{
    static struct process all[PROCESSES_MAX];
    int count = list_processes(all);
    double result = 0;
    for (; *pids != -1; pids++)
        result += sum_tree(all, count, *pids, measure);
    return result;
}

double usage_cpu_s(const int *pids)
{
    return sum(pids, cpu_ticks) / (double)sysconf(_SC_CLK_TCK);
}

double usage_bytes(const int *pids)
{
    return sum(pids, memory_kilobytes) * 1024;
}

int usage_processes(const int *pids)
{
    return (int)sum(pids, one);
}
