#include "weir/policy/domain.hpp"

#include <libpsl.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>

#include "punycode.hpp"

namespace weir::policy {
namespace {

constexpr std::string_view null_sender = "<>";
constexpr std::string_view no_domain = "@";
constexpr char32_t ideographic_full_stop = U'\u3002';  // IDNA takes it for a dot, and NFKC leaves it alone

/// As much of the end as fits: a domain's end says more about whose it is than its beginning.
DomainName last(std::string_view text) {
    const std::size_t size = std::min<std::size_t>(text.size(), DomainName::static_capacity);
    return {text.data() + text.size() - size, size};
}

constexpr bool is_ascii(char c) {
    return static_cast<unsigned char>(c) < 0x80;
}

/// NFKC makes an @ of some characters: it must not make the end of the domain a domain of its own.
constexpr char fold(char c) {
    if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
    return c > ' ' && c < 0x7f && c != '@' ? c : '?';
}

/// Lower case and NFKC for any script; the text as it is when libpsl cannot read it.
std::string lower(std::string_view text) {
    std::string terminated(text);
    char* lowered = nullptr;
    if (psl_str_to_utf8lower(terminated.c_str(), "utf-8", nullptr, &lowered) != PSL_SUCCESS) return terminated;
    const std::unique_ptr<char, decltype(&psl_free_string)> owner(lowered, psl_free_string);
    return lowered;
}

constexpr bool is_ascii_point(char32_t c) {
    return c < 0x80;
}

std::string to_ascii_label(std::u32string_view label) {
    std::u32string folded(label);
    for (char32_t& c : folded) {
        if (is_ascii_point(c)) c = static_cast<char32_t>(fold(static_cast<char>(c)));
    }
    if (!std::all_of(folded.begin(), folded.end(), is_ascii_point)) return "xn--" + encode_punycode(folded);
    return {folded.begin(), folded.end()};
}

DomainName fold_international(std::string_view domain) {
    std::u32string points = decode_utf8(lower(domain));
    std::replace(points.begin(), points.end(), ideographic_full_stop, U'.');
    std::u32string_view rest = points;
    while (rest.ends_with(U'.')) rest.remove_suffix(1);
    if (rest.empty()) return last(no_domain);
    std::string folded;
    for (auto dot = rest.find(U'.'); dot != rest.npos; dot = rest.find(U'.')) {
        folded += to_ascii_label(rest.substr(0, dot)) + '.';
        rest.remove_prefix(dot + 1);
    }
    folded += to_ascii_label(rest);
    return last(folded);
}

}  // namespace

DomainName fold_domain(std::string_view address_or_domain) {
    if (address_or_domain.empty()) return last(null_sender);
    std::string_view domain = address_or_domain.substr(address_or_domain.rfind('@') + 1);
    while (domain.ends_with('.')) domain.remove_suffix(1);
    if (domain.empty()) return last(no_domain);
    if (!std::all_of(domain.begin(), domain.end(), is_ascii)) return fold_international(domain);
    DomainName folded = last(domain);
    std::transform(folded.begin(), folded.end(), folded.begin(), fold);
    return folded;
}

std::size_t registrable_offset(const DomainName& folded) {
    if (folded.empty() || folded.front() == '[') return 0;
    const char* registrable = psl_registrable_domain(psl_builtin(), folded.c_str());
    return registrable != nullptr ? static_cast<std::size_t>(registrable - folded.c_str()) : 0;
}

DomainName registrable_domain(std::string_view address_or_domain) {
    DomainName domain = fold_domain(address_or_domain);
    domain.erase(0, registrable_offset(domain));
    return domain;
}

}  // namespace weir::policy
