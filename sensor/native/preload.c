/* eightysix_preload.so: set by LD_PRELOAD, adds an audit hook to Python before it starts, and starts the sensor when
 * `site` is imported: before any line of a .pth file and before sitecustomize. Any other program is left at once.
 *
 * The hook looks an event's name up in a table; what is wanted is handed to one callable of Python. It never fails: an
 * exception of the sensor's own is cleared and counted. One that a signal handler of the program raised while the sensor
 * ran (KeyboardInterrupt, a deadline) goes on to the program, as it would have without the sensor.
 */
#include "preload.h"

#include <stdlib.h>
#include <unistd.h>

/* Of two copies of this file that are loaded the first one's is used by both, and the second stays quiet. */
__attribute__((visibility("default"))) int eightysix_preload_loaded;

static const char DISABLE_FILE[] = "/run/eightysix/disable";
static const char DEFAULT_HOME[] = "/opt/eightysix";

static __thread int busy; /* inside of the sensor: what it does itself is not told */
static int started;
static PyObject *callable; /* of the first interpreter */
static unsigned long calls, errors, skipped, other_interpreters;

/* --- what Python's part gets --- */

enum { FILE_INPUT = 257 };

static PyObject *none(void)
{
    py.Py_IncRef(py._Py_NoneStruct);
    return py._Py_NoneStruct;
}

static PyObject *refuse(PyObject *kind, const char *text)
{
    py.PyErr_SetString(kind, text);
    return NULL;
}

static void add_own_events(void)
{
    static const char *const STARTING[] = {"import", "cpython.run_command", "cpython.run_module", "cpython.run_file",
                                           "cpython.run_stdin", "cpython.run_interactivehook"};
    for (unsigned i = 0; !started && i < sizeof STARTING / sizeof STARTING[0]; i++)
        filter_add_event(STARTING[i], STARTS);
    filter_add_event("os.exec", LEAVES);
}

static PyObject *set_hook(PyObject *self, PyObject *arguments)
{
    (void)self;
    PyObject *called = python_item(arguments, 0), *events = python_item(arguments, 1), *paths = python_item(arguments, 2);
    int64_t number;
    if (!paths || !python_is(events, py.PyTuple_Type) || !python_is(paths, py.PyTuple_Type))
        return refuse(*(PyObject **)py.PyExc_TypeError, "set_hook(callable or None, tuple of events, tuple of paths)");
    int off = called == py._Py_NoneStruct;
    if (!off && !py.PyCallable_Check(called))
        return refuse(*(PyObject **)py.PyExc_TypeError, "the hook is not callable");
    if (python_elsewhere(&number))
        return refuse(*(PyObject **)py.PyExc_ValueError, "only the first interpreter sets the hook");
    filter_begin();
    add_own_events();
    for (Py_ssize_t i = 0; !off && i < py.PyTuple_Size(events); i++) {
        size_t length = 0;
        PyObject *name = py.PyTuple_GetItem(events, i);
        const char *text = python_text(name, &length);
        struct event *event = text && length_of(text) == length ? filter_add_event(text, WANTED) : NULL;
        if (!event) return refuse(*(PyObject **)py.PyExc_ValueError, "too many events, or a name too long");
        if (!event->object) event->object = py.PyUnicode_InternFromString(text);
        if (!event->object) return NULL;
    }
    for (Py_ssize_t i = 0; !off && i < py.PyTuple_Size(paths); i++) {
        size_t length = 0;
        const char *text = python_text(py.PyTuple_GetItem(paths, i), &length);
        if (!text || length_of(text) != length || !filter_add_path(text))
            return refuse(*(PyObject **)py.PyExc_ValueError,
                          "a path begins with / or, for an end, with *; 160 of at most 127 bytes");
    }
    PyObject *before = callable;
    if (!off) py.Py_IncRef(called);
    __atomic_store_n(&callable, off ? NULL : called, __ATOMIC_RELEASE);
    filter_use();
    if (before) py.Py_DecRef(before);
    return none();
}

/* Python keeps a str's hash, and unpickling needs both soon: asking for them costs nothing. */
static int key_of(PyObject *arguments, uint64_t *key)
{
    PyObject *module = python_item(arguments, 0), *name = python_item(arguments, 1);
    if (!python_is_str(module) || !python_is_str(name)) return 0;
    *key = seen_key((uint64_t)py.PyObject_Hash(module), (uint64_t)py.PyObject_Hash(name));
    return 1;
}

