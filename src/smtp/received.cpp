#include "weir/smtp/received.hpp"

#include <algorithm>

#include "weir/smtp/command.hpp"

namespace weir::smtp {
namespace {

using std::string_view;

constexpr std::size_t max_header = 4096;  // a HELO may have 2,000 characters
constexpr std::size_t max_queue_id = 32;
constexpr string_view blanks = " \t";  // RFC 5322 2.2.2

bool is_id_character(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/// Where the header that starts the message ends: the LF before a line that does not begin with a blank.
std::size_t header_end(string_view text) {
    for (auto newline = text.find('\n'); newline != string_view::npos; newline = text.find('\n', newline + 1)) {
        if (newline + 1 == text.size()) return string_view::npos;
        if (text[newline + 1] != ' ' && text[newline + 1] != '\t') return newline;
    }
    return string_view::npos;
}

/// RFC 5322 2.2.3: folding is a line end before a blank.
std::string unfold(string_view header) {
    std::string out;
    for (const char c : header) {
        if (c != '\r' && c != '\n') out += c;
    }
    return out;
}

/// Walks over an unfolded header.
class Words {
public:
    explicit Words(string_view text) : rest_(text) {}

    /// The word up to the next blank; empty at the end.
    string_view next() {
        skip_blanks();
        const string_view word = rest_.substr(0, rest_.find_first_of(blanks));
        rest_.remove_prefix(word.size());
        return word;
    }

    bool take(string_view word) {
        Words ahead = *this;
        if (ahead.next() != word) return false;
        *this = ahead;
        return true;
    }

    bool comes(string_view text) {
        skip_blanks();
        return rest_.substr(0, text.size()) == text;
    }

    /// RFC 5322 3.2.2: comments nest. Postfix lets no unbalanced parenthesis and no backslash into one.
    bool skip_comment() {
        if (!comes("(")) return false;
        int depth = 0;
        for (std::size_t i = 0; i < rest_.size(); ++i) {
            depth += rest_[i] == '(' ? 1 : rest_[i] == ')' ? -1 : 0;
            if (depth == 0) return rest_.remove_prefix(i + 1), true;
        }
        return false;
    }

    /// Postfix folds a HELO of over 998 characters, which unfolds with a blank inside.
    void skip_to_comment() { rest_.remove_prefix(std::min(rest_.find('('), rest_.size())); }

private:
    void skip_blanks() { rest_.remove_prefix(std::min(rest_.find_first_not_of(blanks), rest_.size())); }

    string_view rest_;
};

}  // namespace

void QueueIdSniffer::feed(string_view bytes) {
    if (done_) return;
    header_ += bytes.substr(0, max_header - header_.size());
    constexpr string_view name = "Received:";
    if (!equals_ignoring_case(string_view(header_).substr(0, name.size()), name.substr(0, header_.size()))) {
        finish();  // the message begins with another header: it did not come from a Postfix queue
        return;
    }
    const auto end = header_end(header_);
    if (end != string_view::npos) {
        header_.resize(end);
        queue_id_ = queue_id_in_received(unfold(header_));
        finish();
    } else if (header_.size() == max_header) {
        finish();
    }
}

void QueueIdSniffer::finish() {
    done_ = true;
    std::string().swap(header_);
}

string_view queue_id_in_received(string_view header) {
    // Word by word, and no searching: a HELO, a login, a certificate's name and a recipient are strangers' words, and
    // any of them may say "by x (Postfix) id FORGED".
    Words words(header);
    if (!words.take("Received:")) return {};
    if (words.take("from")) words.skip_to_comment();
    while (words.skip_comment()) {
    }
    if (!words.take("by") || words.next().empty() || !words.comes("(Postfix") || !words.skip_comment()) return {};
    if (words.take("with")) (void)words.next();
    if (!words.take("id")) return {};
    const string_view word = words.next();
    const string_view id = word.substr(0, word.find(';'));
    const bool good = id.size() <= max_queue_id && std::all_of(id.begin(), id.end(), is_id_character);
    return good ? id : string_view{};
}

}  // namespace weir::smtp
