#include <unistd.h>

#include <array>
#include <boost/json.hpp>
#include <ctime>

#include "endpoints.hpp"
#include "weir/telemetry/printable.hpp"

namespace weir::admin {
namespace {

namespace json = boost::json;

/// What may have come from a relay, or from a file of any encoding, must not make the document invalid.
json::value text_or_null(const std::string& text) {
    if (text.empty()) return nullptr;
    return json::value(telemetry::printable(text));
}

template <class T>
json::value value_or_null(const std::optional<T>& value) {
    if (!value) return nullptr;
    return json::value(*value);
}

/// RFC 3339.
json::value time_or_null(const std::optional<core::WallTime>& time) {
    if (!time) return nullptr;
    const std::time_t seconds = std::chrono::system_clock::to_time_t(*time);
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    std::array<char, sizeof("2026-11-24T04:00:00Z")> text{};
    std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
    return json::value(text.data());
}

json::value to_json(const Status::Listener& listener) {
    return {{"address", listener.address}, {"lane", listener.lane}};
}

json::value to_json(const Status::Relay& relay) {
    const json::object connections{{"busy", relay.busy_connections}, {"idle", relay.idle_connections}};
    return {{"relay", relay.relay},
            {"state", relay.state},
            {"connections", connections},
            {"last_error", text_or_null(relay.last_error)}};
}

json::value to_json(const Status::Limit& limit) {
    return {{"name", limit.name},
            {"mode", limit.mode},
            {"tracked_keys", limit.tracked_keys},
            {"held", limit.held},
            {"remaining", value_or_null(limit.remaining)}};
}

json::value to_json(const Status::Totals& totals) {
    return {{"relayed", totals.relayed},
            {"held", totals.held},
            {"relay_tempfail", totals.relay_tempfail},
            {"relay_reject", totals.relay_reject},
            {"aborted", totals.aborted},
            {"client_sessions", totals.client_sessions},
            {"relay_sessions", totals.relay_sessions}};
}

json::value to_json(const Status::Config& config) {
    return {{"file", text_or_null(config.file)},
            {"last_reload_successful", config.last_reload_successful},
            {"last_reload", time_or_null(config.last_reload)},
            {"error", text_or_null(config.error)}};
}

template <class Item>
json::array to_array(const std::vector<Item>& items) {
    json::array array;
    for (const auto& item : items) array.push_back(to_json(item));
    return array;
}

}  // namespace

Response answer_status(const Request& /*request*/, const Sources& sources) {
    const Status status = sources.status();
    const json::object document{
        {"version", status.version},
        {"pid", getpid()},
        {"uptime_seconds", std::chrono::duration<double>(status.uptime).count()},
        {"mode", status.mode},
        {"listeners", to_array(status.listeners)},
        {"relays", to_array(status.relays)},
        {"limits", to_array(status.limits)},
        {"totals", to_json(status.totals)},
        {"config", to_json(status.config)},
    };
    return reply(http::status::ok, "application/json", json::serialize(document) + '\n');
}

}  // namespace weir::admin
