#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <set>
#include <system_error>

#include "fields.hpp"
#include "later.hpp"
#include "sections.hpp"
#include "text.hpp"

namespace weir::config {
namespace {

constexpr std::array top_fields{
    Field<Settings>{"listen", read_listen, list_listen},
    Field<Settings>{"trusted_clients", read_trusted_clients},
    Field<Settings>{"mode", [](const Value& value, Settings& s) { read_mode(value, s.policy.mode); }},
    Field<Settings>{"workers",
                    [](const Value& value, Settings& s) {
                        read(value, {1, 64}, s.workers);
                    }},
    Field<Settings>{"sessions", read_sessions, list_sessions},
    Field<Settings>{"upstream", read_upstream, list_upstream},
    Field<Settings>{"limits", read_limits, list_limits},
    Field<Settings>{"feedback", read_feedback, list_feedback},
    Field<Settings>{"client_prefix", read_client_prefix, list_client_prefix},
    Field<Settings>{"max_keys",
                    [](const Value& value, Settings& s) {
                        read(value, {100, 100'000'000}, s.policy.max_keys);
                    }},
    Field<Settings>{"admin", read_admin, list_admin},
    Field<Settings>{"log", read_log, list_log},
};

Settings default_settings() {
    Settings settings;
    settings.listen = {{.endpoint = {.address = core::parse_ip("127.0.0.1").value(), .port = 10025}}};
    settings.trusted_clients = {core::parse_cidr("127.0.0.0/8").value(), core::parse_cidr("::1").value()};
    settings.policy.limits = policy::default_limits();
    return settings;
}

void check_admin_address(const Value& root, const Settings& settings) {
    const auto admin = find(root, "admin");
    const auto listen = admin ? find(*admin, "listen") : std::nullopt;
    const bool is_shared = std::any_of(settings.listen.begin(), settings.listen.end(),
                                       [&](const ListenSettings& l) { return l.endpoint == settings.admin; });
    if (listen && is_shared) listen->error("mail is taken in at this address; give it a port of its own");
}

/// For a file without errors, in which each item of `limits` has become one limit.
void check_lanes(const Value& limits, const Settings& settings) {
    std::set<std::string, std::less<>> lanes;
    for (const ListenSettings& listener : settings.listen) lanes.insert(listener.lane);
    for (std::size_t i = 0; i < settings.policy.limits.size(); ++i) {
        for (const std::string& lane : settings.policy.limits[i].match.lane) {
            if (lanes.contains(lane)) continue;
            find(*find(limits.item(i), "match"), "lane")->warning("no listener has the lane " + in_quotes(lane));
        }
    }
}

void add_contract(Settings& settings) {
    const ContractSettings& contract = settings.upstream.contract;
    if (!contract.messages && !contract.recipients) return;
    policy::LimitSettings limit;
    limit.name = "contract";
    limit.per = {policy::KeyPart::relay};
    limit.messages = contract.messages;
    limit.recipients = contract.recipients;
    settings.policy.limits.insert(settings.policy.limits.begin(), std::move(limit));
}

void read_root(const Value& root, Settings& settings) {
    if (root.node().kind == Node::Kind::null) {
        root.error("is empty; write at least upstream: {relays: [\"[smtp.isp.example]:587\"]}");
        return;
    }
    if (!read_map(root, top_fields, "write keys with values, as in mode: enforce", settings)) return;
    if (!find(root, "upstream")) {
        root.missing("upstream.relays", "give one or a list of relays, as in \"[smtp.isp.example]:587\"");
    }
    check_admin_address(root, settings);
    report_duplicate_keys(root);
}

Settings read_document(const Node& document, Report& report) {
    Settings settings = default_settings();
    const Value root(document, report);
    read_root(root, settings);
    report.throw_if_failed();
    if (const auto limits = find(root, "limits")) check_lanes(*limits, settings);
    add_contract(settings);
    settings.warnings = report.warnings();
    return settings;
}

[[noreturn]] void throw_unreadable(const std::filesystem::path& file, int error) {
    throw ConfigError(file.string() + ": cannot be read: " + std::generic_category().message(error) +
                      "; give the path of a readable file");
}

/// One byte more than is allowed at most, which is enough to complain about it; so /dev/zero ends, too.
std::string read_file(const std::filesystem::path& file) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> stream(std::fopen(file.c_str(), "rb"), std::fclose);
    if (!stream) throw_unreadable(file, errno);
    std::string text(max_file_size + 1, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), stream.get()));
    if (std::ferror(stream.get()) != 0) throw_unreadable(file, errno);
    return text;
}

}  // namespace

Settings load_text(std::string_view text, std::string_view name) {
    Report report(name);
    try {
        return read_document(parse_document(text), report);
    } catch (const SyntaxError& error) {
        report.error(error.at, error.what());
        report.throw_if_failed();
        throw;
    }
}

Settings load_file(const std::filesystem::path& file) {
    return load_text(read_file(file), file.string());
}

std::vector<Key> known_keys() {
    std::vector<Key> keys = later_keys();
    list_keys(top_fields, "", keys);
    std::sort(keys.begin(), keys.end(), [](const Key& a, const Key& b) { return a.path < b.path; });
    return keys;
}

}  // namespace weir::config
