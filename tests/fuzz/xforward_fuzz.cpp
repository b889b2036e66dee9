// XFORWARD's words are a stranger's: whatever they are, they are bounded, printable and never change an answer by half.

#include <algorithm>
#include <string>
#include <tuple>

#include "fuzz/fuzz.hpp"
#include "weir/smtp/command.hpp"
#include "weir/smtp/xforward.hpp"

namespace weir::fuzz {
namespace {

using smtp::Forwarded;
using std::string_view;

auto all_of(const Forwarded& f) {
    return std::tie(f.seen, f.name, f.address, f.port, f.protocol, f.helo, f.ident, f.source);
}

bool is_control(char c) {
    const auto byte = static_cast<std::uint8_t>(c);
    return byte < 0x20 || byte == 0x7f;
}

bool is_printable(const std::string& text) {
    return std::none_of(text.begin(), text.end(), is_control);
}

/// RFC 3461 4, as its grammar says it; lower-case digits are tolerated.
std::string encoded(string_view text) {
    constexpr string_view digits = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<std::uint8_t>(c);
        if (byte > ' ' && byte < 0x7f && c != '+' && c != '=') {
            out += c;
        } else {
            ((out += '+') += digits[byte >> 4U]) += digits[byte & 15U];
        }
    }
    return out;
}

void check_xtext(string_view text) {
    const auto decoded = smtp::decode_xtext(text);
    if (decoded) {
        promise(decoded->size() <= text.size() && is_printable(*decoded), "decoding adds nothing and hides nothing");
        promise(smtp::decode_xtext(encoded(*decoded)) == decoded, "what was decoded can be encoded");
    }
    const bool is_clean = std::none_of(text.begin(), text.end(), is_control);
    promise(smtp::decode_xtext(encoded(text)).has_value() == is_clean, "control characters stay out, encoded or not");
}

void check_values(const Forwarded& forwarded) {
    for (const std::string* value :
         {&forwarded.name, &forwarded.port, &forwarded.protocol, &forwarded.helo, &forwarded.ident}) {
        promise(value->size() <= 1024 && is_printable(*value), "a value is bounded and printable");
    }
}

Forwarded earlier() {
    Forwarded forwarded;
    forwarded.name = "earlier.example";
    forwarded.ident = "4jYR2m5dFHz1cY4G";
    return forwarded;
}

/// Postfix says them in two commands; that must be the same as in one.
void check_in_two(string_view argument, const Forwarded& whole) {
    const auto blank = argument.find(' ', argument.size() / 2);
    if (blank == string_view::npos) return;
    Forwarded halves = earlier();
    promise(smtp::parse_xforward(argument.substr(0, blank), halves), "a part of what is good is good");
    promise(smtp::parse_xforward(argument.substr(blank + 1), halves), "a part of what is good is good");
    promise(all_of(halves) == all_of(whole), "two commands say the same as one");
}

void check_attributes(string_view argument) {
    Forwarded forwarded = earlier();
    const bool good = smtp::parse_xforward(argument, forwarded);
    if (!good) {
        const Forwarded before = earlier();
        promise(all_of(forwarded) == all_of(before), "a bad command changes nothing");
        return;
    }
    promise(forwarded.seen, "a good command was seen");
    check_values(forwarded);
    check_in_two(argument, forwarded);
    Forwarded again = earlier();
    promise(smtp::parse_xforward(argument, again) && smtp::parse_xforward(argument, again) &&
                all_of(again) == all_of(forwarded),
            "saying it twice changes nothing");
}

/// A value that is encoded arrives as it is, whatever else the command says.
void check_passes(string_view value) {
    Forwarded forwarded;
    const std::string ident = encoded(value.substr(0, 1024));
    promise(smtp::parse_xforward("IDENT=" + ident + " HELO=x", forwarded), "an encoded value is never refused");
    const bool is_unavailable =
        smtp::equals_ignoring_case(value, "[UNAVAILABLE]") || smtp::equals_ignoring_case(value, "[TEMPUNAVAIL]");
    promise(forwarded.helo == "x", "a value ends at its blank");
    if (is_unavailable || !is_printable(std::string(value))) return;
    promise(forwarded.ident == value.substr(0, 1024), "an encoded value arrives");
}

}  // namespace
}  // namespace weir::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace weir::fuzz;
    const std::string_view text = as_text(data, size);
    check_xtext(text);
    check_attributes(text);
    check_passes(text);
    return 0;
}
