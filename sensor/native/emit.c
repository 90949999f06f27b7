/* Records that are written without Python: where Python's part cannot run (another interpreter, a withdrawn sensor, a part
 * that failed to start). One line of JSON in a buffer on the stack, one datagram or one write, never waiting.
 */
#include "preload.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* Records a second: more is a flood, which is counted instead of sent. */
enum { MOST_PER_SECOND = 200 };

static long long next_number;
static int number_pid;
static unsigned long sent, dropped;
static long this_second;
static unsigned in_second;

enum endpoint endpoint_find(const char **path)
{
    static const char unix_[] = "unix:", file_[] = "file:";
    const char *text = getenv("EIGHTYSIX_SENSOR");
    if (!text) return ENDPOINT_NONE;
    for (unsigned kind = 0; kind < 2; kind++) {
        const char *prefix = kind ? file_ : unix_;
        unsigned at = 0;
        while (prefix[at] && text[at] == prefix[at]) at++;
        if (!prefix[at] && text[at]) {
            *path = text + at;
            return kind ? ENDPOINT_FILE : ENDPOINT_UNIX;
        }
    }
    return ENDPOINT_NONE;
}

long long record_next_number(void)
{
    int pid = getpid();
    if (pid != number_pid) { /* a fork counts from the beginning, as each process does */
        number_pid = pid;
        __atomic_store_n(&next_number, 0, __ATOMIC_RELAXED);
    }
    return __atomic_fetch_add(&next_number, 1, __ATOMIC_RELAXED);
}

unsigned long record_sent(void)
{
    return sent;
}

unsigned long record_dropped(void)
{
    return dropped;
}

static size_t read_file(const char *path, char *into, size_t size)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t got = read(file, into, size - 1);
    close(file);
    if (got < 0) got = 0;
    into[got] = 0;
    return (size_t)got;
}

/* Field 22 of proc_pid_stat(5), counted from behind the name, which may hold anything. */
uint64_t start_of_process(void)
{
    static uint64_t known;
    static int known_pid;
    char text[512];
    if (known_pid == getpid()) return known;
    size_t length = read_file("/proc/self/stat", text, sizeof text);
    while (length && text[length - 1] != ')') length--;
    unsigned field = 2;
    uint64_t ticks = 0;
    for (; text[length] && field <= 22; length++) {
        if (text[length] == ' ')
            field++;
        else if (field == 22 && text[length] >= '0' && text[length] <= '9')
            ticks = ticks * 10 + (uint64_t)(text[length] - '0');
    }
    known = ticks;
    known_pid = getpid();
    return ticks;
}

static void put(struct record *record, char byte)
{
    if (record->length >= record->limit)
        record->full = 1;
    else
        record->text[record->length++] = byte;
}

void record_raw(struct record *record, const char *text)
{
    while (*text) put(record, *text++);
}

void record_string(struct record *record, const char *text, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    put(record, '"');
    if (length > 1024) length = 1024;
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte == '"' || byte == '\\') {
            put(record, '\\');
            put(record, (char)byte);
        } else if (byte < 0x20 || byte >= 0x7f) {
            /* what is no ASCII is told as the bytes of Latin-1: a text cut in the middle stays readable JSON */
            record_raw(record, "\\u00");
            put(record, digits[byte >> 4]);
            put(record, digits[byte & 15]);
        } else {
            put(record, (char)byte);
        }
    }
    put(record, '"');
}

static void name_of(struct record *record, const char *name)
{
    if (record->text[record->length - 1] != '{') put(record, ',');
    record_string(record, name, length_of(name));
    put(record, ':');
}

void record_text(struct record *record, const char *name, const char *text, size_t length)
{
    name_of(record, name);
    record_string(record, text, length);
}

void record_number(struct record *record, const char *name, long long number)
{
    char digits[24];
    unsigned at = sizeof digits;
    unsigned long long rest = number < 0 ? -(unsigned long long)number : (unsigned long long)number;
    digits[--at] = 0;
    do digits[--at] = (char)('0' + rest % 10);
    while (rest /= 10);
    if (number < 0) digits[--at] = '-';
    name_of(record, name);
    record_raw(record, digits + at);
}

void record_begin(struct record *record, const char *event)
{
    static char boot[64];
    struct timespec now = {0, 0};
    size_t length = length_of(boot);
    record->length = 0;
    record->full = 0;
    record->limit = sizeof record->text - 48; /* room stays for the number and the end of the line */
    if (!length) {
        length = read_file("/proc/sys/kernel/random/boot_id", boot, sizeof boot);
        while (length && boot[length - 1] == '\n') boot[--length] = 0;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    put(record, '{');
    record_number(record, "v", 1);
    record_number(record, "t_ns", (long long)now.tv_sec * 1000000000 + now.tv_nsec);
    record_text(record, "boot_id", boot, length);
    record_number(record, "pid", getpid());
    record_number(record, "ns_pid", getpid());
    record_number(record, "tid", syscall(SYS_gettid));
    record_number(record, "start_ticks", (long long)start_of_process());
    record_text(record, "event", event, length_of(event));
    record_raw(record, ",\"native\":true");
}

static int send_to(const char *path, const char *text, size_t length)
{
    struct sockaddr_un address;
    size_t size = length_of(path);
    if (size >= sizeof address.sun_path) return 0;
    for (size_t i = 0; i < sizeof address.sun_path; i++) address.sun_path[i] = i < size ? path[i] : 0;
    address.sun_family = AF_UNIX;
    int made = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (made < 0) return 0;
    ssize_t done = sendto(made, text, length, MSG_DONTWAIT | MSG_NOSIGNAL,
                          (const struct sockaddr *)&address, sizeof address);
    close(made);
    return done == (ssize_t)length;
}

static int append_to(const char *path, const char *text, size_t length)
{
    int file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
    if (file < 0) return 0;
    ssize_t done = write(file, text, length);
    close(file);
    return done == (ssize_t)length;
}

void record_send(struct record *record)
{
    const char *path = NULL;
    struct timespec now = {0, 0};
    enum endpoint kind = endpoint_find(&path);
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec != this_second) {
        this_second = now.tv_sec;
        in_second = 0;
    }
    /* The number is taken now: one that was begun and not sent leaves no gap, one that is dropped does. */
    record->limit = sizeof record->text - 4;
    record_number(record, "seq", record_next_number());
    if (record->full || ++in_second > MOST_PER_SECOND) {
        dropped++;
        return;
    }
    record->text[record->length++] = '}';
    int done = 0;
    if (kind == ENDPOINT_UNIX)
        done = send_to(path, record->text, record->length);
    else if (kind == ENDPOINT_FILE) {
        record->text[record->length++] = '\n';
        done = append_to(path, record->text, record->length);
    }
    if (done)
        sent++;
    else
        dropped++;
}
