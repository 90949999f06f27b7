/* A program that keeps dying soon after its start runs without the sensor: it may be the sensor that kills it.
 *
 * A small file counts starts that have not ended well yet: `starts[-container].uid` in the folder of the endpoint, which
 * outlives a container that is started again. A start is well once it lived for ten seconds, ended by exit(3) with
 * whatever code, or replaced itself by another program. Three that are neither alive nor well within fifteen minutes
 * withdraw the sensor for as long as the file lies there. Code in the pod can write that file: that is why each start
 * without the sensor sends a record, and why nobody may take silence for proof.
 */
#include "preload.h"

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { SLOTS = 64, MOST_DEAD = 3, WELL_AFTER_S = 10, FORGET_AFTER_S = 900 };
/* "86S1" and "86W1" */
static const uint32_t STARTED = 0x31533638u, WITHDRAWN = 0x31573638u;

struct start {
    uint32_t kind;
    uint32_t pid;
    uint64_t ticks;   /* start time of the process: with the pid it names the process */
    uint64_t at_ns;   /* CLOCK_BOOTTIME */
    uint64_t reserved;
};

static char state_path[256];
static struct start mine;
static int my_slot = -1;
static int settled = 1;

static uint64_t now_ns(void)
{
    struct timespec now = {0, 0};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static size_t add(size_t at, const char *text, size_t length)
{
    for (size_t i = 0; i < length && at + 1 < sizeof state_path; i++) state_path[at++] = text[i];
    state_path[at] = 0;
    return at;
}

/* `$EIGHTYSIX_SENSOR_STATE`, else the folder of the socket. Beside a file of records nothing is left without being asked. */
static int find_path(void)
{
    const char *folder = getenv("EIGHTYSIX_SENSOR_STATE");
    size_t length = folder ? length_of(folder) : 0;
    if (!length) {
        if (endpoint_find(&folder) != ENDPOINT_UNIX) return 0;
        length = length_of(folder);
        while (length && folder[length - 1] != '/') length--;
        if (length) length--;
    }
    if (!length || folder[0] != '/' || length > 160) return 0;
    size_t at = add(0, folder, length);
    at = add(at, "/starts", 7);
    const char *container = getenv("EIGHTYSIX_SENSOR_CONTAINER");
    if (container && *container) {
        at = add(at, "-", 1);
        for (unsigned i = 0; container[i] && i < 63; i++) {
            char byte = container[i];
            int plain = (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-';
            at = add(at, plain ? &byte : "_", 1);
        }
    }
    char digits[12];
    unsigned from = sizeof digits;
    unsigned uid = (unsigned)getuid();
    do digits[--from] = (char)('0' + uid % 10);
    while (uid /= 10);
    at = add(at, ".", 1);
    add(at, digits + from, sizeof digits - from);
    return 1;
}

/* Start time of the process `pid` as this container sees it, 0 where there is none. */
static uint64_t ticks_of(uint32_t pid)
{
    char path[32] = "/proc/", digits[12], text[512];
    unsigned at = 6, from = sizeof digits;
    do digits[--from] = (char)('0' + pid % 10);
    while (pid /= 10);
    while (from < sizeof digits) path[at++] = digits[from++];
    for (const char *rest = "/stat"; *rest; rest++) path[at++] = *rest;
    path[at] = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    if (length <= 0) return 0;
    text[length] = 0;
    while (length && text[length - 1] != ')') length--;
    unsigned field = 2;
    uint64_t ticks = 0;
    char state = text[length] ? text[length + 1] : 'X';
    for (; text[length] && field <= 22; length++) {
        if (text[length] == ' ')
            field++;
        else if (field == 22 && text[length] >= '0' && text[length] <= '9')
            ticks = ticks * 10 + (uint64_t)(text[length] - '0');
    }
    return state == 'Z' || state == 'X' ? 0 : ticks;
}

/* Nothing of a file that code in the pod can make may be followed, waited for, or believed beyond its 2 KiB. */
static int open_state(int flags)
{
    return open(state_path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | flags, 0600);
}

static unsigned judge(struct start *starts, int *slot, int *withdrawn, uint64_t now)
{
    unsigned dead = 0;
    *slot = -1;
    *withdrawn = 0;
    for (int i = 0; i < SLOTS; i++) {
        struct start *one = &starts[i];
        if (one->kind == WITHDRAWN) {
            *withdrawn = 1;
            continue;
        }
        int fresh = one->at_ns <= now && now - one->at_ns < (uint64_t)FORGET_AFTER_S * 1000000000u;
        if (one->kind == STARTED && one->pid == mine.pid && one->ticks == mine.ticks) {
            *slot = i; /* this very process, which became another program by a way that was not seen */
            continue;
        }
        if (one->kind != STARTED || !fresh) {
            if (*slot < 0) *slot = i;
            continue;
        }
        if (ticks_of(one->pid) != one->ticks) dead++;
    }
    return dead;
}

int health_start(unsigned *died)
{
    struct start starts[SLOTS];
    int withdrawn = 0, slot = -1;
    *died = 0;
    if (!find_path()) return 0;
    int file = open_state(O_CREAT);
    if (file < 0) return 0;
    for (unsigned i = 0; i < SLOTS; i++) starts[i] = (struct start){0, 0, 0, 0, 0};
    if (pread(file, starts, sizeof starts, 0) < 0) {
        close(file);
        return 0;
    }
    mine = (struct start){STARTED, (uint32_t)getpid(), start_of_process(), now_ns(), 0};
    *died = judge(starts, &slot, &withdrawn, mine.at_ns);
    if (slot < 0) slot = 0;
    if (*died >= MOST_DEAD && !withdrawn) {
        struct start mark = mine;
        mark.kind = WITHDRAWN;
        withdrawn = 1;
        if (pwrite(file, &mark, sizeof mark, (off_t)slot * (off_t)sizeof mark) < 0) slot = -1;
    } else if (!withdrawn) {
        if (pwrite(file, &mine, sizeof mine, (off_t)slot * (off_t)sizeof mine) == (ssize_t)sizeof mine) {
            my_slot = slot;
            settled = 0;
        }
    }
    close(file);
    return withdrawn;
}

void health_settle(void)
{
    if (settled || (uint32_t)getpid() != mine.pid) return; /* a fork says nothing about the program that started */
    settled = 1;
    int file = open_state(0);
    if (file < 0) return;
    struct start there = {0, 0, 0, 0, 0};
    off_t at = (off_t)my_slot * (off_t)sizeof there;
    if (pread(file, &there, sizeof there, at) == (ssize_t)sizeof there && there.kind == STARTED &&
        there.pid == mine.pid && there.ticks == mine.ticks) {
        there = (struct start){0, 0, 0, 0, 0};
        if (pwrite(file, &there, sizeof there, at) < 0) settled = 1;
    }
    close(file);
}

void health_tick(void)
{
    if (!settled && now_ns() - mine.at_ns > (uint64_t)WELL_AFTER_S * 1000000000u) health_settle();
}
