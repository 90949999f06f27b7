/* A program that has Python's names and little behind them: enough to see, without Python, that the native part finds
 * them, adds its hook before anything else, starts on `site` once, and lets other events go. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct { intptr_t count; void *type; const char *text; } Object;

#define TYPE(name) Object name = {1, &name, #name};
TYPE(PyUnicode_Type) TYPE(PyBytes_Type) TYPE(PyLong_Type) TYPE(PyTuple_Type) TYPE(PyFrame_Type) TYPE(NoneType)
Object _Py_NoneStruct = {1, &NoneType, "None"}, _Py_TrueStruct = {1, &PyLong_Type, "True"};
static Object exception = {1, &NoneType, "exception"};
#define EXCEPTION(name) Object *name = &exception;
EXCEPTION(PyExc_Exception) EXCEPTION(PyExc_RecursionError) EXCEPTION(PyExc_KeyboardInterrupt) EXCEPTION(PyExc_TypeError)
EXCEPTION(PyExc_ValueError)

static int (*hook)(const char *, Object *, void *);
static int runs, failing;
static Object any = {1, &NoneType, "any"}, *arguments[2];

int PySys_AddAuditHook(int (*added)(const char *, Object *, void *), void *data) { (void)data; hook = added; return 0; }
Object *PyObject_Type(Object *object) { return object->type; }
int PyType_IsSubtype(Object *type, Object *other) { return type == other; }
intptr_t PyObject_Hash(Object *object) { return (intptr_t)object; }
Object *PyObject_GetAttrString(Object *object, const char *name) { (void)object; (void)name; return &any; }
int PyObject_SetAttrString(Object *object, const char *name, Object *value) { (void)object; (void)name; (void)value; return 0; }
Object *PyObject_CallFunctionObjArgs(Object *called, ...) { (void)called; return &_Py_TrueStruct; }
Object *PyObject_Call(Object *called, Object *given, Object *named) { (void)called; (void)given; (void)named; return &any; }
Object *PyBytes_FromStringAndSize(const char *text, intptr_t size) { (void)text; (void)size; return &any; }
Object *PyTuple_Pack(intptr_t count, ...) { (void)count; return &any; }
Object *PyCapsule_New(void *what, const char *name, void (*end)(Object *)) { (void)what; (void)name; (void)end; return &any; }
void *PyCapsule_GetPointer(Object *capsule, const char *name) { (void)name; return capsule; }
int PyCallable_Check(Object *object) { (void)object; return 1; }
void Py_IncRef(Object *object) { object->count++; }
void Py_DecRef(Object *object) { object->count--; }
intptr_t PyTuple_Size(Object *tuple) { (void)tuple; return 2; }
Object *PyTuple_GetItem(Object *tuple, intptr_t number) { (void)tuple; return number < 2 ? arguments[number] : NULL; }
const char *PyUnicode_AsUTF8AndSize(Object *text, intptr_t *size) { *size = (intptr_t)strlen(text->text); return text->text; }
Object *PyUnicode_FromString(const char *text) { (void)text; return &any; }
Object *PyUnicode_InternFromString(const char *text) { (void)text; return &any; }
int PyBytes_AsStringAndSize(Object *bytes, char **text, intptr_t *size) { (void)bytes; (void)text; (void)size; return -1; }
long long PyLong_AsLongLong(Object *number) { (void)number; return 1; }
Object *PyLong_FromLongLong(long long number) { (void)number; return &any; }
Object *PyDict_New(void) { return &any; }
Object *PyDict_GetItemWithError(Object *dict, Object *key) { (void)dict; (void)key; return NULL; }
Object *PyObject_GenericGetDict(Object *object, void *context) { (void)object; (void)context; return NULL; }
int PyDict_SetItemString(Object *dict, const char *name, Object *value) { (void)dict; (void)name; (void)value; return 0; }
Object *PyModule_New(const char *name) { (void)name; return &any; }
Object *PyCFunction_NewEx(void *method, Object *self, Object *module) { (void)method; (void)self; (void)module; return &any; }
Object *PyEval_GetBuiltins(void) { return &any; }
void *PyEval_GetFrame(void) { return NULL; }
Object *PyRun_String(const char *text, int start, Object *globals, Object *locals)
{
    (void)globals; (void)locals;
    runs += start == 257 && strstr(text, "start(native)") != NULL;
    return failing ? NULL : &any;
}
Object *PyErr_Occurred(void) { return NULL; }
void PyErr_Clear(void) {}
void PyErr_Fetch(Object **type, Object **value, Object **trace) { *type = *value = *trace = NULL; }
void PyErr_Restore(Object *type, Object *value, Object *trace) { (void)type; (void)value; (void)trace; }
void PyErr_SetString(Object *type, const char *text) { (void)type; (void)text; }
int PyErr_ExceptionMatches(Object *type) { (void)type; return 0; }
void PyErr_SetInterrupt(void) {}
void *PyThreadState_Get(void) { return &any; }
void *PyInterpreterState_Main(void) { return &any; }
void *PyInterpreterState_Get(void) { return &any; }
int64_t PyInterpreterState_GetID(void *interpreter) { (void)interpreter; return 0; }

static int audit(const char *event, const char *first)
{
    Object text = {1, &PyUnicode_Type, first}, tuple = {1, &PyTuple_Type, "tuple"};
    arguments[0] = arguments[1] = &text;
    return hook(event, &tuple, NULL);
}

int main(int count, char **words)
{
    (void)words;
    failing = count > 1;
    if (!hook) return puts("no hook"), 1;
    int bad = audit("open", "/etc/hostname") | audit("import", "os") | audit("", "") | audit("o", "x");
    int before = runs;
    bad |= audit("import", "site") | audit("import", "site") | audit("cpython.run_file", "x") | audit("os.exec", "x");
    return printf("hook %d before %d runs %d\n", bad, before, runs) < 0;
}
