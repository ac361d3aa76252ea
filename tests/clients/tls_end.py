"""Asks once over HTTP/1.1, ends its side of TLS behind the answer, and says how the server ended: "close_notify", or what
came in its place. TLS runs in memory: what the server sends can be told from what the library makes of it.

    tls_end.py PORT CERTIFICATE KEY PATH
"""
import socket
import ssl
import sys

port, certificate, key, path = sys.argv[1:]
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
context.load_cert_chain(certificate, key)
received, to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
tls = context.wrap_bio(received, to_send)
raw = socket.create_connection(("127.0.0.1", int(port)), timeout=20)


def drive(step):
    """`step` until it needs nothing more from the server."""
    while True:
        try:
            result = step()
            raw.sendall(to_send.read())
            return result
        except ssl.SSLWantReadError:
            raw.sendall(to_send.read())
            data = raw.recv(65536)
            if not data:
                raise EOFError("the server ended too early") from None
            received.write(data)


drive(tls.do_handshake)
drive(lambda: tls.write(f"GET {path} HTTP/1.1\r\nHost: proxy\r\n\r\n".encode()))
answer = b""
while not answer.rstrip().endswith(b"}"):
    answer += drive(lambda: tls.read(65536))
print(answer.split()[1].decode())
try:
    tls.unwrap()
except ssl.SSLWantReadError:
    pass
raw.sendall(to_send.read())
last = b""
while data := raw.recv(65536):
    last += data
received.write(last)
received.write_eof()
try:
    tls.unwrap()
    print("close_notify" if last else "nothing")
except OSError as error:
    print(error)
