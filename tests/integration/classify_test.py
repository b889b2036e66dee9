"""`weir classify` as an operator runs it: both kinds of input, order, mistakes, exit status.

    classify_test.py WEIR
"""

import json
import subprocess
import sys
import tempfile
import unittest

WEIR = sys.argv.pop()

CONFIG = """
upstream: {relays: isp.example}
feedback:
  classify:
    - {pattern: "house rule 7", class: auth, scope: sender}
    - {pattern: "^421 4\\\\.7\\\\.0 Too many", class: system}
"""


def run(text, *arguments):
    return subprocess.run([WEIR, "classify", *arguments], input=text, capture_output=True, text=True, timeout=60)


def answers(text, *arguments):
    done = run(text, "--json", *arguments)
    return [json.loads(line) for line in done.stdout.splitlines()], done


def classes(text, *arguments):
    return [a["class"] for a in answers(text, *arguments)[0]]


class RawLines(unittest.TestCase):
    def test_lines_of_one_reply_are_judged_together(self):
        got, done = answers("450-mailbox unavailable\r\n450 Mail send limit exceeded.\r\n550 mailbox unavailable\r\n")
        self.assertEqual([(a["class"], a["scope"]) for a in got], [("rate", "account"), ("recipient", "recipient")])
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_line_ends_and_empty_lines_do_not_matter(self):
        self.assertEqual(classes("\n\n421 Too many connections\n\n250 2.0.0 Ok"), ["rate", "ok"])

    def test_a_reply_of_a_code_alone_is_one(self):
        self.assertEqual(classes("250\n451\n"), ["ok", "system"])

    def test_numbers_in_the_text_are_no_codes(self):
        self.assertEqual(classes("550 5.1.1 User unknown; original size 535 KB\n"), ["recipient"])

    def test_lines_that_are_none_are_named_and_the_others_answered(self):
        got, done = answers("hello\n250 Ok\n45 no\n999 no\n550 5.1.1 User unknown\n")
        self.assertEqual([a["class"] for a in got], ["ok", "recipient"])
        self.assertEqual(done.returncode, 65)
        self.assertEqual([line.split(": ")[1] for line in done.stderr.splitlines()], ["line 1", "line 3", "line 4"])

    def test_a_reply_without_a_last_line_is_named_and_does_not_swallow_the_next(self):
        got, done = answers("450-first\n250 Ok\n550-open\n")
        self.assertEqual([a["class"] for a in got], ["ok"])
        self.assertEqual(done.returncode, 65)
        self.assertIn("line 1: the reply that begins here has no last line", done.stderr)
        self.assertIn("line 3: the reply that begins here has no last line", done.stderr)

    def test_no_input_is_no_mistake(self):
        got, done = answers("")
        self.assertEqual((got, done.returncode, done.stderr), ([], 0, ""))


class JsonLines(unittest.TestCase):
    def test_fields_are_read_and_ids_passed_on_in_order(self):
        lines = [
            {"id": "a", "code": 421, "esc": "4.7.0", "text": "Too many connections; retry in 2 minutes", "stage": "connect"},
            {"id": 7, "code": 550, "esc": None, "text": "User unknown", "stage": "rcpt"},
            {"code": 451, "text": "zwusgrpl", "stage": "never heard of"},
            {"id": {"deep": [1]}, "code": 250, "text": ""},
        ]
        got, done = answers("\n \n".join(json.dumps(line) for line in lines))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([a["class"] for a in got], ["rate", "recipient", "system", "ok"])
        self.assertEqual([a["retry_after_s"] for a in got], [120, None, None, None])
        self.assertEqual([a.get("id") for a in got], ["a", 7, None, {"deep": [1]}])
        self.assertNotIn("id", got[2])
        self.assertEqual(got[2]["scope"], "unknown")

    def test_wire_stands_for_code_status_and_text(self):
        wire = ["450-4.7.1 mailbox unavailable", "450 4.7.1 Mail send limit exceeded"]
        got, done = answers(json.dumps({"wire": wire}))
        self.assertEqual([(a["class"], a["code"]) for a in got], [("rate", 450)])
        self.assertEqual(done.returncode, 0)

    def test_a_status_in_the_text_is_as_good_as_one_beside_it(self):
        beside = {"code": 451, "esc": "4.7.1", "text": "Try again later"}
        within = {"code": 451, "text": "4.7.1 Try again later"}
        self.assertEqual(classes(json.dumps(beside) + "\n" + json.dumps(within)), ["recipient"] * 2)

    def test_mistakes_are_named_and_the_others_answered(self):
        lines = ['{"code": 250}', "{", "[]", '{"text": "no code"}', '{"code": "421"}', '{"code": 42}',
                 '{"code": 421, "text": 5}', '{"wire": []}', '{"wire": ["450-a"]}', '{"wire": ["450 a", "450 b"]}',
                 '{"wire": "450 a"}', '{"code": 550, "text": "User unknown"}']
        got, done = answers("\n".join(lines))
        self.assertEqual([a["class"] for a in got], ["ok", "recipient"])
        self.assertEqual(done.returncode, 65)
        self.assertEqual([line.split(": ")[1] for line in done.stderr.splitlines()], [f"line {n}" for n in range(2, 12)])


class Output(unittest.TestCase):
    def test_the_table_has_one_line_a_reply(self):
        done = run("421 4.7.0 Too many connections, try again in 300 seconds\n550-5.1.1 User\n550 5.1.1 unknown\n")
        lines = done.stdout.splitlines()
        self.assertEqual(lines[0].split(), ["CLASS", "SCOPE", "RETRY", "AFTER", "REPLY"])
        self.assertRegex(lines[1], r"^rate +host +300 s +421 4\.7\.0 Too many connections")
        self.assertRegex(lines[2], r"^recipient +recipient +- +550 5\.1\.1 User unknown$")
        self.assertEqual(len(lines), 3)

    def test_what_a_relay_writes_does_not_reach_the_terminal_as_it_is(self):
        done = run('{"code": 550, "text": "\\u001b[31m' + "x" * 500 + '"}')
        self.assertNotIn("\x1b", done.stdout)
        self.assertLess(max(len(line) for line in done.stdout.splitlines()), 140)


class Configuration(unittest.TestCase):
    def with_config(self, text, replies):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(text)
            file.flush()
            return answers(replies, "--config", file.name)

    def test_the_operators_patterns_go_first(self):
        got, done = self.with_config(CONFIG, "550 house rule 7\n421 4.7.0 Too many connections\n421 4.7.1 Too many connections\n")
        self.assertEqual([(a["class"], a["scope"]) for a in got],
                         [("auth", "sender"), ("system", "unknown"), ("rate", "host")])
        self.assertEqual([a["decided_by"] for a in got][:2], ["feedback.classify[0]", "feedback.classify[1]"])
        self.assertEqual(done.returncode, 0)

    def test_a_pattern_that_is_wrong_is_named_with_its_place(self):
        got, done = self.with_config(CONFIG.replace("house rule 7", "(house"), "250 Ok\n")
        self.assertEqual((got, done.returncode), ([], 78))
        self.assertIn(":5:17: feedback.classify[0].pattern: ", done.stderr)

    def test_a_file_that_is_not_there_is_an_error(self):
        self.assertEqual(run("250 Ok\n", "--config", "/no/such/file.yaml").returncode, 78)


if __name__ == "__main__":
    unittest.main()
