#include "classify.hpp"

#include <sysexits.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>

#include "reply_input.hpp"
#include "weir/config/settings.hpp"
#include "weir/policy/classifier.hpp"

namespace weir::app {
namespace {

constexpr std::size_t longest_shown_text = 80;

std::string seconds(const policy::Classification& answer) {
    if (!answer.retry_after) return {};
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(*answer.retry_after).count());
}

std::string quoted(std::string_view text) {
    return boost::json::serialize(boost::json::string_view(text.data(), text.size()));
}

std::string json_line(const InputReply& input, const policy::Classification& answer) {
    std::string line = "{";
    if (!input.id.empty()) line += "\"id\":" + input.id + ',';
    line += "\"code\":" + std::to_string(input.code);
    line += ",\"class\":" + quoted(policy::to_string(answer.reply_class));
    line += ",\"scope\":" + quoted(policy::to_string(answer.scope));
    line += ",\"retry_after_s\":" + (answer.retry_after ? seconds(answer) : "null");
    line += ",\"decided_by\":" + quoted(answer.decided_by) + '}';
    return line;
}

/// One line of a terminal, whatever the relay wrote.
std::string shortened(const InputReply& input) {
    std::string text = std::to_string(input.code) + ' ';
    if (!input.reply.enhanced_status.empty()) (text += input.reply.enhanced_status) += ' ';
    text += input.reply.text;
    if (text.size() > longest_shown_text) text = text.substr(0, longest_shown_text - 3) + "...";
    std::replace(text.begin(), text.end(), '\n', ' ');
    std::replace_if(
        text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
    return text;
}

std::string table_line(std::string_view reply_class, std::string_view scope, std::string_view wait,
                       std::string_view text) {
    const auto padded = [](std::string_view word, std::size_t width) {
        return std::string(word) + std::string(width - std::min(width, word.size()), ' ');
    };
    return padded(reply_class, 12) + padded(scope, 11) + padded(wait, 13) + std::string(text);
}

std::string table_line(const InputReply& input, const policy::Classification& answer) {
    return table_line(policy::to_string(answer.reply_class), policy::to_string(answer.scope),
                      answer.retry_after ? seconds(answer) + " s" : "-", shortened(input));
}

int classify_input(const policy::Classifier& classifier, bool json) {
    int status = EX_OK;
    if (!json) std::cout << table_line("CLASS", "SCOPE", "RETRY AFTER", "REPLY") << '\n';
    const auto on_reply = [&](const InputReply& input) {
        const policy::Classification answer = classifier.classify(input.facts());
        std::cout << (json ? json_line(input, answer) : table_line(input, answer)) << '\n';
    };
    const auto on_mistake = [&](std::size_t line, std::string_view problem) {
        std::cerr << "weir classify: line " << line << ": " << problem << '\n';
        status = EX_DATAERR;
    };
    read_replies(std::cin, on_reply, on_mistake);
    std::cout.flush();
    return std::cout ? status : EX_IOERR;
}

}  // namespace

int classify(const std::filesystem::path& config, bool json) {
    std::vector<policy::ClassifyRule> rules;
    try {
        if (!config.empty()) rules = config::load_file(config).classify;
    } catch (const config::ConfigError& error) {
        std::cerr << error.what() << '\n';
        return EX_CONFIG;
    }
    // What a loaded configuration says has been tried.
    return classify_input(policy::Classifier::create(std::move(rules)).value(), json);
}

}  // namespace weir::app
