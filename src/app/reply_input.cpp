#include "reply_input.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <istream>
#include <utility>
#include <vector>

#include "weir/smtp/reply.hpp"

namespace weir::app {
namespace {

constexpr std::string_view not_a_line = R"(is not a line of an SMTP reply; expected "450 text" or "450-text")";

std::string_view without_line_end(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

InputReply to_input(const smtp::Reply& reply) {
    return {.code = reply.code, .reply = policy::split_lines(reply.lines), .stage = {}, .id = {}};
}

/// Puts raw lines together to replies.
class RawReader {
public:
    RawReader(const std::function<void(const InputReply&)>& on_reply,
              const std::function<void(std::size_t, std::string_view)>& on_mistake)
        : on_reply_(on_reply), on_mistake_(on_mistake) {}

    void read(std::string_view line, std::size_t number) {
        if (line.empty() && parser_.empty()) return;
        if (parser_.empty()) first_ = number;
        if (feed(line)) return;
        if (number != first_) {
            // The reply before has no last line; this line may well begin the next one.
            on_mistake_(first_, "the reply that begins here has no last line");
            first_ = number;
            if (feed(line)) return;
        }
        on_mistake_(number, not_a_line);
    }

    void end() {
        if (!parser_.empty()) on_mistake_(first_, "the reply that begins here has no last line");
    }

private:
    /// Whether the line fits. A parser that failed is of no more use.
    bool feed(std::string_view line) {
        if (!parser_.feed(std::string(line) + "\r\n")) {
            parser_ = smtp::ReplyParser();
            return false;
        }
        if (parser_.ready()) on_reply_(to_input(parser_.take()));
        return true;
    }

    const std::function<void(const InputReply&)>& on_reply_;
    const std::function<void(std::size_t, std::string_view)>& on_mistake_;
    smtp::ReplyParser parser_;
    std::size_t first_ = 0;
};

const boost::json::value* member(const boost::json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    return value == nullptr || value->is_null() ? nullptr : value;
}

/// A member that is text, or `problem`.
std::string text_member(const boost::json::object& object, std::string_view name, std::string& problem) {
    const auto* value = member(object, name);
    if (value == nullptr) return {};
    if (value->is_string()) return std::string(value->as_string());
    problem = std::string(name) + " must be text";
    return {};
}

std::string read_wire(const boost::json::value& wire, InputReply& input) {
    constexpr auto problem = "wire must be a list with the lines of one SMTP reply";
    if (!wire.is_array()) return problem;
    smtp::ReplyParser parser;
    for (const auto& line : wire.as_array()) {
        if (!line.is_string() || parser.ready()) return problem;
        if (!parser.feed(std::string(line.as_string()) + "\r\n")) return problem;
    }
    if (!parser.ready()) return problem;
    input = to_input(parser.take());
    return {};
}

std::string read_code(const boost::json::object& object, InputReply& input) {
    const auto* code = member(object, "code");
    if (code == nullptr) return "code is missing; give the reply code, as in 451, or wire";
    if (!code->is_int64() || code->as_int64() < 200 || code->as_int64() > 599) {
        return "code must be a number from 200 to 599";
    }
    input.code = static_cast<int>(code->as_int64());
    return {};
}

/// Reads what one line of JSON says; returns what is wrong with it.
std::string read_object(const boost::json::object& object, InputReply& input) {
    std::string problem;
    const auto* wire = member(object, "wire");
    if (wire != nullptr) {
        problem = read_wire(*wire, input);
    } else {
        problem = read_code(object, input);
        if (problem.empty()) input.reply.text = text_member(object, "text", problem);
        if (problem.empty()) input.reply.enhanced_status = text_member(object, "esc", problem);
    }
    const std::string stage = text_member(object, "stage", problem);
    input.stage = policy::parse_stage(stage).value_or(policy::Stage::unknown);
    if (const auto* id = object.if_contains("id")) input.id = boost::json::serialize(*id);
    return problem;
}

std::string read_json(std::string_view line, InputReply& input) {
    boost::system::error_code error;
    const boost::json::value value = boost::json::parse(line, error);
    if (error) return "is not JSON: " + error.message();
    if (!value.is_object()) return "is not a JSON object";
    return read_object(value.as_object(), input);
}

}  // namespace

policy::ReplyFacts InputReply::facts() const {
    return {.code = code, .enhanced_status = reply.enhanced_status, .text = reply.text, .stage = stage};
}

void read_replies(std::istream& input, const std::function<void(const InputReply&)>& on_reply,
                  const std::function<void(std::size_t line, std::string_view problem)>& on_mistake) {
    RawReader raw(on_reply, on_mistake);
    std::optional<bool> is_json;
    std::size_t number = 0;
    for (std::string buffer; std::getline(input, buffer);) {
        ++number;
        const std::string_view line = without_line_end(buffer);
        const auto first = line.find_first_not_of(" \t");
        if (!is_json && first == std::string_view::npos) continue;
        if (!is_json) is_json = line[first] == '{';
        if (!*is_json) {
            raw.read(line, number);
        } else if (first != std::string_view::npos) {
            InputReply reply;
            const std::string problem = read_json(line, reply);
            problem.empty() ? on_reply(reply) : on_mistake(number, problem);
        }
    }
    raw.end();
}

}  // namespace weir::app
