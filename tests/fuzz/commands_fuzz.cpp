// One command line: what is made of it stands in it, and is made of it again however it is written.

#include <algorithm>
#include <string>

#include "fuzz/fuzz.hpp"
#include "weir/smtp/command.hpp"

namespace weir::fuzz {
namespace {

using smtp::PathError;
using smtp::Verb;
using std::string_view;

bool is_within(string_view part, string_view whole) {
    return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

std::string other_case(string_view text) {
    std::string out(text);
    for (char& c : out) {
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) c = static_cast<char>(c ^ 0x20);
    }
    return out;
}

void check_command(string_view line) {
    const smtp::Command command = smtp::parse_command(line);
    promise(is_within(command.argument, line), "an argument is a view into its line");
    promise(smtp::parse_command(other_case(line)).verb == command.verb, "verbs have no case");
    if (command.verb == Verb::unknown) {
        promise(command.argument == line, "an unknown command is kept whole");
        return;
    }
    const string_view argument = command.argument;
    promise(argument.empty() || !(is_blank(argument.front()) || is_blank(argument.back())), "blanks are trimmed");
    promise(!smtp::is_foreign_protocol(line), "no command of ours is another protocol's");
    const std::string padded = std::string(line) + " \t ";
    const smtp::Command again = smtp::parse_command(padded);
    promise(again.verb == command.verb && again.argument == argument, "trailing blanks mean nothing");
}

/// It is asked while the line is still coming in: what it has said of a beginning it must say of the whole.
void check_foreign(string_view line) {
    bool was = false;
    for (std::size_t length = 0; length <= std::min<std::size_t>(line.size(), 16); ++length) {
        const bool is = smtp::is_foreign_protocol(line.substr(0, length));
        promise(is || !was, "another protocol does not turn into SMTP");
        was = is;
    }
    promise(!was || smtp::is_foreign_protocol(line), "another protocol does not turn into SMTP");
}

/// Walks over a path as a relay would: a quoted string may hold anything printable, and nothing else is special.
void check_path_text(string_view path) {
    bool quoted = false;
    for (std::size_t i = 0; i < path.size(); ++i) {
        const auto byte = static_cast<std::uint8_t>(path[i]);
        promise(byte >= 0x20 && byte != 0x7f, "no control character in an address");
        if (path[i] == '"') quoted = !quoted;
        if (path[i] == '\\') {
            promise(quoted && i + 1 < path.size(), "a backslash stands in quotes, before something");
            ++i;
        } else if (!quoted) {
            promise(path[i] != '<' && path[i] != '>' && path[i] != ' ', "a path ends where Weir thinks");
        }
    }
    promise(!quoted, "quotes are closed");
}

void check_parameters(const smtp::PathArgument& parsed, string_view argument) {
    for (const smtp::Parameter& parameter : parsed.parameters) {
        promise(is_within(parameter.keyword, argument) && is_within(parameter.value, argument), "parameters are views");
        promise(!parameter.keyword.empty() && parsed.has(other_case(parameter.keyword)), "keywords have no case");
        promise(std::none_of(parameter.value.begin(), parameter.value.end(),
                             [](char c) { return static_cast<std::uint8_t>(c) <= ' ' || c == 0x7f || c == '='; }),
                "a value is one word");
        const auto same = std::count_if(parsed.parameters.begin(), parsed.parameters.end(),
                                        [&](const smtp::Parameter& other) { return other.is(parameter.keyword); });
        promise(same == 1, "no parameter comes twice");
    }
}

void check_path(string_view argument, string_view prefix) {
    smtp::PathArgument parsed;
    const PathError error = smtp::parse_path(argument, prefix, parsed);
    smtp::PathArgument again;
    promise(smtp::parse_path(other_case(argument), other_case(prefix), again) == error, "keywords have no case");
    if (error != PathError::none) return;
    promise(is_within(parsed.path, argument), "a path is a view into its line");
    promise(smtp::is_utf8(parsed.path), "an address is text");
    check_path_text(parsed.path);
    check_parameters(parsed, argument);

    std::string written = std::string(prefix) + '<' + std::string(parsed.path) + '>';
    for (const smtp::Parameter& parameter : parsed.parameters) {
        ((written += ' ') += parameter.keyword) += parameter.value.empty() ? "" : "=";
        written += parameter.value;
    }
    promise(smtp::parse_path(written, prefix, again) == PathError::none && again.path == parsed.path &&
                again.parameters.size() == parsed.parameters.size(),
            "the relay reads what Weir has read");
}

}  // namespace
}  // namespace weir::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace weir::fuzz;
    const std::string_view line = as_text(data, size);
    check_command(line);
    check_foreign(line);
    const std::string_view argument = weir::smtp::parse_command(line).argument;
    for (const std::string_view text : {line, argument}) {
        check_path(text, "FROM:");
        check_path(text, "TO:");
    }
    return 0;
}
