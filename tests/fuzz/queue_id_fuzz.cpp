// The queue ID in the topmost Received header: the same however the body is cut, and never a stranger's word.

#include <algorithm>
#include <string>

#include "fuzz/fuzz.hpp"
#include "weir/smtp/received.hpp"

namespace weir::fuzz {
namespace {

using std::string_view;

std::string sniff(string_view message, std::uint32_t seed) {
    smtp::QueueIdSniffer sniffer;
    bool was_done = false;
    std::string found;
    in_pieces(message, seed, [&](string_view piece) {
        sniffer.feed(piece);
        promise(sniffer.done() || !was_done, "done is done");
        promise(!was_done || sniffer.queue_id() == found, "an ID that was found stays");
        promise(sniffer.done() || sniffer.queue_id().empty(), "no ID before the header is whole");
        was_done = sniffer.done();
        found = sniffer.queue_id();
    });
    return found;
}

void check_id(string_view id) {
    promise(id.size() <= 32 && std::all_of(id.begin(), id.end(),
                                           [](char c) {
                                               return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                                                      (c >= 'a' && c <= 'z');
                                           }),
            "an ID is letters and digits");
}

/// What Postfix puts into a header of a name that a client gives.
std::string neutered(string_view word) {
    std::string out;
    for (const char c : word.substr(0, 500)) {
        const bool is_plain = c > ' ' && c < 0x7f && string_view("<>()\\\";:@").find(c) == string_view::npos;
        out += is_plain ? c : '?';
    }
    return out.empty() ? "x" : out;
}

/// Postfix wraps a comment in balanced parentheses, whatever a client's certificate or login says.
std::string comment(string_view word) {
    std::string out;
    for (const char c : word.substr(0, 500)) out += c == '(' || c == ')' || c == '\\' || c < ' ' ? '?' : c;
    return out;
}

void check_forgery(string_view word) {
    const std::string header =
        "Received: from " + neutered(word) + " (unknown [192.0.2.1])\r\n\t(Authenticated sender: " + comment(word) +
        ")\r\n\tby p.example (Postfix) with ESMTPSA id 4jYR2m5dFHz1cY4G\r\n\tfor <" + comment(word) +
        ">; Tue, 24 Nov 2026 02:03:04 +0000 (UTC)\r\nReceived: by x (Postfix) id FORGED;\r\n\r\n";
    promise(sniff(header, 0) == "4jYR2m5dFHz1cY4G", "a stranger's word is not taken for the queue ID");
}

}  // namespace
}  // namespace weir::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace weir::fuzz;
    const std::string_view text = as_text(data, size);
    const std::string id = sniff(text, 0);
    check_id(id);
    promise(sniff(text, 1) == id, "byte by byte it is the same");
    promise(sniff(text, 2 + static_cast<std::uint32_t>(size)) == id, "in pieces it is the same");
    check_id(weir::smtp::queue_id_in_received(text));
    check_forgery(text);
    return 0;
}
