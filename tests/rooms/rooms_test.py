#!/usr/bin/env python3
"""tools/rooms.py on houses made for the purpose: every rule bites, and only where it should."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import rooms  # noqa: E402


class Rooms(unittest.TestCase):
    def complaints(self, files: dict) -> list:
        with tempfile.TemporaryDirectory() as name:
            root = Path(name)
            for path, text in files.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text, encoding="utf-8")
            return [str(violation) for violation in rooms.check(root)]

    def test_an_arrow_may_be_followed(self):
        self.assertEqual(self.complaints({
            "src/proxy/a.cpp": '#include "weir/smtp/reply.hpp"\n#include "weir/proxy/a.hpp"\n',
            "src/app/main.cpp": '#include "weir/admin/a.hpp"\n#include "weir/config/settings.hpp"\n',
        }), [])

    def test_an_arrow_may_not_be_invented(self):
        self.assertEqual(self.complaints({"include/weir/core/a.hpp": '#pragma once\n#include "weir/net/task.hpp"\n'}),
                         ["include/weir/core/a.hpp:2: core may not include net"])

    def test_angle_brackets_do_not_hide_a_room(self):
        self.assertEqual(self.complaints({"src/policy/a.cpp": "#  include <weir/app/a.hpp>\n"}),
                         ["src/policy/a.cpp:1: policy may not include app"])

    def test_config_reads_settings_of_other_rooms_and_nothing_else_of_them(self):
        self.assertEqual(self.complaints({
            "src/config/a.cpp": '#include "weir/policy/settings.hpp"\n#include "weir/policy/engine.hpp"\n',
        }), ["src/config/a.cpp:2: config may not include policy"])

    def test_settings_are_for_config_alone(self):
        self.assertEqual(self.complaints({"src/net/a.cpp": '#include "weir/policy/settings.hpp"\n'}),
                         ["src/net/a.cpp:1: net may not include policy"])

    def test_a_private_header_is_for_its_own_room(self):
        self.assertEqual(self.complaints({
            "src/smtp/lines.hpp": "",
            "src/smtp/deep/b.hpp": "",
            "src/smtp/a.cpp": '#include "lines.hpp"\n#include "deep/b.hpp"\n',
            "src/smtp/deep/b.cpp": '#include "b.hpp"\n#include "lines.hpp"\n#include "../lines.hpp"\n',
            "src/proxy/a.cpp": '#include "../smtp/lines.hpp"\n#include "lines.hpp"\n#include "smtp/lines.hpp"\n',
        }), ['src/proxy/a.cpp:1: "../smtp/lines.hpp" is not a private header of proxy',
             'src/proxy/a.cpp:2: "lines.hpp" is not a private header of proxy',
             'src/proxy/a.cpp:3: "smtp/lines.hpp" is not a private header of proxy'])

    def test_a_public_header_includes_no_private_one(self):
        self.assertEqual(self.complaints({"include/weir/smtp/a.hpp": '#include "lines.hpp"\n', "src/smtp/lines.hpp": ""}),
                         ['include/weir/smtp/a.hpp:1: a public header may not include the private "lines.hpp"'])

    def test_every_library_has_its_rooms(self):
        for header, owner, stranger, complaint in (
            ("boost/asio/ip/tcp.hpp", "proxy", "policy", "Asio is for admin, app, net, proxy, sim, not for policy"),
            ("boost/asio.hpp", "app", "config", "Asio is for admin, app, net, proxy, sim, not for config"),
            ("boost/beast/http.hpp", "admin", "telemetry", "Asio is for admin, app, net, proxy, sim, not for telemetry"),
            ("boost/asio/ssl.hpp", "net", "proxy", "OpenSSL is for net, not for proxy"),
            ("openssl/sha.h", "net", "app", "OpenSSL is for net, not for app"),
            ("prometheus/counter.h", "telemetry", "proxy", "prometheus-cpp is for sim, telemetry, not for proxy"),
            ("yaml-cpp/yaml.h", "config", "policy", "yaml-cpp is for config, sim, not for policy"),
            ("hiredis/hiredis.h", "store", "limit", "hiredis is for store, not for limit"),
            ("sqlite3.h", "store", "app", "SQLite is for store, not for app"),
        ):
            with self.subTest(header):
                line = f"#include <{header}>\n"
                self.assertEqual(self.complaints({f"src/{owner}/a.cpp": line}), [])
                self.assertEqual(self.complaints({f"src/{stranger}/a.cpp": line}), [f"src/{stranger}/a.cpp:1: {complaint}"])

    def test_other_libraries_are_for_everyone(self):
        self.assertEqual(self.complaints({"src/core/a.cpp": "#include <vector>\n#include <boost/system/result.hpp>\n"}), [])

    def test_a_new_room_needs_arrows_first(self):
        self.assertEqual(self.complaints({"src/attic/a.cpp": "#include <vector>\n"}),
                         ["src/attic/a.cpp:1: attic is not a room: give it its arrows in tools/rooms.py"])


if __name__ == "__main__":
    unittest.main()
