/* Which events and paths are wanted, and which pairs were seen. Read by any thread at any time, so a table is filled
 * while nobody uses it and then taken into use by one pointer; texts always end, so that a reader that is late by two
 * tables reads a wrong word at worst, never past the end.
 */
#include "preload.h"

#include <sys/auxv.h>

enum { SLOTS = 512 };

struct table {
    struct event events[MAX_EVENTS];
    uint8_t slots[SLOTS]; /* number of the event + 1 */
    unsigned count;
    char paths[MAX_PATHS][MAX_PATH_TEXT];
    uint8_t lengths[MAX_PATHS];
    unsigned path_count;
    /* For a quick no: second and third byte of a wanted beginning. */
    uint8_t begins[256];
    /* Wanted last parts of a path by length, first and last byte, other wanted ends by their last byte: number of the first + 1, and
     * of the next one. */
    uint8_t names[256];
    uint8_t ends[256];
    uint8_t after[MAX_PATHS];
    unsigned begin_count;
    uint8_t begin[MAX_PATHS];
};

static struct table tables[2];
static struct table *current = &tables[0];
static struct table *next = &tables[1];

/* A text may be read beyond its end as far as nothing else can begin there: the page, with memory tags of arm64 16 bytes. */
#ifdef __aarch64__
enum { GRANULE = 16 };
#else
enum { GRANULE = 4096 };
#endif

/* A name's first eight bytes as a number, what is behind its end as zeros. */
static inline uint64_t word_of(const char *name)
{
    uint64_t word = 0;
    if (((uintptr_t)name & (GRANULE - 1)) <= GRANULE - sizeof word) {
        __builtin_memcpy(&word, name, sizeof word);
        uint64_t ends = (word - 0x0101010101010101u) & ~word & 0x8080808080808080u;
        if (ends) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
            word &= ((ends & (0 - ends)) >> 7) - 1;
#else
#error "the native part is for little-endian machines"
#endif
        }
    } else {
        for (unsigned i = 0; i < sizeof word && name[i]; i++) word |= (uint64_t)(unsigned char)name[i] << (8 * i);
    }
    return word;
}

static inline unsigned slot_of(uint64_t word)
{
    return (unsigned)((word * 0x9e3779b97f4a7c15u) >> 55) % SLOTS;
}

const struct event *filter_event(const char *name)
{
    const struct table *table = __atomic_load_n(&current, __ATOMIC_ACQUIRE);
    uint64_t word = word_of(name);
    for (unsigned slot = slot_of(word);; slot = (slot + 1) % SLOTS) {
        unsigned number = table->slots[slot];
        if (!number) return NULL;
        const struct event *event = &table->events[number - 1];
        /* eight bytes without an end: the rest follows */
        if (event->word == word && (!(word >> 56) || same(event->name + 8, name + 8))) return event;
    }
}

static inline uint8_t begin_of(const char *path)
{
    return (uint8_t)((unsigned char)path[1] ^ ((unsigned char)(path[1] ? path[2] : 0) << 3));
}

static inline uint8_t name_key(size_t length, char first, char last)
{
    return (uint8_t)(length * 29u + (unsigned char)first * 7u + (unsigned char)last);
}

/* `*` and an end; a relative path that is all of what follows the slash ends so too. */
static int ends_with(const char *path, size_t length, const char *end, size_t size)
{
    if (length + 1 == size && end[0] == '/') {
        end++;
        size--;
    }
    if (length < size) return 0;
    path += length - size;
    while (size && path[size - 1] == end[size - 1]) size--;
    return !size;
}

int filter_path(const char *path, size_t length)
{
    const struct table *table = __atomic_load_n(&current, __ATOMIC_ACQUIRE);
    if (!length) return 0;
    size_t from = length;
    while (from && path[from - 1] != '/') from--;
    unsigned named = table->names[name_key(length - from, path[from < length ? from : 0], path[length - 1])];
    for (unsigned i = named; i; i = table->after[i - 1])
        if (ends_with(path, length, table->paths[i - 1] + 1, table->lengths[i - 1] - 1u)) return 1;
    for (unsigned i = table->ends[(unsigned char)path[length - 1]]; i; i = table->after[i - 1])
        if (ends_with(path, length, table->paths[i - 1] + 1, table->lengths[i - 1] - 1u)) return 1;
    if (path[0] != '/' || !table->begins[begin_of(path)]) return 0;
    for (unsigned i = 0; i < table->begin_count; i++) {
        const char *pattern = table->paths[table->begin[i]];
        size_t wanted = table->lengths[table->begin[i]], at = 0;
        if (length < wanted) continue;
        while (at < wanted && path[at] == pattern[at]) at++;
        if (at == wanted) return 1;
    }
    return 0;
}

void filter_begin(void)
{
    unsigned char *bytes = (unsigned char *)next;
    for (size_t i = 0; i < sizeof *next; i++) bytes[i] = 0;
}

