// A configuration file may hold anything: it is settings the daemon can run with, or an error with its line.

#include <algorithm>
#include <optional>
#include <string>

#include "fuzz/fuzz.hpp"
#include "weir/config/settings.hpp"
#include "weir/smtp/command.hpp"

namespace weir::fuzz {
namespace {

using std::string_view;

/// The number at the front of `text`, which is taken off, and must be followed by a colon.
int take_number(string_view& text) {
    int number = 0;
    std::size_t digits = 0;
    while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9' && digits < 7) {
        number = number * 10 + (text[digits++] - '0');
    }
    promise(digits > 0 && digits < text.size() && text[digits] == ':', "a place is LINE:COL:");
    text.remove_prefix(digits + 1);
    return number;
}

void check_remark(string_view remark, string_view text) {
    promise(remark.starts_with("fuzz:"), "a remark names its file");
    remark.remove_prefix(5);
    const auto lines = std::count(text.begin(), text.end(), '\n') + std::count(text.begin(), text.end(), '\r') + 1;
    const int line = take_number(remark);
    promise(line >= 1 && line <= lines, "the line is one of the file's");
    promise(take_number(remark) >= 1, "columns count from 1");
    promise(remark.size() > 2 && remark[0] == ' ', "something is said");
    promise(std::none_of(remark.begin(), remark.end(),
                         [](char c) { return static_cast<std::uint8_t>(c) < 0x20 || c == 0x7f; }),
            "a remark is fit for a terminal");
    promise(smtp::is_utf8(remark), "a remark is text");
}

void check_remarks(string_view remarks, string_view text) {
    while (!remarks.empty()) {
        const string_view remark = remarks.substr(0, remarks.find('\n'));
        check_remark(remark, text);
        remarks.remove_prefix(std::min(remark.size() + 1, remarks.size()));
    }
}

void check_limit(const policy::LimitSettings& limit) {
    promise(!limit.name.empty() && !limit.per.empty(), "a limit has a name and something to count by");
    promise(limit.messages || limit.recipients || limit.bytes || limit.new_sender_domains, "a limit limits something");
    for (const auto& quota : {limit.messages, limit.recipients, limit.bytes, limit.new_sender_domains}) {
        promise(!quota || (quota->rate.count > 0 && quota->burst > 0 && quota->rate.per > core::Duration::zero() &&
                           static_cast<std::uint64_t>(quota->rate.per.count()) >= quota->rate.count),
                "a quota is one that Gcra takes");
    }
}

void check_settings(const config::Settings& settings) {
    promise(!settings.listen.empty() && settings.workers >= 1 && settings.workers <= 64, "the daemon can run with it");
    promise(!settings.upstream.relays.empty(), "there is a relay");
    for (const auto& relay : settings.upstream.relays) {
        promise(!relay.host.empty() && relay.port > 0, "a relay has a host and a port");
    }
    promise(settings.policy.ipv4_prefix <= 32 && settings.policy.ipv6_prefix <= 128, "prefixes fit their family");
    for (const auto& limit : settings.policy.limits) check_limit(limit);
}

/// Its settings, or none and its remarks checked.
std::optional<config::Settings> load(string_view text) {
    try {
        return config::load_text(text, "fuzz");
    } catch (const config::ConfigError& error) {
        promise(*error.what() != '\0', "an error says something");
        check_remarks(error.what(), text);
        return std::nullopt;
    }
}

}  // namespace
}  // namespace weir::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace weir::fuzz;
    const std::string_view text = as_text(data, size);
    const auto settings = load(text);
    if (!settings) return 0;
    check_settings(*settings);
    for (const std::string& warning : settings->warnings) check_remark(warning, text);
    promise(load(text) == settings, "the same file says the same");
    return 0;
}
