// What a relay says, in any pieces: ReplyParser makes the same replies of it, and ClientSession takes none for the
// answer to something that it was not asked.

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "fuzz/fuzz.hpp"
#include "weir/smtp/client_session.hpp"
#include "weir/smtp/reply.hpp"

namespace weir::fuzz {
namespace {

using smtp::Reply;
using std::string_view;

struct Parsed {
    std::vector<Reply> replies;
    core::Error error;

    bool operator==(const Parsed&) const = default;
};

Parsed parse(string_view bytes, std::uint32_t seed) {
    Parsed parsed;
    smtp::ReplyParser parser;
    in_pieces(bytes, seed, [&](string_view piece) {
        while (!piece.empty() && !parsed.error) {
            const auto used = parser.feed(piece);
            if (!used) {
                parsed.error = used.error();
                return;
            }
            promise(*used > 0 && *used <= piece.size(), "the parser gets on");
            piece.remove_prefix(*used);
            if (!parser.ready()) continue;
            parsed.replies.push_back(parser.take());
            promise(parser.empty(), "nothing is left of a reply that was taken");
        }
    });
    return parsed;
}

bool is_sound(const Reply& reply) {
    return reply.code >= 200 && reply.code < 600 && !reply.lines.empty() && reply.lines.size() <= 100 &&
           std::all_of(reply.lines.begin(), reply.lines.end(), [](const std::string& line) {
               return line.size() <= 2000 && line.find_first_of(string_view("\r\n\0", 3)) == std::string::npos;
           });
}

/// What Postfix gets of it is a reply, the same when it is read and written again.
void check_wire(const Reply& reply) {
    const std::string wire = reply.wire();
    const Parsed again = parse(wire, 0);
    promise(!again.error && again.replies.size() == 1 && again.replies[0].code == reply.code &&
                again.replies[0].lines.size() == reply.lines.size(),
            "one reply is written as one reply");
    promise(again.replies[0].wire() == wire, "a written reply is written the same again");
    promise(std::none_of(wire.begin(), wire.end(),
                         [](char c) {
                             const auto byte = static_cast<std::uint8_t>(c);
                             return (byte < 0x20 && c != '\r' && c != '\n' && c != '\t') || byte == 0x7f;
                         }),
            "no control characters");
    promise(reply.summary().find('\n') == std::string::npos, "a summary is one line");
}

void check_parser(string_view bytes, std::uint32_t seed) {
    const Parsed whole = parse(bytes, 0);
    promise(parse(bytes, 1) == whole, "byte by byte it is the same");
    promise(parse(bytes, 2 + seed) == whole, "in pieces it is the same");
    for (const Reply& reply : whole.replies) {
        promise(is_sound(reply), "a reply is within its limits");
        check_wire(reply);
    }
}

/// With TLS and a login, or without.
smtp::ClientOptions options(Choices& choices) {
    using StartTls = smtp::ClientOptions::StartTls;
    const std::uint8_t choice = choices.next();
    smtp::ClientOptions options{.ehlo_name = "weir.example"};
    if (choice & 1U) options.start_tls = choice & 2U ? StartTls::required : StartTls::if_offered;
    if (choice & 4U)
        options.credentials = smtp::Credentials{.username = "me", .secret = "s3cret", .is_token = (choice & 8U) != 0};
    options.allow_plaintext_auth = (choice & 16U) != 0;
    options.is_encrypted = (choice & 32U) != 0;
    return options;
}

/// Drives a ClientSession as Transaction does, with the relay's bytes cut and our own calls strewn in by `choices`.
class Client {
public:
    Client(string_view bytes, Choices choices) : bytes_(bytes), choices_(choices), session_(options(choices_)) {}

    void run() {
        write();
        for (int i = 0; i < 2000 && !bytes_.empty(); ++i) {
            step();
            check();
        }
    }

private:
    void step() {
        const std::uint8_t choice = choices_.next();
        switch (choice % 8) {
            case 5:
                return send();
            case 6:
                return write();
            case 7:
                return take();
            default:
                break;
        }
        const std::size_t size = choice < 8 ? std::min(bytes_.find('\n'), bytes_.size() - 1) + 1
                                            : std::min<std::size_t>(choice / 8U, bytes_.size());
        session_.feed(bytes_.substr(0, size));
        bytes_.remove_prefix(size);
        if (session_.wants_tls()) session_.tls_started();
        if (choice < 8) write();
        if (choice == 0 && session_.is_ready() && session_.awaiting() == 0) send(), write();
    }

    void send() {
        if (!session_.is_ready()) return;
        session_.send("NOOP\r\n");
        ++queued_;
    }

    void write() {
        const std::string output = session_.take_output();
        promise(output.empty() || output.ends_with("\r\n"), "whole commands are written");
        written_ += queued_;
        queued_ = 0;
    }

    void take() {
        while (const auto reply = session_.take_reply()) {
            promise(is_sound(*reply), "a reply is within its limits");
            ++taken_;
        }
        promise(taken_ <= written_, "no more replies than commands that were written");
    }

    void check() {
        promise(!session_.error() || !session_.is_ready(), "after an error it is good for nothing");
        if (session_.error() && !failed_) {
            failed_ = session_.error();
        }
        promise(!failed_ || session_.error() == failed_, "the first error stays");
        promise(!session_.is_ready() || session_.awaiting() + taken_ <= written_ + queued_, "one reply a command");
    }

    string_view bytes_;
    Choices choices_;
    smtp::ClientSession session_;
    std::size_t queued_ = 0;
    std::size_t written_ = 0;
    std::size_t taken_ = 0;
    core::Error failed_;
};

}  // namespace
}  // namespace weir::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace weir::fuzz;
    const auto [text, choices] = TextAndChoices::split(as_text(data, size));
    check_parser(text, static_cast<std::uint32_t>(size));
    Client(text, choices).run();
    return 0;
}