static uint8_t what_of(const char *name)
{
    static const struct {
        const char *name;
        uint8_t what;
    } known[] = {
        {"open", OPEN},
        {"pickle.find_class", FIND_CLASS},
        {"socket.connect", CONNECT},
        {"socket.sendto", CONNECT},
        {"socket.sendmsg", CONNECT},
        {"socket.getaddrinfo", RESOLVE},
        {"socket.gethostbyname", RESOLVE},
        {"http.client.send", SEND},
    };
    for (unsigned i = 0; i < sizeof known / sizeof known[0]; i++)
        if (same(name, known[i].name)) return known[i].what;
    return PLAIN;
}

struct event *filter_add_event(const char *name, uint8_t flags)
{
    size_t length = length_of(name);
    if (!length || length >= MAX_NAME) return NULL;
    uint64_t word = word_of(name);
    unsigned slot = slot_of(word);
    for (; next->slots[slot]; slot = (slot + 1) % SLOTS) {
        struct event *there = &next->events[next->slots[slot] - 1];
        if (same(there->name, name)) {
            there->flags |= flags;
            return there;
        }
    }
    if (next->count == MAX_EVENTS) return NULL;
    struct event *event = &next->events[next->count++];
    for (size_t i = 0; i < length; i++) event->name[i] = name[i];
    event->word = word;
    event->flags = flags;
    event->what = what_of(name);
    next->slots[slot] = (uint8_t)next->count;
    return event;
}

int filter_add_path(const char *pattern)
{
    size_t length = length_of(pattern);
    if (!length || length >= MAX_PATH_TEXT || next->path_count == MAX_PATHS) return 0;
    if (pattern[0] != '/' && (pattern[0] != '*' || length < 2)) return 0;
    char *into = next->paths[next->path_count];
    for (size_t i = 0; i < length; i++) into[i] = pattern[i];
    unsigned number = next->path_count++;
    next->lengths[number] = (uint8_t)length;
    if (pattern[0] == '*') {
        size_t from = length;
        while (from > 1 && pattern[from - 1] != '/') from--;
        /* an end that begins in the middle of a part, or has more parts than one, is looked at by its last byte */
        uint8_t *first = from == 2 && length > 2 ? &next->names[name_key(length - from, pattern[from], pattern[length - 1])]
                                                 : &next->ends[(unsigned char)pattern[length - 1]];
        next->after[number] = *first;
        *first = (uint8_t)(number + 1);
        return 1;
    }
    next->begin[next->begin_count++] = (uint8_t)number;
    if (length > 2)
        next->begins[begin_of(pattern)] = 1;
    else
        for (unsigned i = 0; i < 256; i++) next->begins[i] = 1;
    return 1;
}

void filter_use(void)
{
    struct table *used = current;
    __atomic_store_n(&current, next, __ATOMIC_RELEASE);
    next = used;
}

/* --- pairs that were seen --- */

/* 4,096 pairs: one program that loads models of several libraries looks up some hundreds. */
enum { SEEN = 8192, SEEN_MOST = 4096, TRIES = 16 };

static uint64_t seen[SEEN];
static unsigned seen_used;
static uint64_t seed[2] = {0x9e3779b97f4a7c15u, 0xd1b54a32d192ed03u};

/* An innocent pair that hashes like a dangerous one would hide it, so nobody outside of the process may know the key: one
 * of ours beside the one of Python's own hashes. */
void seen_seed(void)
{
    const unsigned char *random = (const unsigned char *)getauxval(AT_RANDOM);
    if (!random) return;
    for (unsigned i = 0; i < 16; i++) seed[i / 8] ^= (uint64_t)random[i] << (8 * (i % 8));
}

uint64_t seen_key(uint64_t module, uint64_t name)
{
    uint64_t hash = (module ^ seed[0]) * (seed[1] | 1);
    hash = ((hash ^ (hash >> 29)) + name) * 0xbf58476d1ce4e5b9u;
    hash ^= hash >> 32;
    return hash ? hash : 1;
}

int seen_has(uint64_t key)
{
    for (unsigned i = 0; i < TRIES; i++) {
        uint64_t there = __atomic_load_n(&seen[(key + i) % SEEN], __ATOMIC_RELAXED);
        if (there == key) return 1;
        if (!there) return 0;
    }
    return 0;
}

void seen_add(uint64_t key)
{
    if (seen_used >= SEEN_MOST) return;
    for (unsigned i = 0; i < TRIES; i++) {
        uint64_t *place = &seen[(key + i) % SEEN];
        uint64_t there = __atomic_load_n(place, __ATOMIC_RELAXED);
        if (there == key) return;
        if (!there) {
            __atomic_store_n(place, key, __ATOMIC_RELAXED);
            seen_used++;
            return;
        }
    }
}

unsigned seen_count(void)
{
    return seen_used;
}

/* A thread that adds meanwhile may lose its pair, which is told once more then. */
void seen_forget(void)
{
    for (unsigned i = 0; i < SEEN; i++) __atomic_store_n(&seen[i], 0, __ATOMIC_RELAXED);
    seen_used = 0;
}
