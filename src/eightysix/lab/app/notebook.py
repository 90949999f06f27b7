"""A notebook's kernel: runs the cells that it is sent, one after another, in one name space."""

import contextlib
import http.server
import io
import json
import traceback

space = {"__name__": "__main__"}


class Kernel(http.server.BaseHTTPRequestHandler):
    """POST a cell, get what it printed."""

    def do_POST(self):
        """Run a cell."""
        cell = self.rfile.read(int(self.headers["Content-Length"])).decode()
        printed = io.StringIO()
        status = 200
        try:
            with contextlib.redirect_stdout(printed):
                exec(compile(cell, "<cell>", "exec"), space)
        except Exception:
            status, printed = 500, io.StringIO(traceback.format_exc())
        body = json.dumps({"output": printed.getvalue()[-4000:]}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """Nothing is logged."""


http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Kernel).serve_forever()
