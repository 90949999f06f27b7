/* What the files of eightysix_preload.so share.
 *
 * No Python header and no version of a library is named: functions of Python are looked up in the running process, those of
 * the C library are bound without a version and without a dependency on one, so one file serves CPython 3.8 to 3.14, old
 * and new glibc, and musl. Nothing here allocates, locks or blocks.
 */
#ifndef EIGHTYSIX_PRELOAD_H
#define EIGHTYSIX_PRELOAD_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stddef.h>
#include <stdint.h>

#define EIGHTYSIX_VERSION "0.1.0"

typedef struct python_object PyObject;
typedef struct python_interpreter PyInterpreterState;
typedef intptr_t Py_ssize_t;

/* Functions of Python's C interface: all are exported by every CPython from 3.8 on; `_OLD` and `_MAYBE` may be absent. */
#define PYTHON_FUNCTIONS(F, MAYBE)                                                  \
    F(int, PySys_AddAuditHook, (int (*)(const char *, PyObject *, void *), void *)) \
    F(PyObject *, PyObject_Type, (PyObject *))                                      \
    F(int, PyType_IsSubtype, (PyObject *, PyObject *))                              \
    F(Py_ssize_t, PyObject_Hash, (PyObject *))                                      \
    F(PyObject *, PyObject_GetAttrString, (PyObject *, const char *))               \
    F(int, PyObject_SetAttrString, (PyObject *, const char *, PyObject *))          \
    F(PyObject *, PyObject_CallFunctionObjArgs, (PyObject *, ...))                  \
    F(PyObject *, PyObject_Call, (PyObject *, PyObject *, PyObject *))              \
    F(int, PyCallable_Check, (PyObject *))                                          \
    F(void, Py_IncRef, (PyObject *))                                                \
    F(void, Py_DecRef, (PyObject *))                                                \
    F(Py_ssize_t, PyTuple_Size, (PyObject *))                                       \
    F(PyObject *, PyTuple_GetItem, (PyObject *, Py_ssize_t))                        \
    F(const char *, PyUnicode_AsUTF8AndSize, (PyObject *, Py_ssize_t *))            \
    F(PyObject *, PyUnicode_FromString, (const char *))                             \
    F(PyObject *, PyUnicode_InternFromString, (const char *))                       \
    F(int, PyBytes_AsStringAndSize, (PyObject *, char **, Py_ssize_t *))            \
    F(PyObject *, PyBytes_FromStringAndSize, (const char *, Py_ssize_t))            \
    F(PyObject *, PyTuple_Pack, (Py_ssize_t, ...))                                  \
    F(PyObject *, PyCapsule_New, (void *, const char *, void (*)(PyObject *)))      \
    F(void *, PyCapsule_GetPointer, (PyObject *, const char *))                     \
    F(long long, PyLong_AsLongLong, (PyObject *))                                   \
    F(PyObject *, PyLong_FromLongLong, (long long))                                 \
    F(PyObject *, PyDict_New, (void))                                               \
    F(PyObject *, PyDict_GetItemWithError, (PyObject *, PyObject *))                \
    F(PyObject *, PyObject_GenericGetDict, (PyObject *, void *))                    \
    F(int, PyDict_SetItemString, (PyObject *, const char *, PyObject *))            \
    F(PyObject *, PyModule_New, (const char *))                                     \
    F(PyObject *, PyCFunction_NewEx, (void *, PyObject *, PyObject *))              \
    F(PyObject *, PyEval_GetBuiltins, (void))                                       \
    F(void *, PyEval_GetFrame, (void))                                              \
    F(PyObject *, PyRun_String, (const char *, int, PyObject *, PyObject *))        \
    F(PyObject *, PyErr_Occurred, (void))                                           \
    F(void, PyErr_Clear, (void))                                                    \
    F(void, PyErr_Fetch, (PyObject **, PyObject **, PyObject **))                   \
    F(void, PyErr_Restore, (PyObject *, PyObject *, PyObject *))                    \
    F(void, PyErr_SetString, (PyObject *, const char *))                            \
    F(int, PyErr_ExceptionMatches, (PyObject *))                                    \
    F(void, PyErr_SetInterrupt, (void))                                             \
    F(void *, PyThreadState_Get, (void))                                            \
    F(PyInterpreterState *, PyInterpreterState_Main, (void))                        \
    F(int64_t, PyInterpreterState_GetID, (PyInterpreterState *))                    \
    MAYBE(PyInterpreterState *, PyInterpreterState_Get, (void))                     \
    MAYBE(PyInterpreterState *, _PyInterpreterState_Get, (void))                    \
    MAYBE(PyObject *, PyFrame_GetBack, (PyObject *))                                \
    MAYBE(PyObject *, PyFrame_GetCode, (PyObject *))                                \
    MAYBE(void, PyThreadState_EnterTracing, (void *))                               \
    MAYBE(void, PyThreadState_LeaveTracing, (void *))

/* Objects of Python; of exceptions it is a pointer to the pointer. */
#define PYTHON_OBJECTS(O) \
    O(PyUnicode_Type)     \
    O(PyBytes_Type)       \
    O(PyLong_Type)        \
    O(PyTuple_Type)       \
    O(PyFrame_Type)       \
    O(_Py_NoneStruct)     \
    O(_Py_TrueStruct)     \
    O(PyExc_Exception)    \
    O(PyExc_RecursionError) \
    O(PyExc_KeyboardInterrupt) \
    O(PyExc_TypeError)    \
    O(PyExc_ValueError)