static PyObject *mark_seen(PyObject *self, PyObject *arguments)
{
    (void)self;
    uint64_t key;
    if (!key_of(arguments, &key))
        return refuse(*(PyObject **)py.PyExc_TypeError, "mark_seen(module, name)");
    seen_add(key);
    return none();
}

/* Another file is loaded: pairs are told again. */
static PyObject *forget_seen(PyObject *self, PyObject *arguments)
{
    (void)self;
    (void)arguments;
    seen_forget();
    return none();
}

static PyObject *number_next(PyObject *self, PyObject *arguments)
{
    (void)self;
    (void)arguments;
    return py.PyLong_FromLongLong(record_next_number());
}

static PyObject *stats(PyObject *self, PyObject *arguments)
{
    (void)self;
    (void)arguments;
    const struct {
        const char *name;
        long long number;
    } numbers[] = {
        {"calls", (long long)calls},          {"errors", (long long)errors},
        {"skipped", (long long)skipped},      {"seen", (long long)seen_count()},
        {"sent", (long long)record_sent()},   {"dropped", (long long)record_dropped()},
        {"other_interpreters", (long long)other_interpreters}, {"repeats", (long long)repeats_spared()},
    };
    PyObject *told = py.PyDict_New();
    for (unsigned i = 0; told && i < sizeof numbers / sizeof numbers[0]; i++) {
        PyObject *number = py.PyLong_FromLongLong(numbers[i].number);
        int failed = !number || py.PyDict_SetItemString(told, numbers[i].name, number);
        if (number) py.Py_DecRef(number);
        if (failed) {
            py.Py_DecRef(told);
            return NULL;
        }
    }
    return told;
}

static struct method METHODS[] = {
    {"set_hook", set_hook, METH_VARARGS, "set_hook(callable, events, open_paths): what is called, and for what."},
    {"mark_seen", mark_seen, METH_VARARGS, "mark_seen(module, name): no longer tell pickle.find_class of this pair."},
    {"forget_seen", forget_seen, METH_NOARGS, "forget_seen(): tell every pair again."},
    {"seal", closed_seal, METH_VARARGS, "seal(callable, name, module): a builtin that calls it."},
    {"within", closed_within, METH_VARARGS, "within(function, enter, leave, who): a builtin that calls function between the two."},
    {"stack_key", closed_stack_key, METH_VARARGS, "stack_key(frame): the codes on the stack as bytes, or None."},
    {"hush", repeats_hush, METH_VARARGS, "hush(milliseconds): do not ask again of the act that is being asked about."},
    {"forget_repeats", repeats_forget, METH_NOARGS, "forget_repeats(): ask of every act again."},
    {"next_number", number_next, METH_NOARGS, "next_number(): number of the next record of this process, shared with those written in C."},
    {"stats", stats, METH_NOARGS, "stats(): counts since the start, as a dict."},
};

static PyObject *make_native(void)
{
    PyObject *module = py.PyModule_New("eightysix_preload");
    PyObject *version = module ? py.PyUnicode_FromString(EIGHTYSIX_VERSION) : NULL;
    int failed = !version || py.PyObject_SetAttrString(module, "version", version);
    if (version) py.Py_DecRef(version);
    for (unsigned i = 0; !failed && i < sizeof METHODS / sizeof METHODS[0]; i++) {
        PyObject *function = py.PyCFunction_NewEx(&METHODS[i], NULL, NULL);
        failed = !function || py.PyObject_SetAttrString(module, METHODS[i].name, function);
        if (function) py.Py_DecRef(function);
    }
    if (failed && module) {
        py.Py_DecRef(module);
        module = NULL;
    }
    return module;
}

/* The package is loaded from its folder without sys.path being touched: neither a module beside it nor one of the program
 * can take the place of another. */
static const char BOOT[] =
    "import sys\n"
    "if 'eightysix_sensor' not in sys.modules:\n"
    "    import _frozen_importlib, _frozen_importlib_external\n"
    "    spec = _frozen_importlib_external.PathFinder.find_spec('eightysix_sensor', [home])\n"
    "    if spec is None: raise ImportError('no eightysix_sensor')\n"
    "    _frozen_importlib._load(spec)\n"
    "from eightysix_sensor.boot import start\n"
    "if start(native) is False: raise RuntimeError('the sensor did not start')\n";

