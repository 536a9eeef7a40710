"""A server of zips over TLS on a port of the system's choice, which it prints; what was asked of it is in a file."""

import http.server
import ssl
import sys

certificate, key, zip_file, asked = sys.argv[1:]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with open(asked, "a") as log:
            log.write(self.path + "\n")
        name = self.path.split("?")[0]
        if name == "/tiny.zip":
            with open(zip_file, "rb") as file:
                self.answer(200, file.read())
        elif name == "/moved.zip":
            self.answer(302, b"", location="/tiny.zip")
        elif name == "/down.zip":
            self.answer(302, b"", location="http://127.0.0.1/tiny.zip")
        elif name == "/circle.zip":
            self.answer(302, b"", location="/circle.zip")
        elif name == "/page.zip":
            self.answer(200, b"<html>log in</html>")
        elif name == "/huge.zip":
            self.answer(200, b"", length=300_000_000)
        elif name == "/half.zip":
            self.answer(200, b"PK", length=1000)
        elif name == "/private.zip":
            self.answer(403, b"")
        else:
            self.answer(404, b"")

    def answer(self, status, body, location=None, length=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *words):
        pass


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(server.server_port, flush=True)
server.handle_error = lambda *about: None
server.serve_forever()
