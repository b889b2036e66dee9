#include "weir/smtp/body_scanner.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace weir::smtp {
namespace {

using namespace std::string_literals;

/// What became of a body.
struct Outcome {
    std::string passed;
    bool ended = false;
    bool violated = false;
    std::size_t used = 0;

    bool operator==(const Outcome&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Outcome& outcome) {
    return out << (outcome.ended ? "ended" : "open") << (outcome.violated ? " violated" : "") << ", used "
               << outcome.used << ", passed " << testing::PrintToString(outcome.passed);
}

/// Does what a driver does, and holds every step to the promises of the header.
class Scan {
public:
    void feed(std::string_view bytes) {
        while (!bytes.empty() && !outcome_.ended) {
            const BodyScanner::Step step = scanner_.scan(bytes);
            ASSERT_GT(step.used, 0U);
            ASSERT_LE(step.used, bytes.size());
            if (step.violated || outcome_.violated) {
                ASSERT_TRUE(step.pass.empty()) << "nothing follows a violation";
                ASSERT_FALSE(step.carried_cr);
            }
            if (step.carried_cr) outcome_.passed += '\r';
            outcome_.passed += step.pass;
            ASSERT_FALSE(!outcome_.passed.empty() && outcome_.passed.back() == '\r')
                << "a CR is held back until its LF has come";
            outcome_.used += step.used;
            outcome_.ended = step.ended;
            outcome_.violated = outcome_.violated || step.violated;
            bytes.remove_prefix(step.used);
        }
    }

    [[nodiscard]] const Outcome& outcome() const { return outcome_; }

private:
    BodyScanner scanner_;
    Outcome outcome_;
};

Outcome scan_cut(std::string_view body, std::vector<std::size_t> cuts) {
    Scan scan;
    std::size_t from = 0;
    cuts.push_back(body.size());
    for (const std::size_t cut : cuts) {
        scan.feed(body.substr(from, cut - from));
        from = cut;
    }
    return scan.outcome();
}

Outcome scan_whole(std::string_view body) {
    return scan_cut(body, {});
}

/// The same rules, so simple that they can be seen to be right: the end is CRLF.CRLF (or .CRLF at the start), and a
/// violation is the first NUL, CR without LF behind it or LF without CR before it, up to there.
struct Reference {
    std::size_t end = std::string::npos;    ///< behind the final LF
    std::size_t fault = std::string::npos;  ///< the first byte that proves a violation

    explicit Reference(const std::string& body) {
        const auto at = ("\r\n" + body).find("\r\n.\r\n");
        if (at != std::string::npos) end = at + 3;
        for (std::size_t i = 0; i < std::min(end, body.size()) && fault == std::string::npos; ++i) {
            const bool after_cr = i > 0 && body[i - 1] == '\r';
            if (body[i] == '\0' || after_cr != (body[i] == '\n')) fault = i;
        }
    }