static int run_boot(void)
{
    const char *home = getenv("EIGHTYSIX_SENSOR_HOME");
    if (!home || !*home) home = DEFAULT_HOME;
    PyObject *names = py.PyDict_New(), *native = make_native(), *folder = py.PyUnicode_FromString(home);
    PyObject *builtins = py.PyEval_GetBuiltins(), *result = NULL;
    if (names && native && folder && builtins && !py.PyDict_SetItemString(names, "__builtins__", builtins) &&
        !py.PyDict_SetItemString(names, "native", native) && !py.PyDict_SetItemString(names, "home", folder))
        result = py.PyRun_String(BOOT, FILE_INPUT, names, names);
    int done = result != NULL;
    if (result) py.Py_DecRef(result);
    if (names) py.Py_DecRef(names);
    if (native) py.Py_DecRef(native);
    if (folder) py.Py_DecRef(folder);
    return done;
}

static void start(void)
{
    started = 1;
    busy = 1;
    python_learn();
    if (!repeats_learn() || !run_boot()) {
        PyObject *type = NULL, *value = NULL, *trace = NULL;
        struct record record;
        int interrupted = py.PyErr_ExceptionMatches(*(PyObject **)py.PyExc_KeyboardInterrupt);
        errors++;
        py.PyErr_Fetch(&type, &value, &trace);
        PyObject *name = type ? py.PyObject_GetAttrString(type, "__name__") : NULL;
        size_t length = 0;
        const char *text = name ? python_text(name, &length) : NULL;
        record_begin(&record, "start_failed");
        record_raw(&record, ",\"chain\":[],\"root\":\"\",\"at_import\":null,\"dists\":[]");
        record_text(&record, "reason", text ? text : "unknown", text ? length : 7);
        record_send(&record);
        if (name) py.Py_DecRef(name);
        if (type) py.Py_DecRef(type);
        if (value) py.Py_DecRef(value);
        if (trace) py.Py_DecRef(trace);
        py.PyErr_Clear();
        if (interrupted) py.PyErr_SetInterrupt();
    }
    busy = 0;
}

/* --- the hook --- */

static int is_start(const struct event *event, PyObject *arguments)
{
    size_t length = 0;
    if (started || !(event->flags & STARTS)) return 0;
    if (event->name[0] == 'i') {
        const char *name = arguments ? python_text(python_item(arguments, 0), &length) : NULL;
        if (!name || !same(name, "site")) return 0;
    }
    return 1;
}

/* Whether opening what the event names is of interest; a number of an open file never is, what is no text may be. */
static int is_wanted_open(PyObject *arguments)
{
    PyObject *path = python_item(arguments, 0);
    size_t length = 0;
    const char *text = python_text(path, &length);
    if (text) return filter_path(text, length);
    return path && !python_is(path, py.PyLong_Type);
}

/* Whether the innermost frame of a traceback is a file of the sensor's; without a frame it is the call that failed. */
static int is_own(PyObject *trace)
{
    static const char FOLDER[] = "/eightysix_sensor/";
    int own = 1;
    if (!trace) return 1;
    py.Py_IncRef(trace);
    for (;;) {
        PyObject *deeper = py.PyObject_GetAttrString(trace, "tb_next");
        if (!deeper || deeper == py._Py_NoneStruct) {
            if (deeper) py.Py_DecRef(deeper);
            break;
        }
        py.Py_DecRef(trace);
        trace = deeper;
    }
    PyObject *frame = py.PyObject_GetAttrString(trace, "tb_frame");
    PyObject *code = frame ? py.PyObject_GetAttrString(frame, "f_code") : NULL;
    PyObject *file = code ? py.PyObject_GetAttrString(code, "co_filename") : NULL;
    size_t length = 0;
    const char *path = file ? python_text(file, &length) : NULL;
    if (path && path[0] != '<') {
        own = 0;
        for (size_t i = 0; !own && i < length; i++) {
            size_t at = 0;
            while (FOLDER[at] && path[i + at] == FOLDER[at]) at++;
            own = !FOLDER[at];
        }
    }
    if (file) py.Py_DecRef(file);
    if (code) py.Py_DecRef(code);
    if (frame) py.Py_DecRef(frame);
    py.Py_DecRef(trace);
    return own;
}

