/* What is done in another interpreter than the first: told by records that are written here.
 *
 * Python's part belongs to the first interpreter: its objects may not be touched from another one, which may have a lock of
 * its own and may refuse modules. So the least that is of use is told: what was reached or opened, and the files of code on
 * the stack. Distributions are not looked up: an entry `unowned:name` is the folder below site-packages, `app:/file` any
 * other file. Values that may hold secrets (arguments, URLs) are left out.
 */
#include "preload.h"

enum { MAX_FRAMES = 64, MAX_CHAIN = 16 };

static int find(const char *text, size_t length, const char *word, size_t *after)
{
    size_t size = length_of(word);
    for (size_t i = 0; i + size <= length; i++) {
        size_t at = 0;
        while (at < size && text[i + at] == word[at]) at++;
        if (at == size) {
            *after = i + size;
            return 1;
        }
    }
    return 0;
}

/* The entry of a file in `into`; 0 where it is the standard library's or no file. */
static size_t entry_of(const char *path, size_t length, char *into, size_t size)
{
    size_t after = 0, used = 0;
    const char *word = "app:";
    if (!length || path[0] == '<') return 0;
    if (find(path, length, "-packages/", &after)) {
        word = "unowned:";
        size_t end = after;
        while (end < length && path[end] != '/') end++;
        path += after;
        length = end - after;
    } else if (find(path, length, "/lib/python3", &after)) {
        return 0;
    }
    while (*word) into[used++] = *word++;
    for (size_t i = 0; i < length && used < size; i++) into[used++] = path[i];
    return used;
}

static void add_chain(struct record *record)
{
    char last[256];
    size_t last_length = 0;
    unsigned entries = 0;
    record_raw(record, ",\"chain\":[");
    PyObject *frame = (PyObject *)py.PyEval_GetFrame();
    if (frame) py.Py_IncRef(frame);
    for (unsigned depth = 0; frame && depth < MAX_FRAMES && entries < MAX_CHAIN; depth++) {
        PyObject *code = py.PyObject_GetAttrString(frame, "f_code");
        PyObject *name = code ? py.PyObject_GetAttrString(code, "co_filename") : NULL;
        size_t length = 0;
        const char *path = name ? python_text(name, &length) : NULL;
        char entry[256];
        size_t used = path ? entry_of(path, length, entry, sizeof entry) : 0;
        int repeated = used == last_length;
        for (size_t i = 0; repeated && i < used; i++) repeated = entry[i] == last[i];
        if (used && !repeated) {
            if (entries++) record_raw(record, ",");
            record_string(record, entry, used);
            for (size_t i = 0; i < used; i++) last[i] = entry[i];
            last_length = used;
        }
        if (name) py.Py_DecRef(name);
        if (code) py.Py_DecRef(code);
        PyObject *back = py.PyObject_GetAttrString(frame, "f_back");
        py.Py_DecRef(frame);
        frame = back;
        if (frame == py._Py_NoneStruct) {
            py.Py_DecRef(frame);
            frame = NULL;
        }
    }
    if (frame) py.Py_DecRef(frame);
    record_raw(record, "]");
    if (last_length)
        record_text(record, "root", last, last_length);
    else
        record_raw(record, ",\"root\":\"\"");
    record_raw(record, ",\"at_import\":null,\"dists\":[]");
}

static int add_text(struct record *record, const char *name, PyObject *value)
{
    size_t length = 0;
    const char *text = python_text(value, &length);
    if (!text) return 0;
    record_text(record, name, text, length);
    return 1;
}

static void add_number(struct record *record, const char *name, PyObject *value)
{
    if (!python_is(value, py.PyLong_Type)) return;
    long long number = py.PyLong_AsLongLong(value);
    if (number == -1 && py.PyErr_Occurred())
        py.PyErr_Clear();
    else
        record_number(record, name, number);
}

static int add_address(struct record *record, PyObject *address)
{
    if (!python_is(address, py.PyTuple_Type)) return 0;
    if (!add_text(record, "dst", python_item(address, 0))) return 0;
    add_number(record, "port", python_item(address, 1));
    return 1;
}

static int ends_with(const char *text, size_t length, const char *end)
{
    size_t size = length_of(end);
    if (length < size) return 0;
    for (size_t i = 0; i < size; i++)
        if (text[length - size + i] != end[i]) return 0;
    return 1;
}

/* O_ACCMODE (of which O_RDONLY is 0), O_CREAT, O_TRUNC and O_APPEND of Linux */
enum { WRITES = 03 | 0100 | 01000 | 02000 };

/* What runs at every start is told when it is written: each start reads it. */
static int add_path(struct record *record, PyObject *path, PyObject *flags)
{
    size_t length = 0;
    const char *text = python_text(path, &length);
    long long number = python_is(flags, py.PyLong_Type) ? py.PyLong_AsLongLong(flags) : 0;
    if (number == -1 && py.PyErr_Occurred()) py.PyErr_Clear();
    if (!text) return 0;
    if (!(number & WRITES) && (ends_with(text, length, ".pth") || ends_with(text, length, "customize.py") ||
                               ends_with(text, length, "/METADATA") || ends_with(text, length, "/PKG-INFO")))
        return 0;
    record_text(record, "path", text, length);
    if (flags) record_number(record, "flags", number);
    return 1;
}

enum shape { ADDRESS, NAME, PATH, LIBRARY, PROGRAM, PAIR };

/* What is told, and as which event of the sensor's records. */
static const struct {
    const char *event, *told;
    enum shape shape;
} SHAPES[] = {
    {"socket.connect", "connect", ADDRESS},
    {"socket.sendto", "sendto", ADDRESS},
    {"socket.sendmsg", "sendto", ADDRESS},
    {"socket.getaddrinfo", "resolve", NAME},
    {"socket.gethostbyname", "resolve", NAME},
    {"open", "open", PATH},
    {"ctypes.dlopen", "dlopen", LIBRARY},
    {"subprocess.Popen", "spawn", PROGRAM},
    {"os.posix_spawn", "spawn", PROGRAM},
    {"os.exec", "spawn", PROGRAM},
    {"pickle.find_class", "pickle", PAIR},
};

void elsewhere(const struct event *event, PyObject *arguments, int64_t number)
{
    struct record record;
    unsigned which = 0, count = sizeof SHAPES / sizeof SHAPES[0];
    while (which < count && !same(SHAPES[which].event, event->name)) which++;
    if (which == count) return;
    record_begin(&record, SHAPES[which].told);
    record_number(&record, "interpreter", number);
    PyObject *first = python_item(arguments, 0), *second = python_item(arguments, 1);
    int told = 0;
    switch (SHAPES[which].shape) {
    case ADDRESS: told = add_address(&record, second); break;
    case NAME: told = add_text(&record, "host", first); break;
    case PATH: told = add_path(&record, first, python_item(arguments, 2)); break;
    case LIBRARY: told = add_text(&record, "path", first); break;
    case PROGRAM:
        told = add_text(&record, "exe", first);
        record_text(&record, "api", event->name, length_of(event->name));
        break;
    case PAIR: told = add_text(&record, "module", first) && add_text(&record, "name", second); break;
    }
    if (!told) return;
    add_chain(&record);
    if (py.PyErr_Occurred()) py.PyErr_Clear();
    record_send(&record);
}