    [[nodiscard]] bool ended() const { return end != std::string::npos; }
    [[nodiscard]] bool violated() const { return fault != std::string::npos; }
};

void expect_as_reference(const std::string& body, const Outcome& outcome) {
    const Reference reference(body);
    ASSERT_EQ(outcome.ended, reference.ended()) << testing::PrintToString(body);
    ASSERT_EQ(outcome.violated, reference.violated()) << testing::PrintToString(body);
    ASSERT_EQ(outcome.used, reference.ended() ? reference.end : body.size());
    if (reference.violated()) {
        ASSERT_EQ(outcome.passed, body.substr(0, outcome.passed.size()));
        ASSERT_LE(outcome.passed.size(), reference.fault) << "not even the byte before is safe when it is a CR";
    } else {
        const bool holds_cr = !reference.ended() && !body.empty() && body.back() == '\r';
        ASSERT_EQ(outcome.passed, body.substr(0, outcome.used - (holds_cr ? 1 : 0)));
    }
}

/// What smtpsmug, The-Login, Wang et al. (USENIX Security 2025, A1 to A13) and
/// CVE-2023-51764, -51765, -51766 list, and some of our own.
struct Vector {
    const char* name;
    std::string bytes;
    bool ends;
    bool clean;
};

const std::vector<Vector> vectors{
    {"LfDotLf", "\n.\n"s, false, false},
    {"LfDotCrlf", "\n.\r\n"s, false, false},
    {"CrDotCr", "\r.\r"s, false, false},
    {"CrDotCrlf", "\r.\r\n"s, false, false},
    {"CrlfDotLf", "\r\n.\n"s, false, false},
    {"CrlfDotCr", "\r\n.\r"s, false, false},
    {"CrDotLf", "\r.\n"s, false, false},
    {"LfDotCr", "\n.\r"s, false, false},
    {"CrlfNulDotCrlf", "\r\n\0.\r\n"s, false, false},
    {"CrlfDotNulCrlf", "\r\n.\0\r\n"s, false, false},
    {"CrNulLfDotCrlf", "\r\0\n.\r\n"s, false, false},
    {"CrlfDotCrNulLf", "\r\n.\r\0\n"s, false, false},
    {"CrlfDotCrCrlf", "\r\n.\r\r\n"s, false, false},
    {"CrCrlfDotCrCrlf", "\r\r\n.\r\r\n"s, false, false},
    {"NulCrlfDotCrlf", "\0\r\n.\r\n"s, true, false},
    {"CrlfDotCrlfNul", "\r\n.\r\n\0"s, true, true},
    {"StuffedDot", "\r\n..\r\n"s, false, true},
    {"DotBlank", "\r\n. \r\n"s, false, true},
    {"UnstuffedDot", "\r\n.x\r\n"s, false, true},
    {"CrCrlfDotCrlf", "\r\r\n.\r\n"s, true, false},
    {"VerticalTab", "\v.\v"s, false, true},
    {"NextLine", "\xc2\x85.\xc2\x85"s, false, true},
    {"LineSeparator", "\xe2\x80\xa8.\xe2\x80\xa8"s, false, true},
};

class EndOfData : public testing::TestWithParam<Vector> {};

const std::string genuine_end = "\r\n.\r\n";

TEST_P(EndOfData, IsFoundOnlyWhereItIs) {
    const Vector& vector = GetParam();
    const std::string body = "first" + vector.bytes + "MAIL FROM:<smuggled@x>\r\nsecond" + genuine_end;
    const Outcome outcome = scan_whole(body);
    EXPECT_TRUE(outcome.ended);
    EXPECT_EQ(outcome.used < body.size(), vector.ends);
    EXPECT_EQ(outcome.violated, !vector.clean);
    expect_as_reference(body, outcome);
}

TEST_P(EndOfData, IsFoundHoweverTheBytesAreCut) {
    const std::string body = "first" + GetParam().bytes + "second" + genuine_end;
    for (std::size_t one = 0; one <= body.size(); ++one) {
        for (std::size_t two = one; two <= body.size(); ++two)
            ASSERT_NO_FATAL_FAILURE(expect_as_reference(body, scan_cut(body, {one, two})));
    }
    std::vector<std::size_t> everywhere;
    for (std::size_t i = 0; i < body.size(); ++i) everywhere.push_back(i);
    expect_as_reference(body, scan_cut(body, everywhere));
}

TEST_P(EndOfData, IsFoundAcrossTheEdgesOfBlocksAndBuffers) {
    for (const std::size_t edge : {64U, 128U, 256U, 512U, 1024U, 1025U, 2048U, 4096U, 8192U, 16384U, 65536U}) {
        for (std::size_t before = edge - 8; before <= edge + 3; ++before) {
            std::string body;
            while (body.size() + 78 < before) body += std::string(76, 'x') + "\r\n";
            body.resize(before, 'y');
            body += GetParam().bytes + std::string(2100, 'z') + genuine_end;
            ASSERT_NO_FATAL_FAILURE(expect_as_reference(body, scan_whole(body)));
            ASSERT_NO_FATAL_FAILURE(expect_as_reference(body, scan_cut(body, {edge})));
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Vectors, EndOfData, testing::ValuesIn(vectors),
                         [](const auto& test) { return test.param.name; });

TEST(BodyScanner, PassesDotsAsTheyCome) {
    for (const char* body : {".\r\n", "..\r\n.\r\n", "...\r\n.x\r\n.\r\n", "\r\n.\r\n",
                             "no final line end\r\n..\r\n\r\n\r\n.\r\n", ".\tx\r\n.\r\n"}) {
        EXPECT_EQ(scan_whole(body),
                  (Outcome{.passed = body, .ended = true, .violated = false, .used = std::string(body).size()}))
            << body;
    }
}

TEST(BodyScanner, LeavesWhatFollowsTheMessage) {
    BodyScanner scanner;
    const BodyScanner::Step step = scanner.scan("a\r\n.\r\nQUIT\r\n");
    EXPECT_EQ(step.used, 6U);
    EXPECT_EQ(step.pass, "a\r\n.\r\n");
    EXPECT_TRUE(step.ended);
}

TEST(BodyScanner, HoldsACrBackUntilItsLineFeedHasCome) {
    BodyScanner scanner;
    EXPECT_EQ(scanner.scan("a\r").pass, "a");
    const BodyScanner::Step nothing = scanner.scan("");
    EXPECT_FALSE(nothing.carried_cr) << "an empty read must not send it";
    const BodyScanner::Step step = scanner.scan("\nb");
    EXPECT_TRUE(step.carried_cr);
    EXPECT_EQ(step.pass, "\nb");
}

TEST(BodyScanner, StartsAfreshAfterReset) {
    BodyScanner scanner;
    EXPECT_TRUE(scanner.scan(std::string_view("\0", 1)).violated);
    scanner.reset();
    const BodyScanner::Step step = scanner.scan(".\r\n");
    EXPECT_TRUE(step.ended);
    EXPECT_EQ(step.pass, ".\r\n");
}

TEST(BodyScanner, TakesLinesOfAnyLength) {
    const std::string body = std::string(200'000, 'x') + genuine_end;
    EXPECT_EQ(scan_whole(body).passed, body);
}

TEST(BodyScanner, AgreesWithASimplerOneOnRandomBodies) {
    std::mt19937 random(7);
    const std::vector<std::string> pieces{
        "\r\n", "\r\n.", ".\r\n", ".", "x", std::string(70, 'y'), "\r\n..\r\n", std::string(1000, 'z'), "\r\n", "\r\n"};
    const std::vector<std::string> faults{"\r", "\n", "\0"s, "\r\r\n", "\n\r"};
    int clean = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::string body;
        const bool may_fault = round % 2 == 0;
        for (auto count = random() % 12; count > 0; --count) {
            const bool fault = may_fault && random() % 8 == 0;
            body += fault ? faults[random() % faults.size()] : pieces[random() % pieces.size()];
        }
        std::vector<std::size_t> cuts;
        for (std::size_t at = random() % 600; at < body.size(); at += 1 + random() % 600) cuts.push_back(at);
        const Outcome outcome = scan_cut(body, cuts);
        ASSERT_NO_FATAL_FAILURE(expect_as_reference(body, outcome)) << "round " << round;
        clean += outcome.ended && !outcome.violated ? 1 : 0;
    }
    EXPECT_GT(clean, 1000) << "the inputs must reach the end of a clean message often enough";
}

}  // namespace
}  // namespace weir::smtp
