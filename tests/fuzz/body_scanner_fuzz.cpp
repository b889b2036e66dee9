// BodyScanner against rules so simple that they can be seen to be right, however the bytes are cut.

#include <string>

#include "fuzz/fuzz.hpp"
#include "weir/smtp/body_scanner.hpp"

namespace weir::fuzz {
namespace {

/// What the rules say: the message ends behind CRLF.CRLF (or .CRLF at its start); the first NUL, bare CR or bare LF
/// before that is a fault, known at the byte that proves it.
struct Reference {
    std::size_t end = std::string::npos;
    std::size_t fault = std::string::npos;

    explicit Reference(std::string_view body) {
        int matched = 2;  // how much of CRLF.CRLF came last; a message begins as if after CRLF
        bool after_cr = false;
        for (std::size_t i = 0; i < body.size() && end == std::string::npos; ++i) {
            const char c = body[i];
            if (fault == std::string::npos && (c == '\0' || after_cr != (c == '\n'))) fault = i;
            after_cr = c == '\r';
            constexpr std::string_view ending = "\r\n.\r\n";
            const auto at = static_cast<std::size_t>(matched);
            matched = c == ending[at] ? matched + 1 : c == '\r' ? 1 : 0;
            if (matched == 5) end = i + 1;
        }
    }

    [[nodiscard]] bool ended() const { return end != std::string::npos; }
    [[nodiscard]] bool violated() const { return fault != std::string::npos; }
};

/// Does what a driver does, and holds each step to the header's word.
class Scan {
public:
    void feed(std::string_view bytes) {
        while (!bytes.empty() && !ended) {
            const smtp::BodyScanner::Step step = scanner_.scan(bytes);
            promise(step.used > 0 && step.used <= bytes.size(), "a step gets on");
            promise(!(step.violated && violated), "a violation is reported once");
            violated = violated || step.violated;
            promise(!violated || (step.pass.empty() && !step.carried_cr), "nothing passes after a violation");
            promise(step.pass.empty() || (step.pass.data() >= bytes.data() &&
                                          step.pass.data() + step.pass.size() <= bytes.data() + step.used),
                    "what passes is a view into the input");
            if (step.carried_cr) passed += '\r';
            passed += step.pass;
            promise(passed.empty() || passed.back() != '\r', "a CR is held back until its LF has come");
            used += step.used;
            ended = step.ended;
            bytes.remove_prefix(step.used);
        }
    }

    std::string passed;
    std::size_t used = 0;
    bool ended = false;
    bool violated = false;

private:
    smtp::BodyScanner scanner_;
};

void check(std::string_view body, std::uint32_t seed) {
    const Reference reference(body);
    Scan scan;
    in_pieces(body, seed, [&](std::string_view piece) { scan.feed(piece); });
    promise(scan.ended == reference.ended(), "only CRLF.CRLF ends a message");
    promise(scan.violated == reference.violated(), "each bare CR, LF and NUL is found");
    promise(scan.used == (reference.ended() ? reference.end : body.size()), "every byte is dealt with, to the end");
    if (reference.violated()) {
        promise(scan.passed.size() <= reference.fault && body.starts_with(scan.passed), "nothing faulty passes");
    } else {
        const bool holds_cr = !reference.ended() && body.ends_with('\r');
        promise(scan.passed == body.substr(0, scan.used - (holds_cr ? 1 : 0)), "a clean message passes unchanged");
    }
}

/// The scanner takes plain text by the kilobyte. So that a short input can reach that, 0xff and a byte n stand for 16 n
/// letters, 0xfd and n for n short lines.
std::string expanded(std::string_view input) {
    constexpr std::size_t longest = 4096;
    std::string body;
    for (std::size_t i = 0; i < input.size() && body.size() < longest; ++i) {
        const bool is_run = (input[i] == '\xff' || input[i] == '\xfd') && i + 1 < input.size();
        if (!is_run) {
            body += input[i];
            continue;
        }
        const std::size_t count = static_cast<std::uint8_t>(input[i + 1]);
        if (input[i] == '\xff') body.append(16 * count, 'x');
        for (std::size_t n = 0; input[i] == '\xfd' && n < count; ++n) body += "a line\r\n";
        ++i;
    }
    return body;
}

}  // namespace
}  // namespace weir::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace weir::fuzz;
    if (size == 0) return 0;
    const std::string body = expanded(as_text(data + 1, size - 1));
    check(body, 0);
    check(body, 1);
    check(body, 2 + data[0]);
    return 0;
}
