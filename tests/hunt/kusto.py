"""What public hunting queries use most, each with a query and what Kusto gives: the table behind docs/hunt-language.md.

A case that gives rows is right here where `run` gives them, and its columns are those that Microsoft's binder says. One that
gives None is refused by name. Where a case stands on the page of its construct (learn.microsoft.com/kusto/query), its result
is the one of that page; else it follows from the page's words. `T` is the table below.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

__all__ = ["CASES", "PAGES", "Case", "text_of"]

PAGES = "https://learn.microsoft.com/kusto/query/"

T = """let T = datatable(K: string, V: long, At: datetime)[
    "a", 1, datetime(2024-01-01 00:00:10),
    "a", 2, datetime(2024-01-01 00:01:00),
    "b", 3, datetime(2024-01-02),
    "b", long(null), datetime(2024-01-08 12:00)];
"""
"""Counts: 4 rows, 2 of each key; one value is null."""

Rows = Sequence[Sequence[object]]


class Case(Struct, frozen=True):
    """One use of a construct. `group` is its part of the page, `page` below `PAGES`."""

    group: str
    name: str
    query: str
    rows: Rows | None
    page: str
    note: str = ""


def text_of(case: Case) -> str:
    """The whole query, with the table where it is used."""
    words = case.query.replace("(", " ").replace(")", " ").replace(",", " ").replace(";", " ").split()
    return T + case.query if "T" in words else case.query


def _function(name: str, what: str, value: object, page: str = "", note: str = "") -> Case:
    rows = None if value is REFUSED else [[value]]
    return Case(
        "Scalar functions",
        name,
        f"print X = {what}",
        rows,
        page or f"{name.replace('_', '-')}-function",
        note,
    )


def _aggregate(name: str, what: str, row: Sequence[object] | None, note: str = "") -> Case:
    rows = None if row is None else [row]
    return Case(
        "Aggregates",
        name,
        f"T | summarize {what}",
        rows,
        f"{name.replace('_', '-')}-aggregation-function",
        note,
    )


def _operator(name: str, query: str, rows: Rows | None, page: str = "", note: str = "") -> Case:
    return Case("Tabular operators", name, query, rows, page or f"{name}-operator", note)


def _text(name: str, what: str, value: object, page: str) -> Case:
    return Case("Operators of values", name, f"print X = {what}", [[value]], page)


REFUSED = object()

AGGREGATES = (
    _aggregate("count", "count()", [4]),
    _aggregate("countif", 'countif(K == "a")', [2]),
    _aggregate("dcount", "dcount(K)", [2], "exact here, an estimate there"),
    _aggregate("dcountif", 'dcountif(V, K == "a")', [2], "exact here, an estimate there"),
    _aggregate("count_distinct", "count_distinct(K)", [2]),
    _aggregate("count_distinctif", "count_distinctif(K, V > 2)", [1]),
    _aggregate("sum", "sum(V)", [6]),
    _aggregate("sumif", 'sumif(V, K == "a")', [3]),
    _aggregate("avg", "avg(V)", [2.0]),
    _aggregate("avgif", 'avgif(V, K == "a")', [1.5]),
    _aggregate("min", "min(At)", ["2024-01-01T00:00:10.0000000Z"]),
    _aggregate("minif", "minif(V, V > 1)", [2]),
    _aggregate("max", "max(V)", [3]),
    _aggregate("maxif", 'maxif(V, K == "a")', [2]),
    _aggregate("stdev", "stdev(V)", [1.0]),
    _aggregate("variance", "variance(V)", [1.0]),
    _aggregate("percentile", "percentile(V, 50)", [2], "exact here, an estimate there"),
    _aggregate("make_list", "make_list(V)", [[1, 2, 3]]),
    _aggregate("make_list_if", 'make_list_if(V, K == "a")', [[1, 2]]),
    _aggregate("make_set", "make_set(K)", [["a", "b"]], "in order here, in any order there"),
    _aggregate("make_set_if", 'make_set_if(V, K == "a", 1)', [[1]], "bounded: the first here, any there"),
    _aggregate("take_any", "X = take_any(1)", [1]),
    _aggregate("take_anyif", 'take_anyif(V, K == "b" and V > 0)', [3]),
    Case("Aggregates", "take_any(*)", "T | summarize take_any(*)", None, "take-any-aggregation-function"),
    Case(
        "Aggregates",
        "arg_max",
        "T | summarize arg_max(V, At) by K | sort by K asc",
        [["a", 2, "2024-01-01T00:01:00.0000000Z"], ["b", 3, "2024-01-02T00:00:00.0000000Z"]],
        "arg-max-aggregation-function",
    ),
    Case(
        "Aggregates",
        "arg_min",
        "T | summarize arg_min(At, *) by K | sort by K asc",
        [["a", "2024-01-01T00:00:10.0000000Z", 1], ["b", "2024-01-02T00:00:00.0000000Z", 3]],
        "arg-min-aggregation-function",
    ),
    Case(
        "Aggregates",
        "make_bag",
        "T | summarize make_bag(bag_pack(K, V))",
        None,
        "make-bag-aggregation-function",
    ),
)

OPERATORS = (
    _operator("where", "T | where V > 1 and K == 'a' | project V", [[2]]),
    _operator("extend", "T | extend W = V + 1 | where V == 3 | project W", [[4]]),
    _operator("project", "T | take 1 | project A = K", [["a"]]),
    _operator("project-away", "T | where V == 3 | project-away At", [["b", 3]]),
    _operator("project-keep", "T | where V == 3 | project-keep V*", [[3]]),
    _operator("project-rename", "T | where V == 3 | project-away At | project-rename N = V", [["b", 3]]),
    _operator("project-reorder", "T | where V == 3 | project-away At | project-reorder V", [[3, "b"]]),
    _operator("distinct", "T | distinct K", [["a"], ["b"]]),
    _operator("count", "T | count", [[4]]),
    _operator(
        "summarize",
        "T | summarize N = count() by K, Day = bin(At, 1d) | where K == 'a'",
        [["a", "2024-01-01T00:00:00.0000000Z", 2]],
    ),
    _operator(
        "summarize by bin_at",
        "T | summarize count() by bin_at(At, 1d, datetime(2024-01-01 12:00)) | take 1",
        [["2023-12-31T12:00:00.0000000Z", 2]],
        "bin-at-function",
    ),
    _operator("sort", "T | sort by V | project V", [[3], [2], [1], [None]]),
    _operator("order", "T | order by V asc nulls last | take 1 | project V", [[1]]),
    _operator("top", "T | top 1 by V | project V", [[3]]),
    _operator("take", "T | take 2 | count", [[2]]),
    _operator("sample", "T | sample 1", None),
    _operator("sample-distinct", "T | sample-distinct 1 of K", None),
    _operator("top-nested", "T | top-nested 1 of K by sum(V)", None),
    _operator("top-hitters", "T | top-hitters 1 of K", None),
    _operator(
        "getschema",
        "T | getschema | project ColumnName, ColumnType",
        [["At", "datetime"], ["K", "string"], ["V", "long"]],
    ),
    _operator("print", "print 1, X = 'a'", [[1, "a"]]),
    _operator("range", "range N from 1 to 7 step 3", [[1], [4], [7]]),
    _operator("datatable", "datatable(A: string, B: int)['x', 1]", [["x", 1]]),
    _operator("externaldata", "externaldata(A: string)['https://example.org/a.csv']", None),
    _operator("render", "T | count | render table", [[4]], note="draws nothing"),
    _operator("union", "union T, (T | where K == 'a') | count", [[6]]),
    _operator("union isfuzzy", "union isfuzzy=true T, ThereIsNone | count", [[4]], "union-operator"),
    _operator(
        "union withsource",
        "union withsource=Of (T | project K) | distinct Of",
        [["union_arg0"]],
        "union-operator",
    ),
    _operator(
        "join (innerunique)",
        "T | join (T | where K == 'a') on K | count",
        [[2]],
        "join-innerunique",
        "the default: one row of each key from the left",
    ),
    _operator(
        "join kind=inner", "T | join kind=inner (T | where K == 'a') on K | count", [[4]], "join-inner"
    ),
    _operator(
        "join kind=leftouter",
        "T | join kind=leftouter (T | where K == 'a') on K | count",
        [[6]],
        "join-leftouter",
    ),
    _operator(
        "join kind=rightouter",
        "T | where K == 'a' | join kind=rightouter T on K | count",
        [[6]],
        "join-rightouter",
    ),
    _operator(
        "join kind=fullouter",
        "T | join kind=fullouter (T | where K == 'a') on K | count",
        [[6]],
        "join-fullouter",
    ),
    _operator(
        "join kind=leftsemi", "T | join kind=leftsemi (T | where V == 3) on K | count", [[2]], "join-leftsemi"
    ),
    _operator(
        "join kind=leftanti",
        "T | join kind=leftanti (T | where V == 3) on K | distinct K",
        [["a"]],
        "join-leftanti",
    ),
    _operator(
        "join kind=rightsemi",
        "T | where V == 3 | join kind=rightsemi T on K | distinct K",
        [["b"]],
        "join-rightsemi",
    ),
    _operator(
        "join kind=rightanti",
        "T | where V == 3 | join kind=rightanti T on K | distinct K",
        [["a"]],
        "join-rightanti",
    ),
    _operator(
        "join on $left, $right",
        "T | join kind=inner (T | project Key = K) on $left.K == $right.Key | count",
        [[8]],
        "join-operator",
    ),
    _operator(
        "lookup",
        "T | lookup (datatable(K: string, W: long)['a', 7]) on K | distinct K, W",
        [["a", 7], ["b", None]],
    ),
    _operator(
        "mv-expand",
        "print A = dynamic([1, 2]), B = 'x' | mv-expand A to typeof(long)",
        [[1, "x"], [2, "x"]],
        note="an empty array gives no row, null gives one",
    ),
    _operator(
        "mv-expand of a bag", "print A = dynamic({'k': 1}) | mv-expand A", [[{"k": 1}]], "mv-expand-operator"
    ),
    _operator(
        "mv-expand of two",
        "print A = dynamic([1]), B = dynamic(['x', 'y']) | mv-expand A, B",
        [[1, "x"], [None, "y"]],
        "mv-expand-operator",
    ),
    _operator(
        "mv-apply", "print A = dynamic([1, 2]) | mv-apply A to typeof(long) on (summarize sum(A))", None
    ),
    _operator(
        "parse",
        "print X = 'pid=12 user=eve' | parse X with 'pid=' Pid: long ' user=' User | project Pid, User",
        [[12, "eve"]],
    ),
    _operator(
        "parse kind=regex",
        r"print X = 'pid: 12' | parse kind=regex X with @'pid:\s+' Pid: long | project Pid",
        [[12]],
        "parse-operator",
    ),
    _operator("parse-where", "print X = 'none' | parse-where X with 'pid=' Pid: long | count", [[0]]),
    _operator(
        "parse-kv",
        "print X = 'a=1' | parse-kv X as (a: long) with (pair_delimiter=' ', kv_delimiter='=')",
        None,
    ),
    _operator("serialize", "T | sort by V asc nulls last | serialize | take 1 | project V", [[1]]),
    _operator("scan", "T | sort by At asc | scan with (step s: true;)", None),
    _operator("make-series", "T | make-series count() on At step 1d", None),
    _operator("partition", "T | partition by K (top 1 by V)", None),
    _operator("reduce", "T | reduce by K", None),
    _operator("search", "search in (T) 'a'", None),
    _operator("find", "find in (T) where K == 'a'", None),
    _operator("as", "T | as X | count", None),
    _operator("invoke", "let f = (X: (V: long)) { X | count }; T | invoke f()", None),
    _operator(
        "evaluate bag_unpack",
        "print D = dynamic({'a': 1}) | evaluate bag_unpack(D)",
        None,
        "bag-unpack-plugin",
    ),
    _operator("evaluate pivot", "T | project K, V | evaluate pivot(K, sum(V))", None, "pivot-plugin"),
    _operator("let of a value", "let most = 2; T | where V > most | project V", [[3]], "let-statement"),
    _operator("let of a table", "let rows = T | where V > 2; rows | project V", [[3]], "let-statement"),
    _operator(
        "let of a scalar function",
        "let plus = (a: long, b: long) { a + b }; print X = plus(1, 2)",
        [[3]],
        "let-statement",
    ),
    _operator(
        "let of a tabular function", "let f = (X: (V: long)) { X | where V > 1 }; f(T)", None, "let-statement"
    ),
    _operator(
        "column_ifexists",
        "T | extend X = column_ifexists('None', 'else') | distinct X",
        [["else"]],
        "column-ifexists-function",
    ),
    _operator(
        "materialize",
        "let rows = materialize(T | where V > 1); rows | union rows | count",
        [[4]],
        "materialize-function",
    ),
    _operator(
        "toscalar",
        "let most = toscalar(T | summarize max(V)); T | where V == most | project V",
        [[3]],
        "toscalar-function",
    ),
    _operator("row_number", "T | sort by V | extend N = row_number()", None, "row-number-function"),
    _operator("prev, next", "T | sort by V | extend P = prev(V)", None, "prev-function"),
    _operator("row_cumsum", "T | sort by V | extend S = row_cumsum(V)", None, "row-cumsum-function"),
)

VALUES = (
    _text("==, =~", '"Pip" == "pip" or not("Pip" =~ "pip")', False, "equals-operator"),
    _text("!=, !~", '"Pip" != "pip" and not("Pip" !~ "pip")', True, "not-equals-operator"),
    _text("has", '"pip install" has "PIP" and not("pipx install" has "pip")', True, "has-operator"),
    _text("has_cs", '"Pip install" has_cs "pip"', False, "has-cs-operator"),
    _text("!has", '"pipx install" !has "pip"', True, "not-has-operator"),
    _text(
        "hasprefix, hassuffix",
        '"pipx install" hasprefix "pip" and "pipx install" hassuffix "stall"',
        True,
        "hasprefix-operator",
    ),
    _text("has_any", '"uv add x" has_any ("pip", "uv")', True, "has-any-operator"),
    _text("has_all", '"uv add x" has_all (dynamic(["add", "UV"]))', True, "has-all-operator"),
    _text("contains", '"pipx" contains "PIP" and not("pipx" contains_cs "PIP")', True, "contains-operator"),
    _text("!contains", '"pipx" !contains "npm"', True, "not-contains-operator"),
    _text(
        "startswith, endswith",
        '"/tmp/x" startswith "/TMP" and "/tmp/x" endswith "X"',
        True,
        "startswith-operator",
    ),
    _text("startswith_cs", '"/tmp/x" startswith_cs "/TMP"', False, "startswith-cs-operator"),
    _text("in, !in", '"a" in ("A", "b") or "a" !in ("a")', False, "in-cs-operator"),
    _text("in~, !in~", '"a" in~ ("A", "b") and "a" !in~ ("c")', True, "in-operator"),
    _text("in of a dynamic array", '"a" in (dynamic(["a", "b"]))', True, "in-cs-operator"),
    _text("matches regex", '"pip3.11" matches regex @"^pip[0-9.]*$"', True, "matches-regex-operator"),
    _text("between", "datetime(2024-01-02) between (datetime(2024-01-01) .. 2d)", True, "between-operator"),
    _text("!between", "5 !between (1 .. 4)", True, "not-between-operator"),
    _text(
        "dynamic: members",
        """tostring(parse_json('{"a": {"b": [1, {"c": "d"}]}}').a.b[1].c)""",
        "d",
        "scalar-data-types/dynamic",
    ),
    _text(
        "dynamic: names with blanks",
        """tostring(dynamic({"a b": 1})["a b"])""",
        "1",
        "scalar-data-types/dynamic",
    ),
    _text("dynamic: from the end", "toint(dynamic([1, 2, 3])[-1])", 3, "scalar-data-types/dynamic"),
    _text("span / number", "5m / 2", "00:02:30", "datetime-timespan-arithmetic"),
    _text("span / span", "5m / 2m", 2.5, "datetime-timespan-arithmetic"),
    _text("number * span", "3 * 1h", "03:00:00", "datetime-timespan-arithmetic"),
    _text(
        "moment - moment",
        "datetime(2024-01-02) - datetime(2024-01-01 23:00)",
        "01:00:00",
        "datetime-timespan-arithmetic",
    ),
    _text(
        "moment - span / number",
        "datetime(2024-01-02) - 1d / 2",
        "2024-01-01T12:00:00.0000000Z",
        "datetime-timespan-arithmetic",
    ),
    _text("whole numbers", "7 / 2 + -7 % 3", 5, "numerical-operators"),
)

FUNCTIONS = (
    _function("ago", "now() - ago(1h)", "01:00:00"),
    _function("now", "now(-1d)", "2026-01-01T00:00:00.0000000Z"),
    _function("bin", "bin(datetime(2024-01-01 10:17), 5m)", "2024-01-01T10:15:00.0000000Z"),
    _function("bin of numbers", "bin(4.5, 1)", 4.0, "bin-function"),
    _function("bin_at", "bin_at(6.5, 2.5, 7)", 4.5),
    _function(
        "bin_at of moments",
        "bin_at(datetime(2017-05-15 10:20:00.0), 1d, datetime(1970-01-01 12:00:00.0))",
        "2017-05-14T12:00:00.0000000Z",
        "bin-at-function",
    ),
    _function(
        "bin_at of weeks",
        "bin_at(datetime(2017-05-17 10:20:00.0), 7d, datetime(2017-06-04 00:00:00.0))",
        "2017-05-14T00:00:00.0000000Z",
        "bin-at-function",
    ),
    _function("bin_at of spans", "bin_at(time(1h), 1d, 12h)", "-12:00:00", "bin-at-function"),
    _function("startofday", "startofday(datetime(2017-01-01 10:10:17), -1)", "2016-12-31T00:00:00.0000000Z"),
    _function(
        "endofday",
        "endofday(datetime(2017-01-01 10:10:17)) > datetime(2017-01-01 23:59:59.99)",
        True,
        note="to the microsecond",
    ),
    _function("startofweek", "startofweek(datetime(2017-01-01 10:10:17))", "2017-01-01T00:00:00.0000000Z"),
    _function("startofmonth", "startofmonth(datetime(2017-01-17 10:10:17))", "2017-01-01T00:00:00.0000000Z"),
    _function("dayofweek", "dayofweek(datetime(2015-12-14))", "1.00:00:00"),
    _function("hourofday", "hourofday(datetime(2015-12-14 18:54))", 18),
    _function(
        "datetime_diff",
        "datetime_diff('minute', datetime(2017-10-30 23:05:01), datetime(2017-10-30 23:00:59))",
        5,
    ),
    _function(
        "datetime_diff over a year",
        "datetime_diff('year', datetime(2017-01-01), datetime(2000-12-31))",
        17,
        "datetime-diff-function",
    ),
    _function(
        "datetime_add", "datetime_add('month', 1, datetime(2024-01-31))", "2024-02-29T00:00:00.0000000Z"
    ),
    _function("datetime_part", "datetime_part('hour', datetime(2017-10-30 01:02:03.7654321))", 1),
    _function(
        "format_datetime",
        "format_datetime(datetime(2017-12-14 02:03:04.12345), 'yy-MM-dd [HH:mm:ss]')",
        "17-12-14 [02:03:04]",
    ),
    _function("format_timespan", "format_timespan(1h, 'hh:mm')", REFUSED),
    _function("make_datetime", "make_datetime(2017, 10, 1)", "2017-10-01T00:00:00.0000000Z"),
    _function(
        "unixtime_seconds_todatetime",
        "unixtime_seconds_todatetime(1546300800)",
        "2019-01-01T00:00:00.0000000Z",
    ),
    _function(
        "unixtime_milliseconds_todatetime",
        "unixtime_milliseconds_todatetime(1546300800000)",
        "2019-01-01T00:00:00.0000000Z",
    ),
    _function("todatetime", "todatetime('2015-12-24')", "2015-12-24T00:00:00.0000000Z"),
    _function("totimespan", "totimespan('0.00:01:00')", "00:01:00"),
    _function("tostring", "tostring(dynamic({'a': 1}))", '{"a":1}'),
    _function("toint", "toint('123')", 123),
    _function("tolong", "tolong('x')", None),
    _function("todouble", "todouble('123.4')", 123.4),
    _function("tobool", "tobool('true')", True),
    _function("tolower, toupper", "strcat(tolower('A'), toupper('b'))", "aB", "tolower-function"),
    _function("strcat", "strcat('hello', ' ', 'world')", "hello world"),
    _function("strcat_delim", "strcat_delim('-', '1', '2', 'A')", "1-2-A"),
    _function("strcat_array", "strcat_array(dynamic([1, 2, 3]), '->')", "1->2->3"),
    _function("strlen", "strlen('hello')", 5),
    _function("substring", "substring('ABCD', 0, 2)", "AB"),
    _function("split", "split('aaa_bbb_ccc', '_')", ["aaa", "bbb", "ccc"]),
    _function("split, one part", "split('aaa_bbb_ccc', '_', 1)", ["bbb"], "split-function"),
    _function("trim", "trim('--', '--https://bing.com--')", "https://bing.com"),
    _function("indexof", "indexof('abcdefg', 'cde')", 2),
    _function("replace_string", "replace_string('A magic trick', 'magic', 'card')", "A card trick"),
    _function("replace_regex", r"replace_regex('Number is 12', @'is (\d+)', @'was: \1')", "Number was: 12"),
    _function("countof", "countof('The cat sat on the mat', 'at')", 3),
    _function("reverse", "reverse('macrohard')", "drahorcam"),
    _function("extract", "extract('x=([0-9.]+)', 1, 'hello x=45.6|wo')", "45.6"),
    _function(
        "extract with a type", "extract('([0-9]+)', 1, 'x=45', typeof(long)) + 1", 46, "extract-function"
    ),
    _function("extract_all", r"extract_all(@'(\d+)', 'a1b22')", ["1", "22"]),
    _function("parse_json", """parse_json('{"a": 1}').a""", 1),
    _function("parse_json of a text", "tostring(parse_json('no json'))", "no json", "parse-json-function"),
    _function("todynamic", "toint(todynamic('[1, 2]')[1])", 2),
    _function("parse_url", "tostring(parse_url('https://host:1234/path?k1=v1').Host)", "host"),
    _function("parse_urlquery", "parse_urlquery('k1=v1')", REFUSED),
    _function("parse_path", "parse_path('/a/b.txt')", REFUSED),
    _function("parse_csv", "parse_csv('a,b')", REFUSED),
    _function("parse_version", "parse_version('1.2.3')", REFUSED),
    _function("parse_command_line", "parse_command_line('echo a', 'windows')", REFUSED),
    _function("url_decode", "url_decode('https%3a%2f%2fwww.bing.com%2f')", "https://www.bing.com/"),
    _function("base64_decode_tostring", "base64_decode_tostring('S3VzdG8=')", "Kusto"),
    _function(
        "base64_decode_tostring of none", "base64_decode_tostring('!')", "", "base64-decode-tostring-function"
    ),
    _function("base64_encode_tostring", "base64_encode_tostring('Kusto')", "S3VzdG8="),
    _function(
        "hash_sha256",
        "hash_sha256('World')",
        "78ae647dc5544d227130a0682a51e30bc7777fbb6d8a8f17007463a3ecd1d524",
    ),
    _function("hash_md5", "hash_md5('World')", "f5a7924e621e84c9280a9a27e1bcb7f6"),
    _function("hash", "hash('World')", REFUSED),
    _function("ipv4_is_private", "ipv4_is_private('192.168.1.1/24')", True),
    _function("ipv4_is_private of none", "ipv4_is_private('no address')", None, "ipv4-is-private-function"),
    _function("ipv4_is_in_range", "ipv4_is_in_range('192.168.1.6', '192.168.1.1/24')", True),
    _function(
        "ipv4_is_in_any_range",
        "ipv4_is_in_any_range('192.168.1.6', '192.168.1.1/24', '10.0.0.1/8', '127.1.0.1/16')",
        True,
    ),
    _function("ipv4_is_match", "ipv4_is_match('192.168.1.1', '192.168.1.255', 24)", True),
    _function("ipv6_is_match", "ipv6_is_match('::1', '::1')", REFUSED),
    _function("has_ipv4", "has_ipv4('05:04:54 127.0.0.1 GET', '127.0.0.1')", REFUSED),
    _function("parse_ipv4", "parse_ipv4('192.1.168.1')", 3221334017),
    _function("geo_info_from_ip_address", "geo_info_from_ip_address('8.8.8.8')", REFUSED),
    _function("iff", "iff(1 > 2, 'a', 'b')", "b"),
    _function("case", "case(1 > 2, 'a', 2 > 1, 'b', 'c')", "b"),
    _function("coalesce", "coalesce(tolong('not a number'), tolong('42'), 33)", 42),
    _function("isempty", "isempty('') and isnotempty('x')", True),
    _function("isnull", "isnull(long(null)) and isnotnull(1)", True),
    _function("not", "not(false)", True),
    _function("max_of", "max_of(10, 1, -3, 17)", 17),
    _function("round", "round(2.15, 1)", 2.2),
    _function("rand", "rand()", REFUSED),
    _function("array_length", "array_length(dynamic([1, 2, 3, 'four']))", 4),
    _function("array_concat", "array_concat(dynamic([1]), dynamic([2, 3]))", [1, 2, 3]),
    _function("array_slice", "array_slice(dynamic([1, 2, 3, 4, 5]), -3, -2)", [3, 4]),
    _function("array_index_of", "array_index_of(dynamic(['this', 'is', 'an', 'example']), 'example')", 3),
    _function("array_sort_asc", "array_sort_asc(dynamic([3, 1, 2]))", [1, 2, 3]),
    _function("set_has_element", "set_has_element(dynamic(['this', 'is']), 'IS')", False),
    _function(
        "set_union",
        "set_union(dynamic([1, 2]), dynamic([2, 3]))",
        [1, 2, 3],
        note="in order here, in any order there",
    ),
    _function("set_intersect", "set_intersect(dynamic([1, 2, 3]), dynamic([2, 3, 4]), dynamic([3]))", [3]),
    _function("set_difference", "set_difference(dynamic([1, 2, 3]), dynamic([2]), dynamic([3]))", [1]),
    _function("bag_keys", "bag_keys(dynamic({'a': 'b', 'c': 123}))", ["a", "c"]),
    _function("bag_pack", "bag_pack('Level', 'Information')", {"Level": "Information"}),
    _function("bag_merge", "bag_merge(dynamic({'a': 1}), dynamic({'b': 2}))", REFUSED),
    _function("bag_has_key", "bag_has_key(dynamic({'a': 1}), 'a')", REFUSED),
    _function("pack_all", "pack_all()", REFUSED),
    _function("pack_array", "pack_array(1, 'x')", [1, "x"]),
    _function("zip", "zip(dynamic([1, 3]), dynamic([2, 4]))", [[1, 2], [3, 4]]),
    _function("gettype", "gettype(dynamic({'a': 1}))", "dictionary"),
    _function("series_decompose_anomalies", "series_decompose_anomalies(dynamic([1, 2]))", REFUSED),
    _function(
        "series_stats", "series_stats_dynamic(dynamic([1, 2]))", REFUSED, "series-stats-dynamic-function"
    ),
    _function("string_size", "string_size('⒦⒰⒮⒯⒪')", 15),
    _function("abs", "abs(-5)", 5),
    _function("startofyear", "startofyear(datetime(2017-01-17 10:10:17))", "2017-01-01T00:00:00.0000000Z"),
    _function(
        "endofyear",
        "endofyear(datetime(2017-01-17)) > datetime(2017-12-31 23:59:59.99)",
        True,
        note="to the microsecond",
    ),
    _function("pack_dictionary", "pack_dictionary('a', 1)", {"a": 1}, "bag-pack-function"),
    _function("series_fit_2lines", "series_fit_2lines(dynamic([1, 2]))", REFUSED),
    _function("parse_user_agent", "parse_user_agent('x', 'browser')", REFUSED),
    _function("extractjson", "extractjson('$.a', '{\"a\": 1}')", REFUSED, "extract-json-function"),
    _function("translate", "translate('krasp', 'otsku', 'spark')", REFUSED),
    _function("ingestion_time", "ingestion_time()", REFUSED),
)

CASES = (*OPERATORS, *AGGREGATES, *VALUES, *FUNCTIONS)
