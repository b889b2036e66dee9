#include "plain_text.hpp"

#include <algorithm>
#include <array>

namespace weir::policy {
namespace {

// Latin-1 0xC0 to 0xFF without their accents. '?' stands for what is no letter of the languages that relays speak.
constexpr std::string_view unaccented =
    "aaaaaaaceeeeiiii?nooooo?ouuuuy?s"
    "aaaaaaaceeeeiiii?nooooo?ouuuuy?y";

struct Wrapper {
    std::string_view words;
    std::string_view sign;
};

// Postfix, smtpd_check.c; policy servers and other programs write the same.
constexpr std::array wrappers{
    Wrapper{"client host rejected: ", "$c: "},    Wrapper{"helo command rejected: ", "$h: "},
    Wrapper{"sender address rejected: ", "$s: "}, Wrapper{"recipient address rejected: ", "$r: "},
    Wrapper{"data command rejected: ", "$d: "},   Wrapper{"end-of-data rejected: ", "$d: "},
    Wrapper{"end-of-message rejected: ", "$d: "},
};

constexpr std::string_view domain_letters = "abcdefghijklmnopqrstuvwxyz0123456789.-_";
constexpr std::size_t longest_usual_word = 9;  // among those with digits in them

bool is_in_mailbox(char c) {
    constexpr std::string_view others = "!#$%&'*+-/=?^_`{|}~.";  // RFC 5322 3.2.3
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || others.find(c) != std::string_view::npos;
}

/// The letter that begins at `at`, and moves on over it. What is neither ASCII nor a Latin letter becomes '?'.
char next_letter(std::string_view text, std::size_t& at) {
    const auto byte = static_cast<unsigned char>(text[at++]);
    if (byte <= ' ') return ' ';
    if (byte >= 'A' && byte <= 'Z') return static_cast<char>(byte + ('a' - 'A'));
    if (byte < 0x80) return static_cast<char>(byte);
    const auto next = at < text.size() ? static_cast<unsigned char>(text[at]) : 0U;
    if (byte == 0xC3 && next >= 0x80 && next < 0xC0) {  // UTF-8 for U+00C0 to U+00FF
        ++at;
        return unaccented[next - 0x80U];
    }
    return byte >= 0xC0 ? unaccented[byte - 0xC0U] : '?';
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// How much of the word, from `at` on, is digits and dots that make an IPv4 address; 0 for anything else.
std::size_t address_length(std::string_view word, std::size_t at) {
    const auto end = std::min(word.find_first_not_of("0123456789.", at), word.size());
    const auto piece = word.substr(at, end - at);
    return std::count(piece.begin(), piece.end(), '.') >= 3 && piece.size() >= 7 ? piece.size() : 0;
}

/// A word without what differs from reply to reply: numbers, addresses, domains of mailboxes, transaction names.
std::string usual_word(std::string_view word) {
    std::string usual;
    bool has_address = false;
    for (std::size_t at = 0; at < word.size();) {
        const auto digits = std::min(word.find_first_not_of("0123456789", at), word.size()) - at;
        if (const auto length = is_digit(word[at]) ? address_length(word, at) : 0; length > 0) {
            usual += "0.0.0.0";
            has_address = true;
            at += length;
        } else if (digits > 2) {
            usual += '0';
            at += digits;
        } else {
            usual += word[at++];
            if (usual.back() == '@') at = std::min(word.find_first_not_of(domain_letters, at), word.size());
        }
    }
    const bool is_name = word.size() > longest_usual_word && !has_address && usual.find('@') == std::string::npos &&
                         std::any_of(word.begin(), word.end(), is_digit);
    return is_name ? "#" : usual;
}

void cut_down_wrapper(std::string& text) {
    for (const Wrapper& wrapper : wrappers) {
        const auto at = text.find(wrapper.words);
        if (at != std::string::npos) text.replace(at, wrapper.words.size(), wrapper.sign);
    }
}

void drop_mailbox_name(std::string& text) {
    while (!text.empty() && is_in_mailbox(text.back())) text.pop_back();
}

}  // namespace

std::string plain_text(std::string_view text) {
    text = text.substr(0, longest_reply_text);
    std::string plain;
    plain.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const char letter = next_letter(text, at);
        if (letter == ' ' && (plain.empty() || plain.back() == ' ')) continue;
        if (letter == '@') drop_mailbox_name(plain);
        plain += letter;
    }
    if (plain.ends_with(' ')) plain.pop_back();
    return plain;
}

std::string phrase_text(std::string_view plain) {
    std::string text;
    text.reserve(plain.size());
    while (!plain.empty()) {
        const auto url = std::min({plain.find("http://"), plain.find("https://"), plain.size()});
        for (std::string_view words = plain.substr(0, url); !words.empty();) {
            const auto end = std::min(words.find(' '), words.size());
            text += usual_word(words.substr(0, end));
            if (end < words.size()) text += ' ';
            words.remove_prefix(std::min(end + 1, words.size()));
        }
        plain.remove_prefix(url);
        plain.remove_prefix(std::min(plain.find_first_of(" )>\"'"), plain.size()));
    }
    cut_down_wrapper(text);
    return text;
}

}  // namespace weir::policy
