/* What was told a moment ago, so that Python is not asked again: connections, names that are resolved, requests.
 *
 * Python decides (`hush`): it never does so of metadata services and the API server, of which each call is told. Kept is a
 * hash of what is done, of the codes on the whole stack and of who started the thread; of what is done very often only
 * every eighth time is looked at whose it is. Called with Python's lock held. A full table forgets, so that more is told.
 */
#include "preload.h"

#include <time.h>

enum { QUIET = 2048, TRIES = 8, ACTS = 512, HOT = 64, HOT_FOR_MS = 10000, MOST_HEAD = 32 };

struct quiet {
    uint64_t key;
    uint64_t until;
};
struct act {
    uint64_t key;
    uint64_t until;
    uint32_t count;
};

static struct quiet quiet[QUIET];
static struct act acts[ACTS];
static uint32_t generation;
static unsigned long spared;
static PyObject *name_host, *name_dns_host;

static __thread uint64_t started_by; /* who started this thread or task; 0: nobody */
static __thread struct {
    uint64_t key, act;
    uint32_t generation;
} asked;

static uint64_t now_ms(void)
{
    struct timespec now = {0, 0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* The text of a host; 0 where Python has to look at it. */
static uint64_t hash_of(PyObject *host)
{
    if (!python_is_str(host)) return 0;
    return (uint64_t)py.PyObject_Hash(host) | 1;
}

static int connects_to(PyObject *address, uint64_t *act)
{
    if (!python_is_exactly(address, py.PyTuple_Type) || py.PyTuple_Size(address) < 2) return 0;
    PyObject *port = python_item(address, 1);
    uint64_t host = hash_of(python_item(address, 0));
    if (!host || !python_is_exactly(port, py.PyLong_Type)) return 0;
    long long number = py.PyLong_AsLongLong(port);
    if (number < 0 || number > 65535) {
        if (py.PyErr_Occurred()) py.PyErr_Clear();
        return 0;
    }
    *act = seen_key(host, (uint64_t)number + 1);
    return 1;
}

/* As `Requests.client`: the host of an `http.client` connection stands in its dictionary. */
static PyObject *host_of(PyObject *connection)
{
    PyObject *known = py.PyObject_GenericGetDict(connection, NULL), *found;
    if (!known) {
        py.PyErr_Clear();
        return NULL;
    }
    found = py.PyDict_GetItemWithError(known, name_host);
    if (!found) found = py.PyDict_GetItemWithError(known, name_dns_host);
    if (py.PyErr_Occurred()) py.PyErr_Clear();
    py.Py_DecRef(known); /* the connection has it */
    return found;
}

/* -1: a part of a body, or anything else that is no head. */
static int sends(PyObject *connection, PyObject *data, uint64_t *act)
{
    static const char METHODS[][5] = {"GET ", "POST", "PUT ", "HEAD", "PATC", "DELE", "OPTI", "CONN"};
    Py_ssize_t size = 0;
    char *text = NULL;
    int head = 0;
    if (!python_is_exactly(data, py.PyBytes_Type)) return -1;
    if (py.PyBytes_AsStringAndSize(data, &text, &size)) {
        py.PyErr_Clear();
        return 0;
    }
    for (unsigned i = 0; !head && size >= 4 && i < sizeof METHODS / sizeof METHODS[0]; i++)
        head = !__builtin_memcmp(text, METHODS[i], 4);
    if (!head) return -1;
    for (Py_ssize_t i = 0; i + 2 < size && i + 2 < MOST_HEAD; i++)
        if (text[i] == ':' && text[i + 1] == '/' && text[i + 2] == '/') return 0; /* to a proxy: Python reads whose */
    uint64_t host = hash_of(host_of(connection));
    if (!host) return 0;
    *act = seen_key(host, 0);
    return 1;
}

static int act_of(const struct event *event, PyObject *arguments, uint64_t *act)
{
    int known = 0;
    if (event->what == CONNECT)
        known = connects_to(python_item(arguments, 1), act);
    else if (event->what == RESOLVE) {
        uint64_t host = hash_of(python_item(arguments, 0));
        known = host != 0;
        *act = seen_key(host, 1);
    } else if (event->what == SEND)
        known = sends(python_item(arguments, 0), python_item(arguments, 1), act);
    if (known > 0) *act = seen_key(*act, event->what);
    return known;
}

/* Of the codes on the stack and who started it; 0 where this cannot be told. */
static uint64_t place_of(void)
{
    PyObject *codes[MOST_FRAMES];
    unsigned count = stack_codes(py.PyEval_GetFrame(), codes);
    if (!count) return 0;
    uint64_t hash = seen_key(started_by, count);
    for (unsigned i = 0; i < count; i++) {
        hash = (hash ^ (uint64_t)(uintptr_t)codes[i]) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
    }
    return hash;
}

int repeats(const struct event *event, PyObject *arguments)
{
    uint64_t act = 0, place, key;
    asked.key = 0;
    if (event->what < CONNECT) return 0;
    int known = act_of(event, arguments, &act);
    if (known <= 0) return known < 0;
    uint64_t now = now_ms();
    struct act *often = &acts[act % ACTS];
    if (often->key == act) {
        if (often->until <= now) {
            often->until = now + HOT_FOR_MS;
            often->count = 0;
        }
        if (++often->count > HOT && (often->count & 7)) {
            spared++;
            return 1;
        }
    }
    place = place_of();
    if (!place) return 0;
    key = seen_key(act, place);
    for (unsigned i = 0; i < TRIES; i++) {
        struct quiet *one = &quiet[(key + i) % QUIET];
        if (one->key == key) {
            if (one->until <= now) break;
            spared++;
            return 1;
        }
    }
    asked.key = key;
    asked.act = act;
    asked.generation = generation;
    return 0;
}

/* hush(milliseconds): what is being asked about is not asked again for so long. */
PyObject *repeats_hush(PyObject *self, PyObject *arguments)
{
    (void)self;
    long long length = py.PyLong_AsLongLong(python_item(arguments, 0));
    if (length < 0 && py.PyErr_Occurred()) return NULL;
    if (asked.key && asked.generation == generation && length > 0) {
        uint64_t now = now_ms();
        struct quiet *into = &quiet[asked.key % QUIET];
        for (unsigned i = 0; i < TRIES; i++) {
            struct quiet *one = &quiet[(asked.key + i) % QUIET];
            if (one->key == asked.key || one->until <= now) {
                into = one;
                break;
            }
        }
        into->key = asked.key;
        into->until = now + (uint64_t)(length > HOT_FOR_MS ? HOT_FOR_MS : length);
        struct act *often = &acts[asked.act % ACTS];
        if (often->key != asked.act) *often = (struct act){asked.act, now + HOT_FOR_MS, 1};
    }
    asked.key = 0;
    py.Py_IncRef(py._Py_NoneStruct);
    return py._Py_NoneStruct;
}

/* The codes of stacks are kept no longer, so others may come to lie where they lay; or this is another process. */
PyObject *repeats_forget(PyObject *self, PyObject *arguments)
{
    (void)self;
    (void)arguments;
    generation++;
    for (unsigned i = 0; i < QUIET; i++)
        if (quiet[i].until) quiet[i].until = 0;
    for (unsigned i = 0; i < ACTS; i++)
        if (acts[i].until) acts[i].key = acts[i].until = 0;
    py.Py_IncRef(py._Py_NoneStruct);
    return py._Py_NoneStruct;
}

uint64_t repeats_started_by(uint64_t who)
{
    uint64_t before = started_by;
    started_by = who;
    return before;
}

unsigned long repeats_spared(void)
{
    return spared;
}

int repeats_learn(void)
{
    name_host = py.PyUnicode_InternFromString("host");
    name_dns_host = py.PyUnicode_InternFromString("_dns_host");
    if (name_host && name_dns_host) return 1;
    py.PyErr_Clear();
    return 0;
}