/* Clear an error of the sensor's own. RecursionError stays: the program is at its limit itself, and Python 3.8 and 3.9
 * abort where that one is swallowed and the program goes deeper. */
static int keeps_error(void)
{
    PyObject *type = NULL, *value = NULL, *trace = NULL;
    if (!py.PyErr_ExceptionMatches(*(PyObject **)py.PyExc_Exception)) return 1;
    if (py.PyErr_ExceptionMatches(*(PyObject **)py.PyExc_RecursionError)) return 1;
    py.PyErr_Fetch(&type, &value, &trace);
    int own = is_own(trace);
    if (py.PyErr_Occurred()) py.PyErr_Clear();
    if (!own) {
        py.PyErr_Restore(type, value, trace);
        return 1;
    }
    if (type) py.Py_DecRef(type);
    if (value) py.Py_DecRef(value);
    if (trace) py.Py_DecRef(trace);
    return 0;
}

static int call(const struct event *event, PyObject *called, PyObject *arguments, uint64_t key)
{
    void *thread = py.PyThreadState_EnterTracing ? py.PyThreadState_Get() : NULL;
    int leaves = 0;
    busy = 1;
    if (thread) py.PyThreadState_EnterTracing(thread); /* a debugger or a coverage tool does not see the sensor */
    py.Py_IncRef(called);
    PyObject *result = py.PyObject_CallFunctionObjArgs(called, event->object, arguments, NULL);
    py.Py_DecRef(called);
    if (thread) py.PyThreadState_LeaveTracing(thread);
    calls++;
    if (result) {
        if (event->what == FIND_CLASS && result == py._Py_TrueStruct && key) seen_add(key);
        py.Py_DecRef(result);
    } else {
        leaves = keeps_error();
        errors += !leaves;
    }
    busy = 0;
    return leaves ? -1 : 0;
}

static int matched(const struct event *event, PyObject *arguments)
{
    uint64_t key = 0;
    int64_t number;
    if (event->flags & LEAVES) health_settle();
    if (is_start(event, arguments)) {
        if (!python_elsewhere(&number)) start();
        return 0;
    }
    if (!(event->flags & WANTED) || !arguments) return 0;
    if (event->what == OPEN && !is_wanted_open(arguments)) return 0;
    if (event->what == FIND_CLASS && key_of(arguments, &key) && seen_has(key)) {
        skipped++;
        return 0;
    }
    if (busy) return 0;
    health_tick();
    if (python_elsewhere(&number)) {
        other_interpreters++;
        busy = 1;
        elsewhere(event, arguments, number);
        busy = 0;
        return 0;
    }
    PyObject *called = __atomic_load_n(&callable, __ATOMIC_ACQUIRE);
    if (called && repeats(event, arguments)) return 0;
    return called ? call(event, called, arguments, key) : 0;
}

static int hook(const char *name, PyObject *arguments, void *data)
{
    (void)data;
    const struct event *event = filter_event(name);
    return event ? matched(event, arguments) : 0;
}

/* --- the process starts and ends --- */

static void tell_withdrawn(unsigned died)
{
    struct record record;
    record_begin(&record, "withdrawn");
    record_raw(&record, ",\"chain\":[],\"root\":\"\",\"at_import\":null,\"dists\":[]");
    record_number(&record, "died", died);
    record_send(&record);
}

__attribute__((constructor)) static void begin(void)
{
    const char *path = NULL, *disabled;
    unsigned died = 0;
    if (eightysix_preload_loaded || endpoint_find(&path) == ENDPOINT_NONE) return;
    if (!python_find()) return;
    eightysix_preload_loaded = 1;
    disabled = getenv("EIGHTYSIX_SENSOR_DISABLE");
    if ((disabled && *disabled && !same(disabled, "0")) || access(DISABLE_FILE, F_OK) == 0) return;
    if (health_start(&died)) {
        tell_withdrawn(died);
        return;
    }
    seen_seed();
    filter_begin();
    add_own_events();
    filter_use();
    py.PySys_AddAuditHook(hook, NULL);
}

__attribute__((destructor)) static void end(void)
{
    health_settle();
}
