/* What the program gets to hold of the sensor: functions in the place of its own, what is called at the end, a finder.
 *
 * A function of Python shows its cells and its globals to everybody (`f.__closure__`), and while it runs its frame does; two
 * lines of Python would switch the sensor off without a trace. A builtin shows nothing. So what the program holds are
 * builtins from here, and what is behind them is known to C alone. (`gc` finds every object, and is told first.)
 */
#include "preload.h"

enum { MOST_SEALED = 32, MOST_NAME = 40 };

static PyObject *behind[MOST_SEALED];
static char names[MOST_SEALED][MOST_NAME];
static unsigned sealed_count;

/* One entry for each, because what a builtin carries along (`__self__`) is shown, too. */
#define EACH(F) F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11) F(12) F(13) F(14) F(15) F(16) F(17) F(18) F(19) \
    F(20) F(21) F(22) F(23) F(24) F(25) F(26) F(27) F(28) F(29) F(30) F(31)
#define ENTRY(number)                                                                               \
    static PyObject *entry_##number(PyObject *self, PyObject *arguments, PyObject *named)           \
    {                                                                                               \
        (void)self;                                                                                 \
        return py.PyObject_Call(behind[number], arguments, named);                                  \
    }
EACH(ENTRY)
#define METHOD(number) {names[number], (PyObject *(*)(PyObject *, PyObject *))(void (*)(void))entry_##number, METH_VARARGS | METH_KEYWORDS, NULL},
static struct method METHODS[] = {EACH(METHOD)};

static PyObject *refused(const char *text)
{
    py.PyErr_SetString(*(PyObject **)py.PyExc_TypeError, text);
    return NULL;
}

PyObject *closed_seal(PyObject *self, PyObject *arguments)
{
    (void)self;
    PyObject *called = python_item(arguments, 0), *module = python_item(arguments, 2);
    size_t length = 0;
    const char *name = python_text(python_item(arguments, 1), &length);
    if (!called || !py.PyCallable_Check(called) || !name || length >= MOST_NAME || !module || sealed_count >= MOST_SEALED)
        return refused("seal(callable, name, module), 32 at most");
    unsigned number = sealed_count++;
    for (size_t i = 0; i < length; i++) names[number][i] = name[i];
    py.Py_IncRef(called);
    behind[number] = called;
    return py.PyCFunction_NewEx(&METHODS[number], NULL, module);
}

/* --- a function between two others --- */

static const char CAPSULE[] = "eightysix.within";

static void drop(PyObject *capsule)
{
    PyObject *parts = py.PyCapsule_GetPointer(capsule, CAPSULE);
    if (parts) py.Py_DecRef(parts);
}

/* Only what is told is lost where `enter` or `leave` fails: the program's function runs, and its error stays. */
static PyObject *call_within(PyObject *self, PyObject *arguments, PyObject *named)
{
    PyObject *type = NULL, *value = NULL, *trace = NULL;
    PyObject *parts = py.PyCapsule_GetPointer(self, CAPSULE);
    if (!parts) return NULL;
    py.Py_IncRef(parts);
    uint64_t starter = repeats_started_by((uint64_t)py.PyLong_AsLongLong(python_item(parts, 3)));
    if (py.PyErr_Occurred()) py.PyErr_Clear();
    PyObject *before = py.PyObject_CallFunctionObjArgs(python_item(parts, 1), NULL);
    if (!before) py.PyErr_Clear();
    PyObject *result = py.PyObject_Call(python_item(parts, 0), arguments, named);
    if (!result) py.PyErr_Fetch(&type, &value, &trace);
    if (before) {
        PyObject *left = py.PyObject_CallFunctionObjArgs(python_item(parts, 2), before, NULL);
        if (left)
            py.Py_DecRef(left);
        else
            py.PyErr_Clear();
        py.Py_DecRef(before);
    }
    repeats_started_by(starter);
    if (!result) py.PyErr_Restore(type, value, trace);
    py.Py_DecRef(parts);
    return result;
}

static struct method WITHIN = {"started", (PyObject *(*)(PyObject *, PyObject *))(void (*)(void))call_within,
                               METH_VARARGS | METH_KEYWORDS, NULL};

PyObject *closed_within(PyObject *self, PyObject *arguments)
{
    (void)self;
    PyObject *function = python_item(arguments, 0), *enter = python_item(arguments, 1), *leave = python_item(arguments, 2);
    PyObject *who = python_item(arguments, 3);
    if (!who || !python_is(who, py.PyLong_Type)) return refused("within(function, enter, leave, number of who)");
    PyObject *parts = py.PyTuple_Pack(4, function, enter, leave, who);
    PyObject *capsule = parts ? py.PyCapsule_New(parts, CAPSULE, drop) : NULL;
    if (!capsule) {
        if (parts) py.Py_DecRef(parts);
        return NULL;
    }
    PyObject *made = py.PyCFunction_NewEx(&WITHIN, capsule, NULL);
    py.Py_DecRef(capsule);
    return made;
}

/* --- the stack --- */

/* Asking a frame in Python for its code raises an audit event each time; this way it does not. */
unsigned stack_codes(PyObject *frame, PyObject **codes)
{
    unsigned count = 0;
    if (!py.PyFrame_GetBack || !py.PyFrame_GetCode || !python_is(frame, py.PyFrame_Type)) return 0;
    py.Py_IncRef(frame);
    while (frame && count < MOST_FRAMES) {
        PyObject *code = py.PyFrame_GetCode(frame), *back = py.PyFrame_GetBack(frame);
        codes[count++] = code;
        py.Py_DecRef(code); /* the frame that runs holds it */
        py.Py_DecRef(frame);
        frame = back;
    }
    if (!frame) return count;
    py.Py_DecRef(frame);
    return 0;
}

/* Who calls keeps the codes of a key alive, so no other code gets the place of one of them. */
PyObject *closed_stack_key(PyObject *self, PyObject *arguments)
{
    (void)self;
    PyObject *codes[MOST_FRAMES];
    unsigned count = stack_codes(python_item(arguments, 0), codes);
    if (!count) {
        py.Py_IncRef(py._Py_NoneStruct);
        return py._Py_NoneStruct;
    }
    return py.PyBytes_FromStringAndSize((const char *)codes, (Py_ssize_t)(count * sizeof codes[0]));
}
