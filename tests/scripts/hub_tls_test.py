"""Runs `bitnet fetch` against hubs with TLS, and through proxies.

    hub_tls_test.py PATH_OF_BITNET [unittest options]
"""

import socket
import sys
import tempfile
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import hub_fixture  # noqa: E402
from hub_fixture import DATA, REPO, TOKEN, HubTest  # noqa: E402


class Encrypted(HubTest):
    """Over TLS, with an authority of our own."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.authority, cls.localhost, cls.elsewhere = hub_fixture.make_certificates(Path(folder.name))

    def environment(self, hub, **more):
        return super().environment(hub, **{"SSL_CERT_FILE": str(self.authority), **more})

    def test_a_trusted_certificate_is_accepted_and_others_are_not(self):
        hub = self.hub(certificate=self.localhost)
        self.assert_fails(self.fetch(hub, SSL_CERT_FILE=str(self.elsewhere)), "certificate is not accepted", "SSL_CERT_FILE")
        self.assert_fails(self.fetch(hub, HF_ENDPOINT=f"https://127.0.0.1:{hub.port}"), "certificate is not accepted")
        self.assertEqual(hub.requests, [])
        self.assert_fetched(self.fetch(hub))
        other = self.hub(certificate=self.elsewhere)
        self.assertEqual(self.bitnet(hub, "cache", "clear", "--all").returncode, 0)
        self.assert_fails(self.fetch(other), "certificate is not accepted")
        plain = self.hub()
        self.assert_fails(self.fetch(plain, HF_ENDPOINT=f"https://localhost:{plain.port}"), "TLS")

    def test_the_way_down_to_http_is_refused(self):
        plain = self.hub()
        hub = self.hub(certificate=self.localhost)
        hub.behave = lambda handler, kind: kind == "file" and (
            handler.answer(302, fields={"Location": plain.url + handler.path}) or True)
        self.assert_fails(self.fetch(hub), "from https to")
        self.assertEqual(plain.requests, [])

    def test_a_cut_connection_goes_on_over_tls(self):
        hub = self.hub(certificate=self.localhost)
        hub.behave = lambda handler, kind: kind == "file" and len(hub.asked()) == 1 and (
            handler.send_file(handler.path, most=100_000) or True)
        self.assert_fetched(self.fetch(hub))
        self.assertEqual(hub.n_sent, len(DATA))

    def test_proxies_of_the_environment_are_used(self):
        hub = self.hub(certificate=self.localhost)
        tunnels, sockets = [], []
        self.addCleanup(lambda: [one.close() for one in sockets])
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def pump(source, sink):
            try:
                while data := source.recv(65536):
                    sink.sendall(data)
                sink.shutdown(socket.SHUT_WR)
            except OSError:
                pass

        def accept():
            while True:
                try:
                    client = listener.accept()[0]
                except OSError:
                    return
                head = b""
                while b"\r\n\r\n" not in head:
                    head += client.recv(1)
                tunnels.append(head.decode())
                if "refuse" in head.decode():
                    client.sendall(b"HTTP/1.1 407 Who are you\r\n\r\n")
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", hub.port))
                sockets.extend((client, server))
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=pump, args=pair, daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        proxy = f"http://me:p%40ss@127.0.0.1:{listener.getsockname()[1]}"
        self.assert_fetched(self.fetch(hub, HTTPS_PROXY=proxy, HF_TOKEN=TOKEN))
        self.assertEqual(len(tunnels), 2)
        self.assertTrue(tunnels[0].startswith(f"CONNECT localhost:{hub.port} HTTP/1.1\r\n"))
        self.assertIn("Proxy-Authorization: Basic bWU6cEBzcw==", tunnels[0])
        self.assertNotIn(TOKEN, tunnels[0])
        self.assertEqual(self.bitnet(hub, "cache", "clear", "--all").returncode, 0)
        self.assert_fetched(self.fetch(hub, HTTPS_PROXY=proxy, NO_PROXY="example.org, localhost"))
        self.assertEqual(len(tunnels), 2)
        self.assertEqual(self.bitnet(hub, "cache", "clear", "--all").returncode, 0)
        refused = self.fetch(hub, REPO, "--retries", "0", HTTPS_PROXY=proxy, HF_ENDPOINT="https://refuse.example")
        self.assert_fails(refused, "proxy refuses", "407")
        self.assertNotIn("p@ss", refused.stderr)

    def test_plain_http_goes_through_a_proxy_by_its_whole_address(self):
        hub = self.hub()
        result = self.fetch(hub, HF_ENDPOINT="http://hub.example", http_proxy=hub.url)
        self.assert_fetched(result)
        self.assertTrue(hub.asked("list")[0][0].startswith("http://hub.example/api/models/"))
        self.assertEqual(hub.asked("list")[0][1]["Host"], "hub.example")


if __name__ == "__main__":
    hub_fixture.main()
