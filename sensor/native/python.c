/* Python's functions, found in the running process. */
#include "preload.h"

#include <dlfcn.h>

/* Before glibc 2.34 it is in libdl, which a program that is not Python need not have. */
extern void *dlsym(void *, const char *) __attribute__((weak));

struct python py;

int python_find(void)
{
    int found = 1;
    if (!dlsym) return 0;
    /* One name that is not there tells that this is no Python, or one before 3.8. */
    if (!dlsym(RTLD_DEFAULT, "PySys_AddAuditHook")) return 0;
#define FIND(result, name, arguments) found &= (*(void **)&py.name = dlsym(RTLD_DEFAULT, #name)) != NULL;
#define MAYBE(result, name, arguments) *(void **)&py.name = dlsym(RTLD_DEFAULT, #name);
    PYTHON_FUNCTIONS(FIND, MAYBE)
#undef FIND
#undef MAYBE
#define FIND(name) found &= (*(void **)&py.name = dlsym(RTLD_DEFAULT, #name)) != NULL;
    PYTHON_OBJECTS(FIND)
#undef FIND
    if (!py.PyInterpreterState_Get) py.PyInterpreterState_Get = py._PyInterpreterState_Get; /* 3.8 */
    if (!py.PyThreadState_LeaveTracing) py.PyThreadState_EnterTracing = NULL;
    return found && py.PyInterpreterState_Get;
}

int python_elsewhere(int64_t *number)
{
    PyInterpreterState *here = py.PyInterpreterState_Get();
    if (here == py.PyInterpreterState_Main()) return 0;
    *number = py.PyInterpreterState_GetID(here);
    return 1;
}

/* Where an object names its type: behind the reference count in ordinary builds, elsewhere in others. 0: not known. */
static size_t type_at;

void python_learn(void)
{
    PyObject *known[] = {py._Py_NoneStruct, py._Py_TrueStruct, py.PyUnicode_Type};
    for (size_t at = sizeof(void *); at <= 2 * sizeof(void *) && !type_at; at += sizeof(void *)) {
        int agree = 1;
        for (unsigned i = 0; i < 3; i++) {
            PyObject *type = py.PyObject_Type(known[i]);
            agree &= *(PyObject **)((char *)known[i] + at) == type;
            py.Py_DecRef(type);
        }
        if (agree) type_at = at;
    }
}

int python_is_exactly(PyObject *object, PyObject *type)
{
    return object && type_at && *(PyObject **)((char *)object + type_at) == type;
}

int python_is_str(PyObject *object)
{
    return python_is_exactly(object, py.PyUnicode_Type);
}

PyObject *python_item(PyObject *tuple, Py_ssize_t number)
{
    PyObject *found = py.PyTuple_GetItem(tuple, number);
    if (!found) py.PyErr_Clear();
    return found;
}

int python_is(PyObject *object, PyObject *type)
{
    if (!object) return 0;
    if (type_at) {
        PyObject *own = *(PyObject **)((char *)object + type_at);
        return own == type || py.PyType_IsSubtype(own, type);
    }
    PyObject *own = py.PyObject_Type(object);
    if (!own) {
        py.PyErr_Clear();
        return 0;
    }
    int is = own == type || py.PyType_IsSubtype(own, type);
    py.Py_DecRef(own);
    return is;
}

const char *python_text(PyObject *object, size_t *length)
{
    Py_ssize_t size = 0;
    const char *text = NULL;
    if (python_is(object, py.PyUnicode_Type)) {
        text = py.PyUnicode_AsUTF8AndSize(object, &size);
        if (!text) py.PyErr_Clear();
    } else if (python_is(object, py.PyBytes_Type)) {
        char *bytes = NULL;
        if (py.PyBytes_AsStringAndSize(object, &bytes, &size) == 0)
            text = bytes;
        else
            py.PyErr_Clear();
    }
    *length = text ? (size_t)size : 0;
    return text;
}