struct python {
#define MEMBER(result, name, arguments) result(*name) arguments;
    PYTHON_FUNCTIONS(MEMBER, MEMBER)
#undef MEMBER
#define MEMBER(name) PyObject *name;
    PYTHON_OBJECTS(MEMBER)
#undef MEMBER
};

extern struct python py;

/* Whether this process is Python and has all that is needed; `py` is filled. */
int python_find(void);
/* Whether the current thread is in an interpreter that is not the first one; its number goes to `number`. */
int python_elsewhere(int64_t *number);
/* Call once Python runs: how objects name their types. */
void python_learn(void);
/* Item of a tuple, borrowed; NULL and no error set where there is none. */
PyObject *python_item(PyObject *tuple, Py_ssize_t number);
/* Whether `object` is of this type or one derived from it; runs no code of Python. */
int python_is(PyObject *object, PyObject *type);
/* Whether `object` is a str and of no type derived from it. */
int python_is_str(PyObject *object);
/* The same of any type. */
int python_is_exactly(PyObject *object, PyObject *type);
/* Text of a str or bytes object, NULL (and no error set) for another one or for what is no UTF-8. */
const char *python_text(PyObject *object, size_t *length);

/* --- filter.c: which events are wanted --- */

enum { MAX_EVENTS = 96, MAX_NAME = 48, MAX_PATHS = 160, MAX_PATH_TEXT = 128 };
enum { WANTED = 1, STARTS = 2, LEAVES = 4 };
enum what { PLAIN, OPEN, FIND_CLASS, CONNECT, RESOLVE, SEND };

struct event {
    char name[MAX_NAME];
    uint64_t word;    /* the name's first eight bytes */
    PyObject *object; /* the name as a str of the first interpreter */
    uint8_t flags;
    uint8_t what;
};

const struct event *filter_event(const char *name);
int filter_path(const char *path, size_t length);
/* Fill the table that is not in use, then use it. */
void filter_begin(void);
struct event *filter_add_event(const char *name, uint8_t flags);
int filter_add_path(const char *pattern);
void filter_use(void);

/* The bounded set of pairs that were seen: `seen_key` is of Python's hashes of both, and never 0. */
uint64_t seen_key(uint64_t module, uint64_t name);
int seen_has(uint64_t key);
void seen_add(uint64_t key);
unsigned seen_count(void);
void seen_forget(void);
void seen_seed(void);

/* --- repeats.c: what was told a moment ago --- */

/* Whether Python need not be asked; else `hush` may follow. */
int repeats(const struct event *event, PyObject *arguments);
PyObject *repeats_hush(PyObject *self, PyObject *arguments);
PyObject *repeats_forget(PyObject *self, PyObject *arguments);
/* Who started what now runs on this thread, as a number; gives the one before. */
uint64_t repeats_started_by(uint64_t who);
unsigned long repeats_spared(void);
int repeats_learn(void);

/* --- closed.c: what the program holds of the sensor, without a way to what is behind it --- */

/* seal(callable, name, module): a builtin of that name that calls `callable`; the program sees neither its cells nor itself. */
PyObject *closed_seal(PyObject *self, PyObject *arguments);
/* within(function, enter, leave, who): calls `function` between the two; none of the sensor's frames is on the stack meanwhile.
 * `who`, a number, is who started it. */
PyObject *closed_within(PyObject *self, PyObject *arguments);
/* stack_key(frame): the codes on the stack as bytes; None where they are too many, or this Python cannot tell. */
PyObject *closed_stack_key(PyObject *self, PyObject *arguments);
/* The codes on the stack from `frame` on; 0 where they are too many, or this Python cannot tell. Who asks keeps none. */
enum { MOST_FRAMES = 128 };
unsigned stack_codes(PyObject *frame, PyObject **codes);

struct method { /* PyMethodDef: the same in every version */
    const char *name;
    PyObject *(*function)(PyObject *, PyObject *);
    int flags;
    const char *doc;
};
enum { METH_VARARGS = 1, METH_KEYWORDS = 2, METH_NOARGS = 4 };

/* --- health.c: a program that keeps dying runs without the sensor --- */

/* Enter this start; true where so many before it died early that the sensor is to stay away. */
int health_start(unsigned *died);
/* Called now and then: a process that lives long enough is well. */
void health_tick(void);
/* This process is well, or ends by its own will. */
void health_settle(void);

/* --- emit.c: records that are written without Python --- */

enum { MAX_RECORD = 4096 };

struct record {
    char text[MAX_RECORD];
    size_t length;
    size_t limit;
    int full;
};

void record_begin(struct record *record, const char *event);
void record_text(struct record *record, const char *name, const char *text, size_t length);
void record_number(struct record *record, const char *name, long long number);
void record_raw(struct record *record, const char *text);
void record_string(struct record *record, const char *text, size_t length);
void record_send(struct record *record);
long long record_next_number(void);
unsigned long record_sent(void);
unsigned long record_dropped(void);
uint64_t start_of_process(void);

/* The endpoint as the environment names it: what follows `unix:` or `file:`, NULL where the sensor is off. */
enum endpoint { ENDPOINT_NONE, ENDPOINT_UNIX, ENDPOINT_FILE };
enum endpoint endpoint_find(const char **path);

/* --- interpreters.c: what another interpreter than the first does --- */

void elsewhere(const struct event *event, PyObject *arguments, int64_t number);

/* Small things, as the C library's may be bound to a version or be macros. */
static inline int same(const char *one, const char *other)
{
    while (*one && *one == *other) {
        one++;
        other++;
    }
    return *one == *other;
}

static inline size_t length_of(const char *text)
{
    size_t length = 0;
    while (text[length]) length++;
    return length;
}

#endif
