#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "weir/config/settings.hpp"

namespace weir::config {
namespace {

constexpr std::string_view everything = R"(
listen: ["127.0.0.1:10025", {address: "[::1]:10026", lane: priority}]
trusted_clients: &lan [127.0.0.0/8, "::1", 192.0.2.0/24]
mode: observe
upstream:
  relays: ["[smtp.isp.example]:587", 'isp.example']
  contract: {messages: 50000/day, recipients_per_message: 50}
limits:
  - &base
    name: client
    per: [client, sender_domain]
    messages: "60/min, burst 30"
    match: {client: *lan, sender: "<>"}
  - <<: *base
    name: other
    bytes: >-
      10M/h
      burst 50M
admin: {listen: "127.0.0.1:9525"}
log: {level: info, "format": "j\u0073on"}
)";

/// Settings or a ConfigError with a line: any other end is a failure of the test.
void load_or_refuse(const std::string& text) {
    try {
        static_cast<void>(load_text(text, "any"));
    } catch (const ConfigError& error) {
        ASSERT_EQ(std::string_view(error.what()).substr(0, 4), "any:") << text;
    }
}

bool loads(const std::string& text) {
    try {
        static_cast<void>(load_text(text, "any"));
        return true;
    } catch (const ConfigError&) {
        return false;
    }
}

std::string repeated(std::string_view part, std::size_t times) {
    std::string text;
    text.reserve(part.size() * times);
    for (std::size_t i = 0; i < times; ++i) text += part;
    return text;
}

TEST(AnyBytes, TheTextThatIsSpoiltBelowIsGood) {
    EXPECT_NO_THROW(static_cast<void>(load_text(everything, "any")));
}

TEST(AnyBytes, EveryBeginningOfAFileGetsAnAnswer) {
    for (std::size_t length = 0; length <= everything.size(); ++length) {
        load_or_refuse(std::string(everything.substr(0, length)));
    }
}

TEST(AnyBytes, EveryByteMayBeLostOrReplaced) {
    constexpr std::string_view replacements = "\n\t{]:&*\"-\x80";
    for (std::size_t i = 0; i < everything.size(); ++i) {
        std::string text(everything);
        load_or_refuse(std::string(text).erase(i, 1));
        for (const char c : replacements) {
            text[i] = c;
            load_or_refuse(text);
        }
    }
}

TEST(AnyBytes, PiecesOfYamlInAnyOrderGetAnAnswer) {
    const std::vector<std::string> pieces = {
        "upstream:", "relays:", " ",           "  ",  "\n",   "\n  ",    "\n- ",   "- ",    "[",
        "]",         "{",       "}",           ",",   ": ",   "? ",      "&a ",    "*a",    "<<: ",
        "!t ",       "\"",      "'",           "|\n", ">-\n", "# c",     "---\n",  "...\n", "~",
        "a",         "60/min",  "%YAML 1.2\n", "\\",  "\t",   "limits:", "match:", "\r\n",  "%TAG ! x\n",
    };
    std::mt19937 random(99);
    for (int i = 0; i < 20'000; ++i) {
        std::string text;
        for (auto n = random() % 16; n > 0; --n) text += pieces[random() % pieces.size()];
        load_or_refuse(text);
    }
}

TEST(AnyBytes, RandomBytesGetAnAnswer) {
    std::mt19937 random(7);
    for (int i = 0; i < 20'000; ++i) {
        std::string text(random() % 64, '\0');
        for (char& c : text) c = static_cast<char>(random() % (i % 2 == 0 ? 0x80 : 0x100));
        load_or_refuse(text);
    }
}

TEST(AnyBytes, AnAliasBombIsDefused) {
    std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 12; ++i) {
        const std::string before = "*a" + std::to_string(i - 1);
        bomb +=
            "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before + repeated(", " + before, 9) + "]\n";
    }
    try {
        static_cast<void>(load_text(bomb, "any"));
        FAIL() << "was accepted";
    } catch (const ConfigError& error) {
        EXPECT_STREQ(error.what(),
                     "any:5:40: too many values; a configuration has at most 100000, aliases written out");
    }
}

TEST(AnyBytes, AMergeBombIsDefused) {
    std::string bomb = "a0: &a0 {k0: x, k1: x, k2: x, k3: x}\n";
    for (int i = 1; i < 40; ++i) {
        const std::string n = std::to_string(i);
        const std::string before = "*a" + std::to_string(i - 1);
        bomb +=
            "a" + n + ": &a" + n + " {<<: " + before + ", l" + n + ": " + before + ", r" + n + ": " + before + "}\n";
    }
    EXPECT_FALSE(loads(bomb));
}

// Long inputs that make a careless parser recurse, or take quadratic time; ctest's timeout is the judge.
TEST(AnyBytes, LongFilesGetAnAnswerInTime) {
    constexpr std::size_t most = 1U << 18U;
    for (const std::string_view part :
         {"[",   "{",     "- ",    "? ",   "a: ", "a:\n ", "\n",    " ",      "\t",       "#",
          "'",   "\"",    "&a ",   "*a ",  "!a ", "!",     "|\n",   ">\n",    "x",        "x ",
          "x\n", "---\n", "...\n", "%a\n", "[]",  "{}",    "[a,",   "{a,",    "{a: b, ",  "[a, ",
          "\\",  ":",     ": ",    ",",    "]",   "}",     "- a\n", "a: b\n", "\xc3\xa4", "\r"}) {
        load_or_refuse(repeated(part, most / part.size()));
        load_or_refuse("a: " + repeated(part, (most - 3) / part.size()));
        load_or_refuse("a: \"" + repeated(part, (most - 4) / part.size()));
    }
}

TEST(AnyBytes, LongListsAreReadInTime) {
    const std::string upstream = "upstream: {relays: isp.example}\n";
    EXPECT_TRUE(loads(upstream + "trusted_clients: [" + repeated("192.0.2.1, ", 9'999) + "192.0.2.1]\n"));
    EXPECT_FALSE(loads(upstream + "trusted_clients: [" + repeated("192.0.2.1, ", 10'000) + "192.0.2.1]\n"));
    EXPECT_FALSE(loads(upstream + "listen: [" + repeated("127.0.0.1:1, ", 50'000) + "]\n"));
    EXPECT_FALSE(loads("upstream: {relays: [" + repeated("a, ", 90'000) + "]}\n"));
    EXPECT_FALSE(loads(upstream + "limits: [" + repeated("{name: a}, ", 45'000) + "]\n"));
    EXPECT_FALSE(loads(upstream + repeated("k: 1\n", 90'000)));
}

}  // namespace
}  // namespace weir::config
